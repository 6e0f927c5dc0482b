"""The weight image (contract section 6): what the exporter writes and the accelerator runs.

Files are read and written by the C++ code (``lampyris._native.io``); ``read_image`` is the
independent reader in Python, with the same verdict on every file.
"""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lampyris.files import atomic_write
from lampyris.firefly.canonical_json import refuse
from lampyris.firefly.image_reader import read_image

__all__ = ["Image", "ImageLayer", "load", "read_image"]

_DTYPES = {"U8": np.dtype(np.uint8), "U32": np.dtype("<u4")}


@dataclass(frozen=True)
class ImageLayer:
    """One layer of an image.

    Attributes:
        registers: uint32 [n, 2], pairs (offset | relocation << 16, value) in write order;
            relocation 0 literal, 1 + image base, 2 + arena base.
        weight_stream: bytes exactly as DMA sends them; empty where the layer has no weights.
        bias_stream: likewise.
    """

    registers: np.ndarray
    weight_stream: bytes
    bias_stream: bytes


class Image:
    """A plan and its tensors.

    Args:
        plan: what JSON can hold, without floats (numpy integers are fine). Its member ``tensors``
            belongs to the writer.
        tensors: uint8 [n] or uint32 [n] by name: ``layer.NNN.registers`` (uint32),
            ``layer.NNN.weights``, ``layer.NNN.bias`` (uint8), ``host.*``.

    Example:
        >>> import numpy as np
        >>> image = Image({"target": "ems"}, {"layer.000.registers": np.array([0xFC, 1], np.uint32)})
        >>> Image.from_bytes(image.to_bytes()).layers[0].registers.tolist()
        [[252, 1]]
    """

    def __init__(self, plan: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
        self.plan: dict[str, Any] = dict(plan)
        self.tensors: dict[str, np.ndarray] = dict(tensors)

    @property
    def layers(self) -> list[ImageLayer]:
        """The layers in order; made anew from ``tensors`` at each access."""
        layers = []
        while (registers := self.tensors.get(f"layer.{len(layers):03}.registers")) is not None:
            weights, bias = (
                self.tensors.get(f"layer.{len(layers):03}.{part}") for part in ("weights", "bias")
            )
            layers.append(
                ImageLayer(
                    registers=registers.reshape(-1, 2),
                    weight_stream=b"" if weights is None else weights.tobytes(),
                    bias_stream=b"" if bias is None else bias.tobytes(),
                )
            )
        return layers

    @property
    def plan_json(self) -> str:
        """The plan as JSON text, as ``lampyris._native`` takes it."""
        return json.dumps(self.plan, default=operator.index)

    def native_tensors(self) -> list[tuple[str, str, bytes]]:
        """The tensors as ``lampyris._native`` takes them: (name, "U8" or "U32", bytes).

        Raises:
            ValueError: an array that is not uint8 [n] or uint32 [n].
        """
        return [(name, *_stored(name, array)) for name, array in self.tensors.items()]

    def check(self) -> None:
        """Check that registers, parameters and plan agree.

        Raises:
            ValueError: the first disagreement.
        """
        from lampyris import _native

        _native.firefly.check_program(self.plan_json, self.native_tensors())

    def to_bytes(self) -> bytes:
        """The file's bytes, always the same for the same plan and tensors.

        Raises:
            ValueError: a name, type, length or plan that an image cannot have.
        """
        from lampyris import _native

        return _native.io.write_image(self.plan_json, self.native_tensors())

    def save(self, path: str | os.PathLike) -> Path:
        """Write the file, whole or not at all.

        Raises:
            ValueError: as ``to_bytes``. OSError: the file cannot be written.
        """
        return atomic_write(path, self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Image:
        """An image from a file's bytes, with every check of the file (made in C++); see ``check``.

        Raises:
            ValueError: ``weight image: <what>, expected ..., got ...``.
        """
        from lampyris import _native

        plan, tensors = _native.io.read_image(data)
        arrays = {name: np.frombuffer(content, _DTYPES[dtype]) for name, dtype, content in tensors}
        return cls(json.loads(plan), arrays)


def load(path: str | os.PathLike) -> Image:
    """Read a weight image and check it: the file, then the agreement of registers and plan.

    Raises:
        ValueError: ``weight image <path>: <what>, expected ..., got ...``. OSError: no such file.
    """
    data = Path(path).read_bytes()
    try:
        image = Image.from_bytes(data)
        image.check()
    except ValueError as error:
        reason = str(error).removeprefix("weight image").removeprefix(": ")
        raise ValueError(f"weight image {os.fspath(path)}: {reason}") from None
    return image


def _stored(name: str, array: np.ndarray) -> tuple[str, bytes]:
    for dtype, stored in _DTYPES.items():
        if array.dtype == stored and array.ndim == 1:
            return dtype, array.tobytes()
    refuse(f"tensor {name}", "uint8 [n] or uint32 [n]", f"{array.dtype} {list(array.shape)}")

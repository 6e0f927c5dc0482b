"""The weight image (contract section 6): what the exporter writes and the accelerator runs.

Files are read and written by the C++ code (``lampyris._native.io``); ``read_image`` is the
independent reader in Python, with the same verdict on every file.
"""

from __future__ import annotations

import json
import operator
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lampyris.files import atomic_write
from lampyris.firefly.canonical_json import refuse
from lampyris.firefly.image_reader import read_image
from lampyris.firefly.protected_reader import PARITY, TensorRepair

__all__ = ["Image", "ImageLayer", "RepairWarning", "describe_repairs", "load", "read_image", "scrub"]

_DTYPES = {"U8": np.dtype(np.uint8), "U32": np.dtype("<u4")}
TENSOR_CLASSES = ("weights", "bias", "registers", "host")


class RepairWarning(UserWarning):
    """A weight image was read after its wrong bits were corrected."""


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

    Attributes:
        repairs: after reading, what was found in each protected tensor.

    Example:
        >>> import numpy as np
        >>> image = Image({"target": "ems"}, {"layer.000.registers": np.array([0xFC, 1], np.uint32)})
        >>> Image.from_bytes(image.to_bytes()).layers[0].registers.tolist()
        [[252, 1]]
    """

    def __init__(self, plan: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
        self.plan: dict[str, Any] = dict(plan)
        self.tensors: dict[str, np.ndarray] = dict(tensors)
        self.repairs: list[TensorRepair] = []

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

    def protect(self, preset: str | None, **classes: str | None) -> Image:
        """Let the file carry check words that correct wrong bits; returns the image.

        Args:
            preset: "bram", "line", "page", "row" or "strong" (docs/ecc.md); None for no protection.
            classes: other presets for ``weights``, ``bias`` (and the threshold tables behind it),
                ``registers`` or ``host``.

        Raises:
            ValueError: an unknown class or preset.

        Example:
            >>> import numpy as np
            >>> image = Image({"T": 1}, {"layer.000.registers": np.array([0xFC, 1], np.uint32)})
            >>> image.protect("row", registers="strong").plan["ecc"]
            {'tensors': {'layer.000.registers': {'preset': 'strong'}}}
        """
        from lampyris import ecc

        chosen = dict.fromkeys(TENSOR_CLASSES, preset)
        for name, value in classes.items():
            if name not in chosen:
                known = ", ".join(TENSOR_CLASSES)
                raise ValueError(f"protect: class of tensors must be one of {known}, got {name}")
            chosen[name] = value
        for value in chosen.values():
            if value is not None and value not in ecc.PRESETS:
                known = ", ".join(ecc.PRESETS)
                raise ValueError(f"protect: preset must be one of {known}, got {value}")
        self.plan.pop("ecc", None)
        self.tensors.pop(PARITY, None)
        tensors = {}
        for name in self.tensors:
            kind = name.split(".")[0] if name.startswith(("host.", "ecc.")) else name.split(".")[-1]
            if chosen.get(kind) is not None:
                tensors[name] = {"preset": chosen[kind]}
        if tensors:
            self.plan["ecc"] = {"tensors": tensors}
        return self

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
    def from_bytes(cls, data: bytes, *, strict: bool = False, on_uncorrectable: str = "refuse") -> Image:
        """An image from a file's bytes, with every check of the file (made in C++); see ``check``.

        Args:
            data: the file.
            strict, on_uncorrectable: as for ``load``.

        Raises:
            ValueError: ``weight image: <what>, expected ..., got ...``.
        """
        from lampyris import _native

        plan, tensors, rows = _native.io.read_protected(data, strict, on_uncorrectable)
        arrays = {name: np.frombuffer(content, _DTYPES[dtype]) for name, dtype, content in tensors}
        image = cls(json.loads(plan), arrays)
        image.repairs = [TensorRepair(*row) for row in rows]
        return image


def load(path: str | os.PathLike, *, strict: bool = False, on_uncorrectable: str = "refuse") -> Image:
    """Read a weight image and check it: the file, then the agreement of registers and plan.

    Args:
        path: of the file.
        strict: refuse wrong bits that could be corrected.
        on_uncorrectable: what to do with a page of *weights* that has more wrong bits than its code
            corrects: "refuse", "zero_page", or "zero_weights" for those of its weights alone that are
            larger than any of their section was. Anything but weights is always refused.

    Returns:
        The image; ``repairs`` tells what was found. Warns (RepairWarning) where something was.

    Raises:
        ValueError: ``weight image <path>: <what>, expected ..., got ...``. OSError: no such file.
    """
    data = Path(path).read_bytes()
    try:
        image = Image.from_bytes(data, strict=strict, on_uncorrectable=on_uncorrectable)
        image.check()
    except ValueError as error:
        raise _with_path(path, error) from None
    if found := describe_repairs(image.repairs):
        warnings.warn(f"weight image {os.fspath(path)}: {found}", RepairWarning, stacklevel=2)
    return image


def scrub(path: str | os.PathLike) -> list[TensorRepair]:
    """Correct a weight image file in place, whole or not at all; a clean file is left alone.

    Returns:
        What was found in each protected tensor.

    Raises:
        ValueError: a file that ``load`` refuses; it stays as it is. OSError: no such file.
    """
    from lampyris import _native

    data = Path(path).read_bytes()
    try:
        repaired, rows = _native.io.repair_image(data)
    except ValueError as error:
        raise _with_path(path, error) from None
    if repaired != data:
        atomic_write(path, repaired)
    return [TensorRepair(*row) for row in rows]


def describe_repairs(repairs: Sequence[TensorRepair]) -> str:
    """One line about what was wrong, "" where nothing was.

    Example:
        >>> describe_repairs([TensorRepair("layer.000.weights", "row", 9, 2, 3)])
        'corrected 3 bits on 2 pages of layer.000.weights'
    """
    parts = []
    for row in repairs:
        if row.corrected_pages:
            bits = f"{row.corrected_bits} bit{'s' if row.corrected_bits > 1 else ''}"
            pages = f"{row.corrected_pages} page{'s' if row.corrected_pages > 1 else ''}"
            parts.append(f"corrected {bits} on {pages} of {row.tensor}")
        if row.uncorrectable_pages:
            parts.append(
                f"set {row.zeroed_weights} weights to zero on {row.uncorrectable_pages} uncorrectable "
                f"pages of {row.tensor}"
            )
    return "; ".join(parts)


def _with_path(path: str | os.PathLike, error: ValueError) -> ValueError:
    reason = str(error).removeprefix("weight image").removeprefix(": ")
    return ValueError(f"weight image {os.fspath(path)}: {reason}")


def _stored(name: str, array: np.ndarray) -> tuple[str, bytes]:
    for dtype, stored in _DTYPES.items():
        if array.dtype == stored and array.ndim == 1:
            return dtype, array.tobytes()
    refuse(f"tensor {name}", "uint8 [n] or uint32 [n]", f"{array.dtype} {list(array.shape)}")

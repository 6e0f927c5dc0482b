"""Integer arrays as the builders take them: checked for shape and range, never rounded."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from lampyris.firefly.image import Image

__all__ = ["from_native", "integers", "to_native"]


def integers(op: str, name: str, value: object, dtype: type, shape: Sequence[int | None]) -> np.ndarray:
    """``value`` as a contiguous array of ``dtype``; ``None`` in ``shape`` is any size.

    Raises:
        ValueError: not integers, another number of dimensions, or a value outside the type.

    Example:
        >>> integers("conv", "bias", [1, 2], np.int16, [None]).dtype
        dtype('int16')
    """
    array = np.asarray(value)
    letters = "[" + ", ".join("n" if size is None else str(size) for size in shape) + "]"
    if array.ndim != len(shape) or any(s not in (None, n) for s, n in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{op}: {name} must have shape {letters}, got {list(array.shape)}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{op}: {name} must hold integers, got {array.dtype}")
    limits = np.iinfo(dtype)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        bad = np.argwhere((array < limits.min) | (array > limits.max))[0]
        raise ValueError(
            f"{op}: {name} must fit {limits.dtype} [{limits.min}, {limits.max}], "
            f"got {array[tuple(bad)]} at {bad.tolist()}"
        )
    return np.ascontiguousarray(array, dtype=dtype)


def from_native(native: tuple[str, list[tuple[str, str, bytes]]]) -> Image:
    """The Image of what the C++ builders give."""
    plan, tensors = native
    kinds = {"U8": np.dtype(np.uint8), "U32": np.dtype("<u4")}
    return Image(json.loads(plan), {name: np.frombuffer(b, kinds[kind]) for name, kind, b in tensors})


def to_native(image: Image) -> tuple[str, list[tuple[str, str, bytes]]]:
    """Plan text and tensors as the C++ code takes them."""
    tensors = [
        (name, "U32" if array.dtype.itemsize == 4 else "U8", array.tobytes())
        for name, array in image.tensors.items()
    ]
    return json.dumps(image.plan), tensors

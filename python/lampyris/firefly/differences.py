"""Where two runs of an image first differ, and the operands that give one value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lampyris.firefly.arrays import to_native
from lampyris.firefly.image import Image

__all__ = ["FirstDifference", "RunComparison", "compare_runs", "explain", "first_difference"]

_ATTRIBUTES = {"stream": "streams", "spikes": "spikes", "membrane": "membranes", "accumulator": "outputs"}


@dataclass(frozen=True)
class FirstDifference:
    """The first value on which two runs differ.

    Attributes:
        layer, index: name and number in the plan; -1 is what the host computes before the first.
        quantity: "stream", "spikes", "membrane" or "accumulator"; name: of the map.
        time_step, tile, pixel, channel: where; tile counts output-channel tiles, pixel is (y, x).
        values: by run.
        operands: as `explain` gives them, of the first run.
    """

    layer: str
    index: int
    quantity: str
    name: str
    time_step: int
    tile: int
    pixel: tuple[int, int]
    channel: int
    values: dict[str, int]
    operands: dict[str, Any]
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class RunComparison:
    """Two runs side by side: number of values, how many differ, maps compared, maps that one run lacks."""

    values: int
    differing: int
    compared: list[str]
    missing: dict[str, list[str]]
    first: FirstDifference | None

    @property
    def equal(self) -> bool:
        """Whether all common maps are equal."""
        return self.differing == 0


def compare_runs(
    image: Image,
    left: Any,
    right: Any,
    *,
    names: tuple[str, str] = ("left", "right"),
    inputs: np.ndarray | None = None,
    index: int = 0,
) -> RunComparison:
    """Compare every map that both runs kept.

    Args:
        image: that the first run ran; the operands are computed from its bytes.
        left, right: a ``Result``, a ``FolderTrace``, the numpy reference's trace, or anything with
            mappings ``spikes``, ``streams``, ``membranes`` and ``outputs`` (or ``accumulators``).
        names: of the runs, in messages.
        inputs: the frame, for the operands of a host stem.
        index: which image of a run whose arrays have a batch axis [T, B, C, H, W].

    Returns:
        RunComparison; its ``first`` is by layer, then time step, tile, pixel (row-major), channel.

    Raises:
        ValueError: shapes differ, or nothing is in common.
    """
    from lampyris import _native

    loaded = _native.firefly.LoadedImage(*to_native(image))
    sides = (_finder(run, index, inputs) for run in (left, right))
    found = json.loads(_native.firefly.first_difference(loaded, *sides, *names))
    first = found["first"]
    if first is not None:
        first = FirstDifference(**{**first, "pixel": tuple(first["pixel"])})
    return RunComparison(found["values"], found["differing"], found["compared"], found["missing"], first)


def first_difference(image: Image, left: Any, right: Any, **options: Any) -> FirstDifference | None:
    """The first value on which two runs differ, or None; arguments as for `compare_runs`.

    Example:
        >>> from lampyris import firefly
        >>> def one(bias):
        ...     weight = np.ones((16, 16, 3, 3), np.int8)
        ...     layer = firefly.conv(weight, np.full(16, bias, np.int16), threshold=3)
        ...     image = firefly.build([layer], input_shape=(2, 16, 4, 4))
        ...     device = firefly.Device(trace=True)
        ...     return image, firefly.Driver(device).run(image, np.ones((2, 16, 4, 4), bool))
        >>> image, run = one(0)
        >>> first_difference(image, run, run) is None
        True
        >>> found = first_difference(image, run, one(-64)[1])
        >>> found.time_step, found.tile, found.pixel, found.channel, found.values
        (0, 0, (0, 0), 0, {'left': 1, 'right': 0})
        >>> found.operands["sum"], found.operands["neuron"]["threshold"]
        (64, 3)
    """
    return compare_runs(image, left, right, **options).first


def explain(
    image: Image,
    run: Any,
    quantity: str,
    name: str,
    *,
    time_step: int = 0,
    channel: int = 0,
    pixel: tuple[int, int] = (0, 0),
    inputs: np.ndarray | None = None,
    index: int = 0,
) -> dict[str, Any]:
    """The operands of one value: spikes x weights, bias, residual, previous membrane, threshold.

    Args:
        image: the weights come from its bytes; run: the spikes come from its maps.
        quantity: "stream", "spikes", "membrane" or "accumulator"; name: of the map.
        time_step, channel, pixel: where.
        inputs, index: as for `compare_runs`.

    Returns:
        ``products`` (those with a spike), ``tile_sums``, ``sum``, ``shift``, ``bias``, ``residual``,
        ``current``, ``neuron`` (previous, charged, threshold, fired, membrane, leak, k), ``sources``,
        ``step_sums``, ``value``: what they give, ``missing``: a map that the run lacks, ``text``: as lines.

    Raises:
        ValueError: the plan has no such map.
    """
    from lampyris import _native

    loaded = _native.firefly.LoadedImage(*to_native(image))
    finder = _finder(run, index, inputs)
    return json.loads(
        _native.firefly.explain(loaded, finder, quantity, name, time_step, channel, *map(int, pixel))
    )


def _finder(run: Any, index: int, inputs: np.ndarray | None) -> Callable[[str, str], np.ndarray | None]:
    def find(quantity: str, name: str) -> np.ndarray | None:
        if quantity == "input":
            array = getattr(run, "input", None) if inputs is None else inputs
            return None if array is None else _steps(np.asarray(array), index, timed=True)
        maps = getattr(run, _ATTRIBUTES[quantity], None)
        if maps is None and quantity == "accumulator":
            maps = getattr(run, "accumulators", None)
        if not maps or name not in maps:
            return None
        timed = quantity != "accumulator" or hasattr(run, "outputs")
        return _steps(np.asarray(maps[name]), index, timed)

    return find


def _steps(array: np.ndarray, index: int, timed: bool) -> np.ndarray:
    """[T, C, H, W] of an array that may lack T or have a batch axis."""
    if array.ndim == 5:
        array = array[:, index]
    elif array.ndim == 4 and not timed:
        array = array[index][None]
    elif array.ndim == 3:
        array = array[None]
    return np.ascontiguousarray(array, dtype=np.int32)

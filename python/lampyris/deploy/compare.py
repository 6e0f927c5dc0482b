"""Exact comparison of arrays from several implementations, and where they first differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

__all__ = ["Comparison", "Difference", "compare_arrays", "compare_counters"]


@dataclass(frozen=True)
class Difference:
    """The first differing value of one quantity of one layer; values by implementation.

    time_step, tile, pixel (y, x) and channel are None for counters; time_step is None for accumulators.
    operands: spikes x weights, bias, residual, previous membrane, threshold of that value as the image has
    them (`firefly.explain`); causes: which of them are not the model's, or whose value does not follow.
    """

    layer: str
    quantity: str
    image: int | None
    time_step: int | None
    tile: int | None
    pixel: tuple[int, int] | None
    channel: int | None
    values: dict[str, int | float]
    operands: dict[str, Any] | None = field(default=None, compare=False)
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = [
            f"{name} {value}"
            for name, value in (
                ("image", self.image),
                ("t", self.time_step),
                ("tile", self.tile),
                ("pixel (y, x)", self.pixel),
                ("channel", self.channel),
            )
            if value is not None
        ]
        values = ", ".join(f"{name} {value}" for name, value in self.values.items())
        line = f"{self.layer}: {self.quantity} differs at {', '.join(place) or 'the counter'}: {values}"
        return "; ".join((line, *self.causes))

    @property
    def explanation(self) -> str:
        """The operands as lines, "" where there are none."""
        return "" if self.operands is None else self.operands["text"].rstrip()

    def to_json(self) -> dict:
        """The fields as JSON values."""
        return asdict(self)


@dataclass
class Comparison:
    """One quantity of one layer: implementations compared, number of values, how many differ, the first."""

    layer: str
    quantity: str
    implementations: tuple[str, ...]
    values: int = 0
    differing: int = 0
    first: Difference | None = None

    def add(self, other: Comparison) -> None:
        """Add the counts of a later batch."""
        self.values += other.values
        self.differing += other.differing
        self.first = self.first or other.first


def compare_arrays(
    layer: str, quantity: str, arrays: dict[str, np.ndarray], parallelism: int, first_image: int = 0
) -> Comparison:
    """Compare arrays [T or 1, B, C, H, W], or [B, C, H, W] for accumulators, for equality of every element.

    An array with one step stands for all T. "First" is in order of image, time step, tile, pixel, channel.
    Raises ValueError when shapes differ otherwise.
    """
    timed = quantity not in ("accumulator", "readout")
    full = {name: array if timed else array[None] for name, array in arrays.items()}
    steps = max(array.shape[0] for array in full.values())
    shapes = {name: array.shape[1:] for name, array in full.items()}
    if len(set(shapes.values())) != 1 or any(array.shape[0] not in (1, steps) for array in full.values()):
        raise ValueError(
            f"verify: {quantity} of {layer} must have one shape, got {shapes}: image of another model?"
        )
    names = list(full)
    wrong = np.zeros((steps, *shapes[names[0]]), bool)
    for name in names[1:]:
        wrong |= full[names[0]] != full[name]
    result = Comparison(layer, quantity, tuple(names), wrong.size, int(np.count_nonzero(wrong)))
    if result.differing:
        t, b, c, y, x = np.nonzero(wrong)
        i = np.lexsort((c, x, y, c // parallelism, t, b))[0]
        t, b, c, y, x = (int(axis[i]) for axis in (t, b, c, y, x))
        values = {name: full[name][t if len(full[name]) > 1 else 0, b, c, y, x].item() for name in names}
        place = (first_image + b, t if timed else None, c // parallelism, (y, x), c)
        result.first = Difference(layer, quantity, *place, values)
    return result


def compare_counters(layer: str, counter: str, counts: dict[str, int]) -> Comparison:
    """Compare one counter of a layer, totalled over all images."""
    differs = len(set(counts.values())) > 1
    result = Comparison(layer, counter, tuple(counts), 1, int(differs))
    if differs:
        result.first = Difference(layer, counter, None, None, None, None, None, dict(counts))
    return result

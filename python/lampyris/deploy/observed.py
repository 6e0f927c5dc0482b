"""What one implementation computed, in one form: arrays [T or 1, B, C, H, W] by node name, and counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["QUANTITIES", "Observed", "from_device", "from_recorder", "from_trace"]

QUANTITIES = ("stream", "spikes", "membrane", "accumulator", "readout")


@dataclass
class Observed:
    """Arrays by (node name, quantity), and the counters "clamped" and "saturated" by (node name, counter)."""

    arrays: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    counters: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, quantity: str, values: dict[str, Any]) -> None:
        """Keep every array of `values` (numpy or torch) under `quantity`."""
        for name, value in values.items():
            self.arrays[name, quantity] = np.asarray(value)

    def count(self, counter: str, values: dict[str, Any]) -> None:
        """Keep every count of `values` under `counter`."""
        for name, value in values.items():
            self.counters[name, counter] = int(value)


def from_trace(trace: Any) -> Observed:
    """From the numpy reference's IntegerTrace."""
    seen = Observed()
    seen.take("stream", trace.streams)
    seen.take("spikes", trace.spikes)
    seen.take("membrane", trace.membranes)
    seen.take("accumulator", trace.accumulators)
    seen.take("readout", {name: trace.readout(name) for name in trace.accumulators})
    seen.count("clamped", trace.clamped)
    seen.count("saturated", trace.saturated)
    return seen


def from_recorder(recorder: Any) -> Observed:
    """From the exact training forward's recorder."""
    seen = Observed()
    seen.take("stream", recorder.streams)
    seen.take("spikes", recorder.spikes)
    seen.take("membrane", recorder.membranes)
    seen.take("accumulator", recorder.accumulators)
    seen.count("clamped", recorder.clamped)
    seen.count("saturated", recorder.saturated)
    return seen


def from_device(results: Iterable[Any]) -> Observed:
    """From the device's results, one per image: arrays stacked along B, counters added."""
    results = list(results)
    seen = Observed()
    for quantity, attribute, axis in (
        ("stream", "streams", 1),
        ("spikes", "spikes", 1),
        ("membrane", "membranes", 1),
        ("accumulator", "outputs", 0),
    ):
        columns = [getattr(result, attribute) for result in results]
        names = [name for name in columns[0] if isinstance(name, str)]
        seen.take(quantity, {name: np.stack([column[name] for column in columns], axis) for name in names})
    for name, quantity in list(seen.arrays):
        if quantity == "accumulator":
            seen.take("readout", {name: np.stack([result.readout(name) for result in results])})
    for counter in ("clamped", "saturated"):
        columns = [getattr(result, counter) for result in results]
        names = [name for name in columns[0] if isinstance(name, str)]
        seen.count(counter, {name: sum(int(column[name]) for column in columns) for name in names})
    return seen

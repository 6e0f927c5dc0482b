"""The result of a verification: counts, the first difference, ranges against widths, as table and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lampyris.compress.integer_network import IntegerNetwork

from .compare import Comparison, Difference

__all__ = ["VerifyReport", "layer_ranges", "signed_bits"]

WIDTHS = {
    "ems": {"P": 24, "X": 16, "V": 18, "acc": 25},
    "v1": {"P": 18, "V": 18, "acc": 25},
}
STEM_WIDTHS = {"P": 25, "X": 16}


def signed_bits(low: int, high: int) -> int:
    """Bits of the smallest two's complement number that holds low..high.

    Example:
        >>> signed_bits(-128, 127), signed_bits(0, 128)
        (8, 9)
    """
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


@dataclass
class VerifyReport:
    """What was compared and what came out.

    Attributes:
        comparisons: one per layer and quantity, in graph order.
        missing: quantities that an implementation should have given and did not.
        ranges: {layer: {quantity: {"low", "high", "bits", "width"}}}: P and X before a
            clamp, V before saturation.
        counters: {layer: {"clamped" or "saturated": count of the reference}}.
        rates: {layer: share of neurons that fired}.
    """

    target: str
    time_steps: int
    parallelism: int
    images: int = 0
    comparisons: list[Comparison] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ranges: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    observed: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def add_batch(self, trace: Any, images: int) -> None:
        """Widen ranges and firing rates by one batch of the reference."""
        for name, spikes in trace.spikes.items():
            before = self.rates.get(name, 0.0) * self.images
            self.rates[name] = (before + float(spikes.mean()) * images) / (self.images + images)
        for name, quantities in trace.ranges.items():
            known = self.observed.setdefault(name, {})
            for quantity, (low, high) in quantities.items():
                old = known.get(quantity, (low, high))
                known[quantity] = (min(low, old[0]), max(high, old[1]))
        self.images += images

    @property
    def values(self) -> int:
        """Number of values compared, counters included."""
        return sum(comparison.values for comparison in self.comparisons)

    @property
    def differences(self) -> int:
        """Number of values on which the implementations differ."""
        return sum(comparison.differing for comparison in self.comparisons)

    @property
    def first(self) -> Difference | None:
        """The first difference in graph order."""
        return next((c.first for c in self.comparisons if c.first is not None), None)

    @property
    def ok(self) -> bool:
        """Whether every value was compared and all are equal."""
        return self.values > 0 and self.differences == 0 and not self.missing

    @property
    def implementations(self) -> tuple[str, ...]:
        """Implementations that took part."""
        names = {name for comparison in self.comparisons for name in comparison.implementations}
        return tuple(name for name in ("forward", "reference", "device") if name in names)

    def summary(self) -> str:
        """One line: differences, values, images, implementations, and the first difference."""
        text = f"{self.differences} differences of {self.values} values, {self.images} images, "
        text += (" == " if self.differences == 0 else ", ").join(self.implementations)
        if self.first is not None:
            text += f"; first: {self.first}"
        if self.missing:
            text += f"; not compared: {', '.join(self.missing)}"
        return text

    def raise_if_different(self) -> VerifyReport:
        """This report. Raises ValueError with the summary when not `ok`."""
        if not self.ok:
            raise ValueError(f"verify: {self.summary()}")
        return self

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        layers: dict[str, dict[str, Any]] = {}
        for comparison in self.comparisons:
            layers.setdefault(comparison.layer, {})[comparison.quantity] = {
                "values": comparison.values,
                "differing": comparison.differing,
                "implementations": list(comparison.implementations),
                "first": None if comparison.first is None else comparison.first.to_json(),
            }
        return {
            "ok": self.ok,
            "target": self.target,
            "time_steps": self.time_steps,
            "parallelism": self.parallelism,
            "images": self.images,
            "values": self.values,
            "differences": self.differences,
            "implementations": list(self.implementations),
            "first": None if self.first is None else self.first.to_json(),
            "missing": self.missing,
            "layers": layers,
            "ranges": self.ranges,
            "counters": self.counters,
            "rates": self.rates,
        }

    def table(self):
        """A `rich` table, one row per layer."""
        from rich.table import Table

        table = Table(title=self.summary())
        table.add_column("layer", no_wrap=True)
        for name in ("values", "differing", "rate", "P bits", "X bits", "V bits", "clamped", "saturated"):
            table.add_column(name, justify="right")
        rows: dict[str, list[Comparison]] = {}
        for comparison in self.comparisons:
            rows.setdefault(comparison.layer, []).append(comparison)
        for layer, parts in rows.items():
            differing = sum(part.differing for part in parts)
            rate = f"{self.rates[layer]:.3f}" if layer in self.rates else ""
            bits = [self._bits(layer, quantity) for quantity in (("acc", "P"), ("X",), ("V",))]
            counts = [str(self.counters.get(layer, {}).get(name, "")) for name in ("clamped", "saturated")]
            style = "red" if differing else None
            table.add_row(
                layer, str(sum(p.values for p in parts)), str(differing), rate, *bits, *counts, style=style
            )
        return table

    def _bits(self, layer: str, quantities: tuple[str, ...]) -> str:
        for quantity in quantities:
            entry = self.ranges.get(layer, {}).get(quantity)
            if entry is not None:
                return f"{entry['bits']} of {entry['width']}"
        return ""


def layer_ranges(network: IntegerNetwork, report: VerifyReport) -> dict[str, dict[str, dict[str, int]]]:
    """Ranges seen, the bits they need and the bits the target has."""
    result: dict[str, dict[str, dict[str, int]]] = {}
    for name, quantities in report.observed.items():
        widths = STEM_WIDTHS if network.node(name).op == "stem" else WIDTHS[network.target]
        result[name] = {
            quantity: {"low": low, "high": high, "bits": signed_bits(low, high), "width": widths[quantity]}
            for quantity, (low, high) in quantities.items()
            if quantity in widths
        }
    return result

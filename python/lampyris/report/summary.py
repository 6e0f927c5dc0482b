"""The table that ends a run: one row per stage of a network, and what the boards make of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["BoardRow", "StageRow", "Summary"]


@dataclass(frozen=True)
class StageRow:
    """One network: float, quantized, fine-tuned or pruned.

    ``bytes`` are those of the parameters (float32, or int8 weights with int16 biases; pruned ones
    with one presence bit per weight), ``rate`` spikes per neuron and step, ``operations`` additions
    per image over all T steps, ``image_bytes`` the size of the weight image (None without one).
    """

    name: str
    time_steps: int
    ap: float
    ap50: float
    bytes: int
    rate: float
    operations: float
    image_bytes: int | None = None


@dataclass(frozen=True)
class BoardRow:
    """What one board preset makes of an image: cycles per frame, frames/s at its clock, and the two
    largest causes of cycles."""

    network: str
    preset: str
    parallelism: int
    cores: int
    cycles: int
    frames_per_second: float
    mostly: str

    @classmethod
    def of(cls, network: str, timing) -> BoardRow:
        """The row of a ``firefly.Timing``."""
        causes = {
            name: timing.total[name]
            for name in ("compute", "reload", "flush", "stall", "bias", "fill", "latency")
        }
        first = sorted(causes, key=causes.get, reverse=True)[:2]
        mostly = ", ".join(f"{name} {causes[name] / timing.total['total']:.0%}" for name in first)
        return cls(
            network,
            timing.preset,
            timing.parallelism,
            timing.cores,
            timing.total["total"],
            timing.frames_per_second,
            mostly,
        )


@dataclass
class Summary:
    """Figures of one run; ``print()`` draws the table, ``to_json()`` keeps everything."""

    title: str
    stages: list[StageRow] = field(default_factory=list)
    boards: list[BoardRow] = field(default_factory=list)
    verification: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "stages": [asdict(row) for row in self.stages],
            "boards": [asdict(row) for row in self.boards],
            "proofs": self.verification,
            "notes": self.notes,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            **self.details,
        }

    def print(self, screen=None) -> None:
        from rich.table import Table

        from lampyris.console import console

        screen = screen or console()

        table = Table(title=self.title, title_justify="left")
        for name in ("network", "T", "AP", "AP50", "params", "image", "rate", "synops"):
            table.add_column(name, justify="left" if name == "network" else "right", no_wrap=True)
        for row in self.stages:
            table.add_row(
                row.name,
                str(row.time_steps),
                f"{row.ap:.3f}",
                f"{row.ap50:.3f}",
                _bytes(row.bytes),
                "-" if row.image_bytes is None else _bytes(row.image_bytes),
                f"{100 * row.rate:.1f} %",
                f"{row.operations / 1e6:.2f} M",
            )
        screen.print(table)
        if self.stages:
            screen.print(
                "rate: spikes per neuron and step; synops: additions per input over all T steps; "
                "params: float32, int8, or int8 with a presence bitmap",
                style="dim",
            )
        if self.boards:
            presets = list(dict.fromkeys((row.preset, row.parallelism, row.cores) for row in self.boards))
            boards = Table(
                title="FireFly boards: cycles per frame from structure, 300 MHz", title_justify="left"
            )
            boards.add_column("network")
            for preset, parallelism, cores in presets:
                boards.add_column(f"{preset}, P {parallelism} x {cores}", justify="right")
            for network in dict.fromkeys(row.network for row in self.boards):
                cells = [
                    f"{r.cycles:,}: {r.frames_per_second:,.0f}/s" for r in self.boards if r.network == network
                ]
                boards.add_row(network, *cells)
            screen.print(boards)
        for line in (*self.verification, *self.notes):
            screen.print(line, highlight=False)


def _bytes(count: int) -> str:
    return f"{count / 1024:,.0f} KiB"

"""Cycles of an image from the structure of the machine, per layer and board preset."""

from __future__ import annotations

from dataclasses import dataclass

from lampyris.firefly.arrays import to_native
from lampyris.firefly.config import Config
from lampyris.firefly.image import Image

__all__ = ["LayerTiming", "Timing", "timing"]

_COLUMNS = (
    *("compute", "reload", "flush", "bias", "fill", "latency", "stall", "total"),
    *("weights", "input", "residual", "output"),
)


@dataclass(frozen=True)
class LayerTiming:
    """One layer. ``cycles`` by cause, ``total`` = compute + reload (idle while weights refill) + flush
    (line buffer) + bias + fill (first weights) + latency (pipeline) + stall (sum of stall_weights,
    stall_input, stall_residual, stall_output, stall_memory). Side by side with these run weights, input,
    residual, output (DMA beats) and memory (all bytes at the DDR cap). bytes, weight_bytes and dense_ops
    are counts."""

    name: str
    op: str
    commands: int
    cycles: dict[str, int]


@dataclass(frozen=True)
class Timing:
    """Table of one image on one board; ``print`` shows it.

    Attributes:
        preset, parallelism, cores, clock_hz, weight_bus_bytes: the machine.
        watts: published power of the programmable logic, 0 where none is.
        layers: list of LayerTiming; total: their sum.
        frames_per_second, operations_per_second (2 per multiply-accumulate of the dense network),
        peak_operations_per_second (2 f M N).
    """

    preset: str
    parallelism: int
    cores: int
    clock_hz: float
    watts: float
    weight_bus_bytes: int
    layers: list[LayerTiming]
    total: dict[str, int]
    frames_per_second: float
    operations_per_second: float
    peak_operations_per_second: float

    @property
    def utilisation(self) -> float:
        """Dense operations per second over the peak."""
        return self.operations_per_second / self.peak_operations_per_second

    @property
    def energy_per_frame(self) -> float | None:
        """Joules of the programmable logic: the *published* power of the board times the time of a
        frame on all cores; None where no power is published."""
        return self.watts / self.frames_per_second if self.watts and self.frames_per_second else None

    def __str__(self) -> str:
        width = max([len("layer"), *(len(layer.name) for layer in self.layers)])
        head = f"{'layer':{width}} {'op':8}" + "".join(f"{name:>10}" for name in _COLUMNS)
        rows = [
            f"{layer.name:{width}} {layer.op:8}" + "".join(f"{layer.cycles[c]:10}" for c in _COLUMNS)
            for layer in self.layers
        ]
        rows.append(f"{'total':{width}} {'':8}" + "".join(f"{self.total[c]:10}" for c in _COLUMNS))
        rows.append(
            f"{self.preset}: P = {self.parallelism}, {self.weight_bus_bytes * 8}-bit weight bus, "
            f"{self.clock_hz / 1e6:.0f} MHz, {self.cores} core{'s' * (self.cores > 1)}: "
            f"{self.frames_per_second:.1f} frames/s, {self.operations_per_second / 1e9:.1f} of "
            f"{self.peak_operations_per_second / 1e9:.1f} GOP/s ({100 * self.utilisation:.1f} %), "
            f"{self.total['bytes'] / 1e6:.2f} MB a frame"
        )
        if self.energy_per_frame is not None:
            rows.append(
                f"{1e3 * self.energy_per_frame:.3f} mJ a frame at the published {self.watts} W "
                "of the programmable logic"
            )
        causes = {name: count for name, count in self.total.items() if name.startswith("stall_") and count}
        if causes:
            waits = ", ".join(f"{name.removeprefix('stall_')} {count}" for name, count in causes.items())
            rows.append(f"stalls: {waits}")
        return "\n".join([head, *rows])


def timing(image: Image, preset: str | Config | None = None) -> Timing:
    """Cycles of every layer from its registers.

    Args:
        image: any image; P is the image's.
        preset: "ultra96", "zcu104" or "kv260", or a ``Config``; None is the image's own.

    Raises:
        ValueError: no such preset, or a ``Config`` with another P.

    Example:
        >>> from lampyris import firefly
        >>> program = firefly.Program(time_steps=1)
        >>> x = program.input("x", channels=16, height=4, width=4)
        >>> s = program.neuron("s", x, threshold=0)
        >>> timing(program.build(), "ultra96").total["compute"]
        16
    """
    from lampyris import _native

    config = preset.to_json() if isinstance(preset, Config) else ""
    table = _native.firefly.timing(*to_native(image), "" if config else preset or "", config)
    layers = [LayerTiming(**row) for row in table.pop("layers")]
    return Timing(layers=layers, **table)

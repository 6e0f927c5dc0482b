"""Slices and memory blocks of a build, from depth times width, beside the published ones."""

from __future__ import annotations

from dataclasses import dataclass

from lampyris.firefly.config import Config

__all__ = ["Board", "Ram", "Resources", "resources"]


@dataclass(frozen=True)
class Ram:
    """One memory of a core: ``copies`` of ``depth`` words of ``width`` bits in ``kind`` (lut, block or
    ultra); ``blocks`` of 36 Kb (halves count 0.5) or ultra RAMs."""

    name: str
    depth: int
    width: int
    copies: int
    kind: str
    bits: int
    blocks: float


@dataclass(frozen=True)
class Board:
    """A part, what its published build used (all cores) and the published power; 0 where nothing is."""

    part: str
    dsp: int
    block_rams: int
    ultra_rams: int
    kilo_luts: int
    used_dsp: int
    used_block_rams: int
    used_ultra_rams: int
    used_kilo_luts: int
    published_watts: float
    published_soc_watts: float


@dataclass(frozen=True)
class Resources:
    """What one build needs. ``dsp``, ``block_rams`` (36 Kb), ``ultra_rams`` and ``bits`` count all cores.

    ``print`` shows the memories of one core and the sums beside the published build."""

    config: Config
    extension: bool
    board: Board
    memories: list[Ram]
    dsp: int
    block_rams: int
    ultra_rams: int
    bits: int
    peak_operations_per_second: float

    @property
    def operations_per_dsp(self) -> float:
        """Peak operations per second of one slice."""
        return self.peak_operations_per_second / self.dsp

    @property
    def fits(self) -> bool:
        """Slices and memories within the part."""
        b = self.board
        return self.dsp <= b.dsp and self.block_rams <= b.block_rams and self.ultra_rams <= b.ultra_rams

    def __str__(self) -> str:
        lines = [f"{'memory of one core':24}{'depth':>7}{'bits':>7}{'copies':>8}{'kind':>8}{'blocks':>8}"]
        lines += [
            f"{m.name:24}{m.depth:7}{m.width:7}{m.copies:8}{m.kind:>8}{m.blocks:8g}" for m in self.memories
        ]
        b, c = self.board, self.config
        target = "with the extension" if self.extension else "released block"
        lines += [
            f"{c.preset} ({b.part}), P = {c.parallelism} x {c.cores}, {target}",
            f"DSP {self.dsp} of {b.dsp} (published {b.used_dsp}); block RAM {self.block_rams} of "
            f"{b.block_rams} (published {b.used_block_rams}); ultra RAM {self.ultra_rams} of "
            f"{b.ultra_rams} (published {b.used_ultra_rams})",
            f"{self.bits / 8192:.0f} KiB; {self.operations_per_dsp / 1e9:.1f} GOP/s a DSP at the peak",
        ]
        return "\n".join(lines)


def resources(build: str | Config, extension: bool = False) -> Resources:
    """Slices and memory blocks of a preset or a ``Config``.

    Args:
        build: "ultra96", "zcu104", "kv260" or a ``Config``.
        extension: with the buffers of target ``ems``.

    Raises:
        ValueError: no such preset.

    Example:
        >>> board = resources("zcu104")
        >>> board.dsp, board.ultra_rams, board.board.used_ultra_rams
        (1152, 40, 40)
    """
    from lampyris import _native

    config = build if isinstance(build, Config) else Config.preset_of(build)
    table = _native.firefly.resources(config.to_json(), extension)
    memories = [Ram(**row) for row in table.pop("memories")]
    return Resources(
        config=config, extension=extension, board=Board(**table.pop("board")), memories=memories, **table
    )

"""Sizes of one FireFly build: presets of the boards, and any other."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

__all__ = ["PRESETS", "Config"]

PRESETS = ("ultra96", "zcu104", "kv260")


@dataclass(frozen=True)
class Config:
    """Array, buffers and buses of one build; ``Config.preset_of("ultra96")`` is a board's.

    Limits (widest row, largest map, input channels), cycles, bytes and memory blocks follow from
    these numbers. Arithmetic widths are not among them: the contract fixes those.

    Attributes:
        preset: board the other values come from.
        parallelism: P, 16 or 32; clock_hz; cores: 1 to 8, sharing the DDR.
        datapath: "functional" (counted as the tree), "cascade" or "tree".
        reload: "bubble", the released source, P + 1 idle cycles a tile; "skid", the paper's second
            set of weight registers.
        line_depth, psum_depth (pixels), bias_depth (output tiles), weight_depth (words of 9 P
            weights), array_fifo, output_fifo: depths.
        weight_bus_bytes, spike_bus_bytes, stream_bus_bytes, ddr_bytes_per_cycle: widths.
        burst_beats, transfer_bits, output_transfer_bits: the DataMovers.
        watts: published power of the programmable logic, 0 where none is.

    Raises:
        ValueError: a size out of range; all of them are listed.

    Example:
        >>> board = Config.preset_of("ultra96")
        >>> board.weight_bus_bytes, board.psum_depth
        (8, 4096)
        >>> board.change(weight_bus_bytes=16).weight_bus_bytes
        16
    """

    preset: str
    parallelism: int
    datapath: str
    reload: str
    cores: int
    line_depth: int
    bias_depth: int
    weight_depth: int
    psum_depth: int
    array_fifo: int
    output_fifo: int
    weight_bus_bytes: int
    spike_bus_bytes: int
    stream_bus_bytes: int
    burst_beats: int
    transfer_bits: int
    output_transfer_bits: int
    clock_hz: float
    ddr_bytes_per_cycle: float
    watts: float

    @classmethod
    def preset_of(cls, preset: str, **changes: Any) -> Config:
        """A board's build with some members changed; the weight bus follows ``parallelism``."""
        return cls.from_json(json.dumps({"preset": preset, **changes}))

    @classmethod
    def from_json(cls, text: str) -> Config:
        """From a JSON object with ``preset`` and any other member; the rest is the preset's.

        Raises:
            ValueError: not an object, no such member, or a size out of range.
        """
        from lampyris import _native

        return cls(**json.loads(_native.firefly.complete_config(text)))

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """From a file, the one that ``firefly-sim --config`` reads."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))

    def to_json(self) -> str:
        """All members; ``from_json`` gives the same back."""
        return json.dumps(asdict(self), indent=1)

    def change(self, **changes: Any) -> Config:
        """A copy with some members changed, checked."""
        unknown = set(changes) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f"config: members must exist, got {sorted(unknown)}")
        return Config.from_json(replace(self, **changes).to_json())

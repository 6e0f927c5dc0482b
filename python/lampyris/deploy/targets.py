"""The two accelerator targets as tables (docs/contract.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TARGETS", "Target", "target_table"]

MAX_TRANSFER = 2**23 - 1
"""Bytes of one DataMover command; on the Ultra96 an output command has 16 bits."""
ULTRA96_OUTPUT_TRANSFER = 2**16 - 1
SPIKE_ALIGNMENT = 4
"""Bytes: the spike DataMovers cannot realign."""


@dataclass(frozen=True)
class Target:
    """What one accelerator can run.

    Attributes:
        kernels: {kernel size: padding that keeps the map} of device convolutions.
        strides, shifts: of device convolutions.
        leaks: neuron leaks; exponents: k of leak `before`.
        weight_min: smallest int8 weight taken.
        max_width, max_height, max_pixels: of a map; None is no limit.
        max_fan_in: Cin Kh Kw, times T where a layer accumulates over T; None is no limit.
        max_channels, max_tiles, max_steps, max_tile_steps: Cin, tiles of P channels, T, tiles x T.
        max_transfer: bytes of one transfer; None where transfers are split.
        streams: whether currents are stored (residuals, pooling, concatenation, thresholds per channel).
    """

    name: str
    kernels: dict[int, int]
    strides: tuple[int, ...]
    shifts: tuple[int, ...]
    leaks: tuple[str, ...]
    exponents: tuple[int, ...]
    weight_min: int
    max_width: int
    max_height: int
    max_pixels: int | None
    max_fan_in: int | None
    max_channels: int | None
    max_tiles: int
    max_steps: int
    max_tile_steps: int | None
    max_transfer: int | None
    streams: bool


TARGETS: dict[str, Target] = {
    "v1": Target(
        name="v1",
        kernels={3: 1},
        strides=(1,),
        shifts=(0,),
        leaks=("none", "half_after"),
        exponents=(),
        weight_min=-128,
        max_width=512,
        max_height=512,
        max_pixels=4096,
        max_fan_in=None,
        max_channels=1024,
        max_tiles=256,
        max_steps=256,
        max_tile_steps=4096,
        max_transfer=MAX_TRANSFER,
        streams=False,
    ),
    "ems": Target(
        name="ems",
        kernels={1: 0, 3: 1},
        strides=(1, 2),
        shifts=(0, 1, 2, 3, 4),
        leaks=("none", "half_after", "before"),
        exponents=(1, 2, 3, 4),
        weight_min=-127,
        max_width=512,
        max_height=65536,
        max_pixels=None,
        max_fan_in=65000,
        max_channels=None,
        max_tiles=4096,
        max_steps=256,
        max_tile_steps=None,
        max_transfer=None,
        streams=True,
    ),
}


def target_table(target: str) -> Target:
    """The table of `target`. Raises ValueError for an unknown name.

    Example:
        >>> target_table("v1").strides
        (1,)
    """
    if target not in TARGETS:
        raise ValueError(f"deploy: target must be one of {', '.join(TARGETS)}, got {target!r}")
    return TARGETS[target]

"""Layer tables of the detectors: numbers only."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COCO_ANCHORS", "FAMILIES", "RESNETS", "Family", "Resnet"]


@dataclass(frozen=True)
class Family:
    """A chain of blocks with one output scale.

    Attributes:
        stem: channels after the stem (3 x 3, stride 2).
        blocks: (kind, channels) in order; kinds are the keys of `BLOCKS`.
        hidden: channels of the head's LCB, or None.
        decay, gain: of all neurons.
        in_channels, input_exponent: of the input, unless given.
    """

    stem: int
    blocks: tuple[tuple[str, int], ...]
    hidden: int | None
    decay: float = 0.25
    gain: float = 1.0
    in_channels: int = 3
    input_exponent: int = 8


FAMILIES: dict[str, Family] = {
    "tiny": Family(16, (("ems1", 32), ("ems2", 96), ("ms", 96)), 96),
    "tiny_events": Family(16, (("ems1", 32), ("ems2", 64), ("ms", 64)), 64, in_channels=2, input_exponent=0),
    "v1": Family(16, (("plain", 32), ("pool", 64), ("pool", 96), ("plain", 96)), None, decay=1.0),
}
"""tiny: all-spike EMS-YOLO at one scale. tiny_events: the same, narrower, for 2-polarity counts. v1: 3 x 3
stride-1 integrate-and-fire layers with OR pooling, which the released FireFly accelerator runs."""


@dataclass(frozen=True)
class Resnet:
    """A stem, four stages at strides 4, 8, 16 and 32, and a head of blocks at several scales.

    Kinds of blocks: "ems1", "ems2"; "ms1" is "ems1" whose shortcut has no neuron in the released code;
    "silu" is a 3 x 3 convolution, in the released code of currents and with SiLU behind it.

    Attributes:
        stem, kernel: channels and kernel size of the stem (stride 2).
        stages: (kind of the first block, its channels, number of blocks); the others are MS blocks.
        squeeze: channels between a block's convolutions over its output channels.
        top: kind of the head's first block, on the coarsest map.
        top_hidden: channels between its convolutions.
        lateral: kind of the 1 x 1 blocks before up-sampling.
        coarse, fine: kinds of the blocks before the coarsest output and before the others.
    """

    stem: int
    kernel: int
    stages: tuple[tuple[str, int, int], ...]
    squeeze: float
    top: str
    top_hidden: int
    lateral: str
    coarse: str
    fine: str


def _stages(counts: tuple[int, int, int, int], *kinds: str) -> tuple[tuple[str, int, int], ...]:
    return tuple(zip(kinds, (64, 128, 256, 512), counts, strict=True))


_E1, _E2 = "ems1", "ems2"
_WIDE_34 = (3, 4, 6, 3)


def _lite(*counts: int) -> Resnet:
    return Resnet(32, 3, _stages(counts, _E2, _E2, _E2, _E2), 0.5, "ms1", 128, "ms1", "ems2", "ms1")


RESNETS: dict[tuple[str, int, str | None], Resnet] = {
    ("wide", 10, None): Resnet(64, 7, _stages((1, 1, 1, 1), _E1, _E2, _E2, _E2), 1, _E1, 1024, _E1, _E1, _E1),
    ("wide", 18, None): Resnet(
        64, 7, _stages((2, 2, 2, 2), _E1, _E1, _E1, _E1), 1, _E1, 256, _E1, "silu", "silu"
    ),
    ("wide", 34, None): Resnet(64, 7, _stages(_WIDE_34, _E1, _E1, _E1, _E1), 1, _E1, 1024, _E1, _E1, _E1),
    ("wide", 34, "cat"): Resnet(
        64, 7, _stages(_WIDE_34, _E1, _E2, _E2, _E2), 1, _E1, 256, _E1, "silu", "silu"
    ),
    ("lite", 10, None): _lite(1, 1, 1, 1),
    ("lite", 18, None): _lite(2, 2, 2, 2),
    ("lite", 34, None): _lite(*_WIDE_34),
}
"""(family, depth, variant): the tables of the released files ``resnet10``, ``resnet18``, ``resnet34``,
``resnet34-cat``, ``res10-ee``, ``res18-ee``, and ``res34-ee``, which was not shipped."""

COCO_ANCHORS = (
    ((10, 14), (23, 27), (37, 58)),
    ((81, 82), (135, 169), (344, 319)),
)
"""Width and height in pixels at strides 16 and 32, as released for COCO; Gen1 differs in the last pair."""

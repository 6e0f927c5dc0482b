"""EMS-YOLO and the plain detectors for the released accelerator: one table per family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lampyris import nn

__all__ = ["FAMILIES", "EmsYolo", "Family", "ems_yolo"]


@dataclass(frozen=True)
class Family:
    """One detector family.

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

BLOCKS: dict[str, tuple[Callable[..., torch.nn.Module], int]] = {
    "ems1": (nn.EMSBlock1, 2),
    "ems2": (nn.EMSBlock2, 2),
    "ms": (lambda cin, cout, neuron: nn.MSBlock(cout, neuron), 1),
    "plain": (nn.LCB, 1),
    "pool": (partial(nn.LCB, pool=True), 2),
}
"""Block makers (cin, cout, neuron=...) and their stride."""

STEM_STRIDE = 2


class EmsYolo(torch.nn.Module):
    """A stem, a chain of blocks and a detection head at one scale.

    Attributes:
        stride: pixels per output cell.
        num_classes, in_channels: of output and input.
        options: the arguments that rebuild the model with `ems_yolo`.
    """

    def __init__(
        self,
        table: Family,
        num_classes: int,
        in_channels: int,
        time_steps: int,
        input_exponent: int,
    ) -> None:
        super().__init__()
        neuron = partial(nn.LIF, table.decay, gain=table.gain)
        self.stem = nn.Stem(in_channels, table.stem, time_steps=time_steps, input_exponent=input_exponent)
        self.stride = STEM_STRIDE
        self.num_classes = num_classes
        self.in_channels = in_channels
        blocks: list[torch.nn.Module] = []
        channels = table.stem
        for kind, width in table.blocks:
            make, stride = BLOCKS[kind]
            blocks.append(make(channels, width, neuron=neuron))
            self.stride *= stride
            channels = width
        self.blocks = torch.nn.Sequential(*blocks)
        self.head = nn.DetectionHead(channels, table.hidden, num_classes, neuron)
        self.options: dict[str, Any] = {}

    @property
    def time_steps(self) -> int:
        """T that still images are run for; change it with `lampyris.nn.set_time_steps`."""
        return self.stem.time_steps

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, C, H, W] or [T, B, C, H, W] -> prediction map [B, 4 + num_classes, H/s, W/s]."""
        return self.head(self.blocks(self.stem(images)))


def ems_yolo(
    num_classes: int = 10,
    family: str = "tiny",
    in_channels: int | None = None,
    time_steps: int = 4,
    image_size: int | None = None,
    input_exponent: int | None = None,
    decay: float | None = None,
    gain: float | None = None,
) -> EmsYolo:
    """Build a detector of one family with fresh weights (Kaiming normal, fan-out; the output small).

    Args:
        num_classes: number of classes.
        family: a key of `FAMILIES`.
        in_channels: image channels; None takes the family's.
        time_steps: T.
        image_size: height and width in pixels, checked against the stride; None checks nothing.
        input_exponent: p of the real value ``pixel * 2^-p``; None takes the family's.
        decay, gain: of all neurons, None for the family's; ``v1`` with 0.5 and 0.5 is the accelerator's
            ``half_after`` leak.

    Returns:
        A module from uint8 images to the prediction map [B, 4 + num_classes, H/8, W/8].

    Raises:
        ValueError: an unknown family, or an argument out of range.

    Example:
        >>> import torch
        >>> model = ems_yolo(num_classes=10, family="tiny", time_steps=4)
        >>> sum(p.numel() for p in model.parameters())
        378910
        >>> model(torch.zeros(1, 3, 80, 80, dtype=torch.uint8)).shape
        torch.Size([1, 14, 10, 10])
    """
    options = dict(locals())
    if family not in FAMILIES:
        raise ValueError(f"ems_yolo: family must be one of {', '.join(FAMILIES)}, got {family!r}")
    for name in ("num_classes", "time_steps"):
        if options[name] < 1:
            raise ValueError(f"ems_yolo: {name} must be >= 1, got {options[name]}")
    table = FAMILIES[family]
    changed = {name: options[name] for name in ("decay", "gain") if options[name] is not None}
    table = Family(**{**table.__dict__, **changed})
    model = EmsYolo(
        table,
        num_classes,
        table.in_channels if in_channels is None else in_channels,
        time_steps,
        table.input_exponent if input_exponent is None else input_exponent,
    )
    if image_size is not None and image_size % model.stride:
        raise ValueError(f"ems_yolo: image_size must be a multiple of {model.stride}, got {image_size}")
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module is not model.head.out:
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    model.options = options
    return model.to(memory_format=torch.channels_last)

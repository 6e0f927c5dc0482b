"""Blocks of the residual detectors by kind, style and release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lampyris import nn

__all__ = ["BLOCK_STYLES", "BlockMaker"]

BLOCK_STYLES = ("ems", "sew", "ms", "plain")


@dataclass(frozen=True)
class BlockMaker:
    """Makes the blocks of one network.

    Attributes:
        neuron: makes a neuron layer.
        decay: of the SiLU layers.
        style: "ems" follows the table; "ms", "sew" and "plain" put theirs in place of every EMS block.
        order: of EMS-Block2, "paper" or "released".
        full_spike: a neuron before every convolution.
        squeeze: hidden channels over output channels.
    """

    neuron: Callable[[], torch.nn.Module]
    decay: float
    style: str
    order: str
    full_spike: bool
    squeeze: float

    def __call__(
        self, kind: str, cin: int, cout: int, stride: int = 1, kernel_size: int = 3, hidden: int | None = None
    ) -> torch.nn.Module:
        """The block ``kind`` of `Resnet`; the identity shortcut where neither shape nor channels change."""
        if kind == "silu":
            if self.full_spike:
                return nn.LCB(cin, cout, kernel_size, neuron=self.neuron)
            return nn.SiLUConv(cin, cout, kernel_size, self.decay)
        hidden = hidden or int(cout * self.squeeze)
        options = {"neuron": self.neuron, "kernel_size": kernel_size, "hidden": hidden}
        if self.style == "sew":
            return nn.SEWBlock(cin, cout, stride, **options)
        if self.style == "plain":
            return nn.PlainBlock(cin, cout, stride, **options)
        if cin == cout and stride == 1:
            return nn.MSBlock(cout, **options)
        if self.style == "ms":
            return nn.EMSBlock1(cin, cout, stride, spiking_shortcut=False, **options)
        if kind == "ems2":
            return nn.EMSBlock2(cin, cout, stride, self.order, **options)
        spiking = kind == "ems1" or self.full_spike
        return nn.EMSBlock1(cin, cout, stride, spiking_shortcut=spiking, **options)

"""The anchor-free detection head."""

from __future__ import annotations

import torch
from torch import Tensor

from .blocks import LCB, Neuron
from .conv import Conv2d
from .maps import TimeMean
from .membrane import LastMembrane
from .neuron import LIF

__all__ = ["DetectionHead", "read_out"]

BOX_OUTPUTS = 4
CLASS_BIAS = -4.0
"""Initial class logit: a score of 0.018, about the share of cells that hold an object."""

OUTPUT_STD = 0.05
"""Initial weights of the output: boxes start near the cells, which later training depends on."""


def read_out(readout: str) -> torch.nn.Module:
    """The layer that ends an output: "mean" over T, or "last" membrane (decay 0.25, never reset).

    Raises:
        ValueError: another word.
    """
    if readout not in ("mean", "last"):
        raise ValueError(f"read_out: readout must be 'mean' or 'last', got {readout!r}")
    return TimeMean() if readout == "mean" else LastMembrane()


class DetectionHead(torch.nn.Module):
    """Optional LCB 3 x 3, then LIF, a 1 x 1 convolution with bias, and the read-out over T.

    Output channels: 4 box values (`lampyris.tasks.detection.decode` explains them), then one logit per class.

    Args:
        cin: channels of x.
        hidden: channels of the LCB; None leaves it out.
        num_classes: number of classes.
        neuron: makes the neuron layers.
        readout: as in `read_out`.

    Example:
        >>> import torch
        >>> DetectionHead(96, 96, 10)(torch.zeros(4, 2, 96, 10, 10)).shape
        torch.Size([2, 14, 10, 10])
    """

    def __init__(
        self, cin: int, hidden: int | None, num_classes: int, neuron: Neuron = LIF, readout: str = "mean"
    ) -> None:
        super().__init__()
        self.hidden = None if hidden is None else LCB(cin, hidden, neuron=neuron)
        self.lif = neuron()
        self.out = Conv2d(hidden or cin, BOX_OUTPUTS + num_classes, 1, bias=True)
        self.mean = read_out(readout)
        torch.nn.init.normal_(self.out.weight, std=OUTPUT_STD)
        with torch.no_grad():
            self.out.bias.zero_()
            self.out.bias[BOX_OUTPUTS:] = CLASS_BIAS

    def forward(self, x: Tensor) -> Tensor:
        """Currents [T, B, C, H, W] -> prediction map [B, 4 + num_classes, H, W]."""
        if self.hidden is not None:
            x = self.hidden(x)
        return self.mean(self.out(self.lif(x)))

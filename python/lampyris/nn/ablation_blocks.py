"""Residual blocks that EMS is compared with: spike-element-wise sums, and no shortcut at all.

The MS block with a changing shape is `EMSBlock1(..., spiking_shortcut=False)`.
Source: Fang et al., "Deep Residual Learning in Spiking Neural Networks" (SEW), NeurIPS 2021; Hu et al.,
"Advancing Spiking Neural Networks towards Deep Residual Learning" (MS), 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .blocks import Neuron, branch, projection
from .conv import Conv2d
from .fused import run_branch, takes_fused_path
from .neuron import LIF
from .norm import TDBatchNorm2d

__all__ = ["PlainBlock", "SEWBlock"]

GAMMA = 0.5
"""Initial weight of a norm whose output a neuron of threshold 0.5 reads alone."""


class PlainBlock(torch.nn.Module):
    """Two LCB without a shortcut: [T, B, C_in, H, W] -> [T, B, C_out, H/s, W/s].

    Args:
        cin, cout, stride: as in `EMSBlock1`.
        neuron, fused, kernel_size, hidden: likewise.

    Example:
        >>> import torch
        >>> PlainBlock(8, 16)(torch.zeros(4, 1, 8, 6, 6)).shape
        torch.Size([4, 1, 16, 3, 3])
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        stride: int = 2,
        neuron: Neuron = LIF,
        fused: bool = True,
        kernel_size: int = 3,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.fused = fused
        self.branch = branch(cin, cout, stride, neuron, fused, kernel_size, hidden, gamma=GAMMA)

    def forward(self, x: Tensor) -> Tensor:
        if takes_fused_path(self):
            return run_branch(self.branch, x, None)
        return self.branch(x)


class SEWBlock(torch.nn.Module):
    """(Convolution, norm, neuron) twice beside the identity or a 1 x 1 convolution and norm.

    The sum is of *spikes*: [T, B, C_in, H, W] -> [T, B, C_out, H/s, W/s] holds 0, 1, 2, ... after identities,
    and real values after a projection. The next convolution therefore multiplies numbers, which no FireFly
    target does; for comparisons.

    Args:
        cin, cout, stride: as in `EMSBlock1`.
        neuron, kernel_size, hidden: likewise.

    Example:
        >>> import torch
        >>> SEWBlock(8, 16)(torch.zeros(4, 1, 8, 6, 6)).shape
        torch.Size([4, 1, 16, 3, 3])
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        stride: int = 2,
        neuron: Neuron = LIF,
        kernel_size: int = 3,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden or cout
        self.branch = torch.nn.Sequential(
            Conv2d(cin, hidden, kernel_size, stride),
            TDBatchNorm2d(hidden),
            neuron(),
            Conv2d(hidden, cout, kernel_size),
            TDBatchNorm2d(cout),
            neuron(),
        )
        same = cin == cout and stride == 1
        self.shortcut = torch.nn.Identity() if same else projection(cin, cout, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)

"""Residual blocks of EMS-YOLO: every convolution reads spikes, every sum adds currents.

Source: Su et al., "Deep Directly-Trained Spiking Neural Networks for Object Detection", ICCV 2023, figure 4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .conv import Conv2d
from .fused import run_branch, run_lcb, takes_fused_path
from .maps import Concat, MaxPool2d
from .neuron import LIF
from .norm import TDBatchNorm2d

__all__ = ["LCB", "EMSBlock1", "EMSBlock2", "MSBlock", "branch", "projection"]

BRANCH_GAMMA = 0.1
"""Initial weight of a residual branch's last norm, 0.2 x threshold: blocks start near their shortcut."""

Neuron = Callable[[], torch.nn.Module]


class LCB(torch.nn.Module):
    """LIF, convolution, norm: currents [T, B, C_in, H, W] -> currents [T, B, C_out, H', W'].

    Args:
        cin, cout, kernel_size, stride: of the convolution.
        gamma: initial weight of the norm.
        neuron: makes the neuron layer.
        pool: OR-pool the spikes 2 x 2 before the convolution.
        fused: run through fused operators when `lampyris.nn.takes_fused_path` says so, here and in every
            block: the same results up to the order of float32 sums, in fewer passes over memory.

    Example:
        >>> import torch
        >>> LCB(16, 32, stride=2)(torch.zeros(4, 1, 16, 8, 8)).shape
        torch.Size([4, 1, 32, 4, 4])
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel_size: int = 3,
        stride: int = 1,
        gamma: float = 0.5,
        neuron: Neuron = LIF,
        pool: bool = False,
        fused: bool = True,
    ) -> None:
        super().__init__()
        self.fused = fused
        self.lif = neuron()
        self.pool = MaxPool2d(2) if pool else None
        self.conv = Conv2d(cin, cout, kernel_size, stride)
        self.norm = TDBatchNorm2d(cout, gamma)

    def forward(self, x: Tensor) -> Tensor:
        if takes_fused_path(self):
            return run_lcb(self, x)
        spikes = self.lif(x)
        if self.pool is not None:
            spikes = self.pool(spikes)
        return self.norm(self.conv(spikes))


def branch(
    cin: int,
    cout: int,
    stride: int,
    neuron: Neuron,
    fused: bool,
    kernel_size: int = 3,
    hidden: int | None = None,
    gamma: float = BRANCH_GAMMA,
) -> torch.nn.Sequential:
    """Two `LCB` with ``hidden`` channels (None: cout) between them; the first has the stride."""
    hidden = hidden or cout
    return torch.nn.Sequential(
        LCB(cin, hidden, kernel_size, stride, neuron=neuron, fused=fused),
        LCB(hidden, cout, kernel_size, gamma=gamma, neuron=neuron, fused=fused),
    )


def projection(cin: int, cout: int, stride: int = 1) -> torch.nn.Sequential:
    """1 x 1 convolution and norm without a neuron: it multiplies currents, so no export takes it."""
    return torch.nn.Sequential(Conv2d(cin, cout, 1, stride), TDBatchNorm2d(cout))


class MSBlock(torch.nn.Module):
    """Two LCB beside the identity: [T, B, C, H, W] -> the same shape.

    Args:
        channels: C.
        neuron: makes the neuron layers.
        fused: as in `LCB`.
        kernel_size: of the branch.
        hidden: channels between its convolutions; None means C.

    Example:
        >>> import torch
        >>> MSBlock(8)(torch.zeros(4, 1, 8, 6, 6)).shape
        torch.Size([4, 1, 8, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        neuron: Neuron = LIF,
        fused: bool = True,
        kernel_size: int = 3,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.fused = fused
        self.branch = branch(channels, channels, 1, neuron, fused, kernel_size, hidden)

    def forward(self, x: Tensor) -> Tensor:
        if takes_fused_path(self):
            return run_branch(self.branch, x, x)
        return self.branch(x) + x


class EMSBlock1(torch.nn.Module):
    """Two LCB beside max-pool and LCB 1 x 1: [T, B, C_in, H, W] -> [T, B, C_out, H/s, W/s].

    Args:
        cin, cout: channels.
        stride: of branch and pooling.
        neuron: makes the neuron layers.
        fused: as in `LCB`.
        kernel_size: of the branch.
        hidden: channels between the branch's convolutions; None means C_out.
        spiking_shortcut: False leaves the neuron out of the shortcut, which then multiplies currents: the
            shortcut of MS-ResNet, and of the released bottleneck files.

    Example:
        >>> import torch
        >>> EMSBlock1(8, 16)(torch.zeros(4, 1, 8, 6, 6)).shape
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
        spiking_shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.fused = fused
        self.branch = branch(cin, cout, stride, neuron, fused, kernel_size, hidden)
        self.pool = MaxPool2d(stride) if stride > 1 else None
        spiking = spiking_shortcut
        self.shortcut = LCB(cin, cout, 1, neuron=neuron, fused=fused) if spiking else projection(cin, cout)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x if self.pool is None else self.pool(x)
        if takes_fused_path(self):
            return run_branch(self.branch, x, self.shortcut(pooled))
        return self.branch(x) + self.shortcut(pooled)


class EMSBlock2(torch.nn.Module):
    """Two LCB beside (LCB 1 x 1 to C_out - C_in, concatenated with the input): [T, B, C_out, H/s, W/s].

    Args:
        cin, cout: channels, ``cout > cin``.
        stride: of branch and pooling.
        neuron: makes the neuron layers.
        order: "paper" pools the input first; "released" (the authors' code) pools the concatenation,
            which costs stride^2 times more in the 1 x 1 convolution.
        fused: as in `LCB`.
        kernel_size: of the branch.
        hidden: channels between the branch's convolutions; None means C_out.

    Raises:
        ValueError: cout <= cin, or an unknown order.

    Example:
        >>> import torch
        >>> EMSBlock2(8, 24)(torch.zeros(4, 1, 8, 6, 6)).shape
        torch.Size([4, 1, 24, 3, 3])
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        stride: int = 2,
        order: str = "paper",
        neuron: Neuron = LIF,
        fused: bool = True,
        kernel_size: int = 3,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        if cout <= cin:
            raise ValueError(f"EMSBlock2: cout must be greater than cin = {cin}, got {cout}")
        if order not in ("paper", "released"):
            raise ValueError(f"EMSBlock2: order must be 'paper' or 'released', got {order!r}")
        self.order = order
        self.fused = fused
        self.branch = branch(cin, cout, stride, neuron, fused, kernel_size, hidden)
        self.pool = MaxPool2d(stride) if stride > 1 else None
        self.shortcut = LCB(cin, cout - cin, 1, neuron=neuron, fused=fused)
        self.concat = Concat()

    def forward(self, x: Tensor) -> Tensor:
        if takes_fused_path(self):
            return run_branch(self.branch, x, self._shortcut(x))
        return self.branch(x) + self._shortcut(x)

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.pool is None:
            return self.concat(self.shortcut(x), x)
        if self.order == "released":
            return self.pool(self.concat(self.shortcut(x), x))
        pooled = self.pool(x)
        return self.concat(self.shortcut(pooled), pooled)

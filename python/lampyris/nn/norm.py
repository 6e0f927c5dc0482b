"""Threshold-dependent batch norm."""

from __future__ import annotations

import torch
from torch import Tensor

from .folding import check_rank, fold

__all__ = ["TDBatchNorm2d"]


class TDBatchNorm2d(torch.nn.BatchNorm2d):
    """Batch norm with statistics per channel over T, B, H and W.

    The weight starts at ``gamma``: the threshold (0.5) in general, 0.1 for a residual branch's last norm.
    Source: Zheng et al., AAAI 2021 (TDBN); initial values as EMS-YOLO.

    Args:
        channels: C of x [T, B, C, H, W].
        gamma: initial weight, in units of current.
        eps, momentum: as in torch.

    Example:
        >>> import torch
        >>> x = torch.randn(2, 8, 3, 4, 4)
        >>> y = TDBatchNorm2d(3)(x)
        >>> bool((y.std(dim=(0, 1, 3, 4), correction=0) - 0.5).abs().max() < 1e-3)
        True
    """

    def __init__(self, channels: int, gamma: float = 0.5, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.gamma = gamma
        super().__init__(channels, eps=eps, momentum=momentum)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        torch.nn.init.constant_(self.weight, self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, C, H, W] -> the same shape."""
        check_rank("TDBatchNorm2d", x)
        return fold(super().forward, x)

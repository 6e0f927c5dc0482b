"""Convolution of every time step."""

from __future__ import annotations

import torch
from torch import Tensor

from .folding import check_rank, per_image

__all__ = ["Conv2d"]


class Conv2d(torch.nn.Conv2d):
    """`torch.nn.Conv2d` over x [T, B, C_in, H, W]: the T steps are folded into the batch.

    Args:
        cin, cout: channels.
        kernel_size: k of the k x k kernel.
        stride: in pixels.
        padding: zeros on each side; None means ``kernel_size // 2``.
        groups: as in torch.
        bias: False by default, since a norm follows.

    Example:
        >>> import torch
        >>> Conv2d(3, 8, 3, stride=2)(torch.zeros(4, 1, 3, 16, 16)).shape
        torch.Size([4, 1, 8, 8, 8])
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel_size: int,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        padding = kernel_size // 2 if padding is None else padding
        super().__init__(cin, cout, kernel_size, stride, padding, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, C_in, H, W] -> [T, B, C_out, H', W']."""
        check_rank("Conv2d", x)
        return per_image(super().forward, x)

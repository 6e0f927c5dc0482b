"""Layers that only move values: pooling, up-sampling, concatenation, the mean over time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .folding import check_rank, per_image

__all__ = ["Concat", "Identity", "MaxPool2d", "TimeMean", "Upsample", "check_multiple"]

Identity = torch.nn.Identity


def check_multiple(shape: torch.Size, k: int) -> None:
    """Raise ValueError unless maps [T, B, C, H, W] divide into k x k windows."""
    if shape[3] % k or shape[4] % k:
        raise ValueError(f"MaxPool2d: x must have H and W that are multiples of {k}, got {list(shape)}")


class MaxPool2d(torch.nn.Module):
    """Maximum over k x k windows at stride k of x [T, B, C, H, W]; on spikes this is OR.

    H and W must be multiples of k, as the accelerator requires.

    Example:
        >>> import torch
        >>> MaxPool2d(2)(torch.zeros(4, 1, 3, 8, 8)).shape
        torch.Size([4, 1, 3, 4, 4])
    """

    def __init__(self, kernel_size: int = 2) -> None:
        super().__init__()
        self.kernel_size = kernel_size

    def forward(self, x: Tensor) -> Tensor:
        check_rank("MaxPool2d", x)
        k = self.kernel_size
        check_multiple(x.shape, k)
        return per_image(lambda images: F.max_pool2d(images, k), x)

    def extra_repr(self) -> str:
        return f"{self.kernel_size}"


class Upsample(torch.nn.Module):
    """Nearest-neighbour enlargement of x [T, B, C, H, W] by an integer factor.

    Example:
        >>> import torch
        >>> Upsample(2)(torch.zeros(4, 1, 3, 8, 8)).shape
        torch.Size([4, 1, 3, 16, 16])
    """

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        check_rank("Upsample", x)
        return per_image(lambda images: F.interpolate(images, scale_factor=self.factor, mode="nearest"), x)

    def extra_repr(self) -> str:
        return f"{self.factor}"


class Concat(torch.nn.Module):
    """Concatenate tensors [T, B, C_i, H, W] along the channels.

    Example:
        >>> import torch
        >>> Concat()(torch.zeros(4, 1, 3, 8, 8), torch.zeros(4, 1, 5, 8, 8)).shape
        torch.Size([4, 1, 8, 8, 8])
    """

    def forward(self, *xs: Tensor) -> Tensor:
        steps, batch = xs[0].shape[:2]
        joined = torch.cat([x.flatten(0, 1) for x in xs], dim=1)
        return joined.unflatten(0, (steps, batch))


class TimeMean(torch.nn.Module):
    """Mean over the time steps: [T, B, C, H, W] -> [B, C, H, W].

    Example:
        >>> import torch
        >>> TimeMean()(torch.ones(4, 2, 14, 10, 10)).shape
        torch.Size([2, 14, 10, 10])
    """

    def forward(self, x: Tensor) -> Tensor:
        check_rank("TimeMean", x)
        return x[0] if x.shape[0] == 1 else x.mean(0)

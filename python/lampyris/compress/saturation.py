"""sat16 and the stem's shift with the gradients of docs/contract.md section 2."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["SAT16_MAX", "SAT16_MIN", "count_clamped", "sat16", "shift_round"]

SAT16_MIN = -(2**15)
SAT16_MAX = 2**15 - 1


class _Sat16(torch.autograd.Function):
    """Clamp; gradient 1 where min <= x <= max, else 0. Saves nothing where nothing clamps (CPU)."""

    @staticmethod
    def forward(ctx, x):
        if x.device.type == "cpu" and x.numel():
            low, high = torch.aminmax(x)
            if low >= SAT16_MIN and high <= SAT16_MAX:
                ctx.inside = None
                return x.view_as(x)
        ctx.inside = (x >= SAT16_MIN) & (x <= SAT16_MAX)
        return x.clamp(SAT16_MIN, SAT16_MAX)

    @staticmethod
    def backward(ctx, grad):
        return grad if ctx.inside is None else grad * ctx.inside


class _ShiftRound(torch.autograd.Function):
    """(x + 2^(k-1)) >> k; gradient 2^-k."""

    @staticmethod
    def forward(ctx, x, k):
        ctx.slope = 2.0**-k
        return (x + 2.0 ** (k - 1)).mul_(2.0**-k).floor_() if k > 0 else x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.slope, None


def sat16(x: Tensor) -> Tensor:
    """Clamp integers in float32 to [-32768, 32767].

    Example:
        >>> sat16(torch.tensor([-40000.0, 5.0, 32768.0])).tolist()
        [-32768.0, 5.0, 32767.0]
    """
    return _Sat16.apply(x)


def shift_round(x: Tensor, k: int) -> Tensor:
    """``(x + 2^(k-1)) >> k`` of integers in float32, |x| + 2^(k-1) < 2^24; identity for k = 0.

    Example:
        >>> shift_round(torch.tensor([-3.0, -2.0, 1.0, 2.0, 3.0]), 2).tolist()
        [-1.0, 0.0, 0.0, 1.0, 1.0]
    """
    return _ShiftRound.apply(x, k)


def count_clamped(x: Tensor) -> int:
    """Elements that sat16 changes."""
    return int(((x < SAT16_MIN) | (x > SAT16_MAX)).sum())

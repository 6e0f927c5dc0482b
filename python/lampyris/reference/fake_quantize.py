"""Learned-step quantization, one torch call per step of the formula."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["fake_quantize"]


class _Round(torch.autograd.Function):
    """rint with gradient 1."""

    @staticmethod
    def forward(ctx, q):
        return q.round()

    @staticmethod
    def backward(ctx, grad):
        return grad


class _Scaled(torch.autograd.Function):
    """Identity whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx, p, factor):
        ctx.factor = factor
        return p.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


def fake_quantize(
    x: Tensor,
    scale: Tensor,
    offset: Tensor | None = None,
    *,
    quant_min: int = -127,
    quant_max: int = 127,
    dim: int | None = None,
    group_size: int | None = None,
    mask: Tensor | None = None,
    grad_scale: float | None = None,
) -> Tensor:
    """The twin of :func:`lampyris.ops.fake_quantize`; see there for every argument.

    Args:
        x: [...].
        scale: one element, or one per slice along ``dim``, or per group.

    Returns:
        Tensor of x's shape.

    Raises:
        RuntimeError: shapes do not fit.

    Example:
        >>> import torch
        >>> fake_quantize(torch.tensor([0.24, 0.26, 9.0]), torch.tensor(0.5), quant_max=3).tolist()
        [0.0, 0.5, 1.5]
    """
    if grad_scale is None:
        elements = x.numel() / max(scale.numel(), 1)
        grad_scale = 1.0 / math.sqrt(max(elements, 1) * max(abs(quant_max), 1))
    step = _spread(_Scaled.apply(scale, grad_scale), x, dim, group_size)
    zero = None if offset is None else _spread(_Scaled.apply(offset, grad_scale), x, dim, group_size)
    q = (x if zero is None else x - zero) / step
    low, high = x.new_tensor(quant_min), x.new_tensor(quant_max)
    clamped = torch.where(q < low, low, torch.where(q > high, high, q))
    out = _Round.apply(clamped) * step
    if zero is not None:
        out = out + zero
    return out if mask is None else torch.where(mask, out, torch.zeros_like(out))


def _spread(p: Tensor, x: Tensor, dim: int | None, group_size: int | None) -> Tensor:
    """One value per element of x, from one per tensor, slice or group."""
    if dim is None:
        return p.reshape(())
    moved = x.movedim(dim, 0)
    if group_size is not None:
        p = p.repeat_interleave(group_size, dim=1).reshape(moved.shape)
    else:
        p = p.reshape(-1, *(1,) * (x.dim() - 1))
    return p.expand(moved.shape).movedim(0, dim)

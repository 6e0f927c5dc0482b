"""Quantizers in float64, rounding half to even, with straight-through gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from .steps import BIAS_LIMIT, WEIGHT_LIMIT

__all__ = [
    "output_bias",
    "output_weight",
    "quantize",
    "stem_bias",
    "stem_weight",
    "synapse_bias",
    "synapse_weight",
]


class _Quantize(torch.autograd.Function):
    """clamp(rint(((x m0) m1 ...) / divisor)); gradient m0 m1 ... / divisor, also where it clamps."""

    @staticmethod
    def forward(ctx, x, factors, divisor, limit):
        scaled = x.double()
        slope = 1.0
        for factor in factors:
            scaled = scaled * factor
            slope = slope * factor
        scaled = (scaled / divisor).round_()
        ctx.slope = slope / divisor
        if limit is not None:
            scaled = scaled.clamp_(-limit, limit)
        return scaled.to(torch.float32)

    @staticmethod
    def backward(ctx, grad):
        slope = ctx.slope
        if isinstance(slope, Tensor):
            slope = slope.to(grad.dtype)
        return grad * slope, None, None, None


def quantize(x: Tensor, factors: tuple[float, ...], divisor: float | Tensor, limit: int | None) -> Tensor:
    """``clamp(rint(x f0 f1 .. / divisor), -limit, limit)`` as integers in float32.

    Args:
        x: float32 values, widened to float64 and evaluated left to right.
        factors, divisor: of the scale; a tensor divisor broadcasts.
        limit: clamp, or None.

    Returns:
        float32 of x's shape. Backward multiplies by the scale, inside and outside the clamp.

    Example:
        >>> quantize(torch.tensor([0.5, 1.5, 200.0]), (1.0,), 1.0, 127).tolist()
        [0.0, 2.0, 127.0]
    """
    return _Quantize.apply(x, factors, divisor, limit)


def synapse_weight(
    weight: Tensor, theta: int, v_th: float, shift: int, limit: int | None = WEIGHT_LIMIT
) -> Tensor:
    """``q_W = clamp(rint((W Theta) / (V_th 2^s)), -127, 127)``."""
    return quantize(weight, (float(theta),), v_th * 2**shift, limit)


def synapse_bias(bias: Tensor, theta: int, v_th: float, limit: int | None = BIAS_LIMIT) -> Tensor:
    """``q_b = rint((b Theta) / V_th)``; a trained bias that outgrows int16 clamps at 32767."""
    return quantize(bias, (float(theta),), v_th, limit)


def stem_weight(
    weight: Tensor, theta: int, v_th: float, k: int, exponent: int, limit: int | None = WEIGHT_LIMIT
) -> Tensor:
    """``q_W = clamp(rint((W 2^(k-p) Theta) / V_th), -127, 127)``."""
    return quantize(weight, (2.0 ** (k - exponent), float(theta)), v_th, limit)


def stem_bias(bias: Tensor, theta: int, v_th: float, k: int) -> Tensor:
    """``b32 = rint((b 2^k Theta) / V_th)``."""
    return quantize(bias, (2.0**k, float(theta)), v_th, None)


def output_weight(weight: Tensor, step: Tensor, limit: int | None = WEIGHT_LIMIT) -> Tensor:
    """``q_w = clamp(rint(w / d_c), -127, 127)`` with one step per output channel, float64 [Co]."""
    return quantize(weight, (), step.view(-1, 1, 1, 1), limit)


def output_bias(bias: Tensor, step: Tensor, limit: int | None = BIAS_LIMIT) -> Tensor:
    """``q_b = rint(b / d_c)``."""
    return quantize(bias, (), step, limit)

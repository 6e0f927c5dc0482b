"""What the convolutions of spikes share in their fake kernels and their backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["empty_channels_last", "gradients", "no_double_backward"]


def empty_channels_last(like: Tensor, shape: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    """An empty [N, C, H, W] in channels_last strides, dtype of ``like`` when None."""
    n, c, h, w = shape
    return like.new_empty_strided((n, c, h, w), (c * h * w, 1, c * w, c), dtype=dtype or like.dtype)


def gradients(
    wanted: Sequence[bool],
    to_input: Callable[[], Tensor],
    words: Tensor,
    carrier: Tensor,
    grad: Tensor,
    weight: Tensor,
    options: list,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of carrier (by ``to_input``), weight and bias, None where not wanted."""
    to_carrier, to_weight, to_bias = wanted
    dx = dw = db = None
    if to_carrier:
        dx = to_input()
    if to_weight:
        dw = torch.ops.lampyris._spike_conv2d_grad_weight(words, carrier, grad, weight, *options)
    if to_bias:
        db = grad.sum((0, 2, 3))
    return dx, dw, db


def no_double_backward(ctx, *grads):
    raise RuntimeError("spike_conv2d: must not be differentiated twice, got a double backward")

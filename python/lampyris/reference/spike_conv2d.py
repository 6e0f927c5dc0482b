"""Convolution of spikes, written out as a sum over the taps."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["spike_conv2d"]


def spike_conv2d(
    spikes,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    scale: float | Tensor | None = None,
    precision: str = "float32",
) -> Tensor:
    """The twin of :func:`lampyris.ops.spike_conv2d`, differentiable; sums in float64.

    Args:
        spikes: [T, B, C, H, W] or [N, C, H, W], dense or packed.
        weight: [Co, C / groups, kh, kw].
        bias: [Co].
        stride: in pixels.
        padding: zeros on each side.
        groups: blocks of channels.
        scale: with int8 weights, factor of the result.
        precision: "bfloat16" rounds the weights first.

    Returns:
        Tensor [..., Co, H', W'].

    Raises:
        RuntimeError: shapes do not fit.

    Example:
        >>> import torch
        >>> spike_conv2d(torch.tensor([[[[1.0, 0.0, 1.0]]]]), torch.tensor([[[[1.0, 10.0]]]])).tolist()
        [[[[1.0, 10.0]]]]
    """
    exact = weight.dtype == torch.int8
    dense = spikes if isinstance(spikes, Tensor) else spikes.dense()
    x = dense.double()
    steps = x.shape[:-3]
    x = torch.nn.functional.pad(x.reshape(-1, *x.shape[-3:]), (padding,) * 4)
    w = (weight.bfloat16() if precision == "bfloat16" else weight).double()
    out_channels, group_in, kernel_h, kernel_w = w.shape
    rows = (x.shape[2] - kernel_h) // stride + 1
    columns = (x.shape[3] - kernel_w) // stride + 1
    x = x.unflatten(1, (groups, group_in))
    w = w.unflatten(0, (groups, -1))
    out = x.new_zeros(x.shape[0], groups, out_channels // groups, rows, columns)
    for i in range(kernel_h):
        for j in range(kernel_w):
            tap = x[
                ..., i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride
            ]
            out = out + torch.einsum("ngchw,goc->ngohw", tap, w[..., i, j])
    out = out.flatten(1, 2)
    if bias is not None:
        out = out + bias.double().view(-1, 1, 1)
    out = out.unflatten(0, steps)
    if not exact:
        return out.to(weight.dtype)
    out = out.to(torch.int32)
    if scale is None:
        return out
    return out * (scale.view(-1, 1, 1) if isinstance(scale, Tensor) and scale.dim() else scale)

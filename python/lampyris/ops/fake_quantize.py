"""Learned-step quantization in floating point."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["fake_quantize"]


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
    """Round x to a grid: scale * rint(clamp((x - offset) / scale, quant_min, quant_max)) + offset.

    Rounds half to even. Gradients: x gets 1 between the limits (included) and 0 outside; scale
    gets rint(q) - q between the limits and the limit outside, q = (x - offset) / scale; offset gets 0
    between the limits and 1 outside.

    Args:
        x: [...], float32 or float64.
        scale: real value of one step, > 0: one element; [x.shape[dim]] with ``dim``; with
            ``group_size`` [x.shape[dim], rest / group_size].
        offset: real value of integer 0, shape of ``scale``; 0 when None.
        quant_min: lowest integer.
        quant_max: highest integer.
        dim: dimension with a scale each; None is one scale for all.
        group_size: splits each slice along ``dim`` (row-major) into groups of this many elements.
        mask: bool like x; where False the result and every gradient are 0.
        grad_scale: factor on the gradients of scale and offset. None is LSQ's 1 / sqrt(N quant_max),
            N elements per scale; 1.0 leaves them as they are.

    Returns:
        Tensor of x's shape, contiguous.

    Raises:
        ValueError: a shape, dtype, device or limit is not one of the above.

    Example:
        >>> import torch
        >>> fake_quantize(torch.tensor([0.24, 0.26, 9.0]), torch.tensor(0.5), quant_max=3).tolist()
        [0.0, 0.5, 1.5]

    Source: LSQ (Esser et al., ICLR 2020); LSQ+ (Bhalgat et al., CVPRW 2020).
    """
    if dim is not None:
        if not -x.dim() <= dim < x.dim():
            raise ValueError(f"fake_quantize: dim must be in [{-x.dim()}, {x.dim() - 1}], got {dim}")
        dim %= x.dim()
    if group_size is not None:
        return _grouped(x, scale, offset, quant_min, quant_max, dim, group_size, mask, grad_scale)
    if grad_scale is None:
        elements = x.numel() / max(scale.numel(), 1)
        grad_scale = 1.0 / math.sqrt(max(elements, 1) * max(abs(quant_max), 1))
    return torch.ops.lampyris.fake_quantize(
        x, scale, offset, mask, -1 if dim is None else dim, quant_min, quant_max, float(grad_scale)
    )


def _grouped(x, scale, offset, quant_min, quant_max, dim, group_size, mask, grad_scale) -> Tensor:
    if dim is None:
        raise ValueError("fake_quantize: dim must be given with group_size, got None")
    moved = x.movedim(dim, 0)
    rest = moved.numel() // max(moved.shape[0], 1)
    if group_size < 1 or rest % group_size != 0:
        raise ValueError(
            f"fake_quantize: group_size must divide the {rest} elements of a slice, got {group_size}"
        )
    want = [moved.shape[0], rest // group_size]
    if list(scale.shape) != want:
        raise ValueError(f"fake_quantize: scale must have shape {want}, got {list(scale.shape)}")
    grouped = fake_quantize(
        moved.reshape(-1, group_size),
        scale.reshape(-1),
        None if offset is None else offset.reshape(-1),
        quant_min=quant_min,
        quant_max=quant_max,
        dim=0,
        mask=None if mask is None else mask.movedim(dim, 0).reshape(-1, group_size),
        grad_scale=grad_scale,
    )
    return grouped.reshape(moved.shape).movedim(0, dim)


@torch.library.register_fake("lampyris::fake_quantize")
def _(x, scale, offset, mask, dim, quant_min, quant_max, grad_scale):
    return x.new_empty(x.shape)


@torch.library.register_fake("lampyris::_fake_quantize_backward")
def _(grad, x, scale, offset, mask, dim, quant_min, quant_max, grad_scale):
    to_offset = None if offset is None else offset.new_empty(offset.shape)
    return x.new_empty(x.shape), scale.new_empty(scale.shape), to_offset


def _setup(ctx, inputs, output) -> None:
    x, scale, offset, mask, *ctx.options = inputs
    ctx.save_for_backward(x, scale, offset, mask)


def _backward(ctx, grad):
    x, scale, offset, mask = ctx.saved_tensors
    grads = torch.ops.lampyris._fake_quantize_backward(grad, x, scale, offset, mask, *ctx.options)
    return *grads, *(None,) * 5


def _no_double_backward(ctx, *grads):
    raise RuntimeError("fake_quantize: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::fake_quantize", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_fake_quantize_backward", _no_double_backward)
for _device in ("cpu", "cuda"):
    torch.library.register_autocast("lampyris::fake_quantize", _device, torch.float32)

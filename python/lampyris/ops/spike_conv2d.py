"""Convolution of spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops import _window_conv2d  # noqa: F401  (registers its gradient)
from lampyris.ops._conv2d_gradients import empty_channels_last, gradients, no_double_backward
from lampyris.ops.pack_spikes import pack_spikes
from lampyris.ops.spikes import Spikes

__all__ = ["spike_conv2d"]

_PRECISIONS = ("float32", "mixed", "bfloat16")


def spike_conv2d(
    spikes: Spikes | Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    scale: float | Tensor | None = None,
    precision: str = "float32",
) -> Tensor:
    """Convolve spikes: every spike adds a row of the weights, silence costs nothing.

    Args:
        spikes: [T, B, C, H, W] or [N, C, H, W], packed along C, or dense (then packed first; any value
            but 0 counts as 1, and gradients pass through unchanged).
        weight: [Co, C / groups, kh, kw], float32, float64, bfloat16, float16 (sums in float32, in
            float64 for float64) or int8 (sums exact in int32).
        bias: [Co], dtype of the weight; int32 with int8 weights.
        stride: step in pixels, >= 1.
        padding: silent pixels on each side, >= 0.
        groups: blocks of channels that do not mix; C is depthwise.
        scale: with int8 weights: real value of one unit, a float or [Co]; the result is then float32.
        precision: "float32": accurate to float32. "bfloat16": weights, and gradients that enter a
            product, rounded to bfloat16; sums in float32. "mixed": forward as float32; the gradients'
            products may run on bfloat16 where the machine is faster so. The gradient of the spikes may
            then be rounded to bfloat16 itself.

    Returns:
        Tensor [T, B, Co, H', W'] (or [N, Co, H', W']) in channels_last strides, dtype of the weight
        (int32 or float32 with int8 weights), H' = (H + 2 padding - kh) // stride + 1.

    The kernel is chosen by the density of the spikes, the shape and the processor:
    :func:`lampyris.ops.record_kernels` tells which one ran, ``lampyris doctor`` prints the choices. Results
    of our kernels do not depend on the number of threads; oneDNN's gradient of the weights may.

    Raises:
        ValueError: a shape, dtype, device or option is not one of the above.

    Example:
        >>> import torch
        >>> spikes = torch.tensor([[[[1.0, 0.0, 1.0]]]])
        >>> spike_conv2d(spikes, torch.tensor([[[[1.0, 10.0]]]])).tolist()
        [[[[1.0, 10.0]]]]
    """
    packed = _packed(spikes)
    if precision not in _PRECISIONS:
        raise ValueError(
            f"spike_conv2d: precision must be one of {', '.join(map(repr, _PRECISIONS))}, got {precision!r}"
        )
    steps = packed.shape[:-3]
    words, carrier = packed.words, packed.carrier
    if len(steps) == 2:
        words, carrier = words.flatten(0, 1), carrier.flatten(0, 1)
    if weight.dtype == torch.int8:
        out = _int8(words, carrier, weight, bias, stride, padding, groups, scale)
    elif scale is not None:
        raise ValueError(f"spike_conv2d: scale must be None without int8 weights, got {weight.dtype}")
    elif packed.windows is not None and carrier.requires_grad:
        out = torch.ops.lampyris._window_conv2d(
            words, carrier, packed.windows, weight, bias, stride, padding, groups, precision
        )
    else:
        out = torch.ops.lampyris.spike_conv2d(
            words, carrier, weight, bias, stride, padding, groups, precision
        )
    return out.unflatten(0, steps) if len(steps) == 2 else out


def _packed(spikes: Spikes | Tensor) -> Spikes:
    shape = list(spikes.shape)
    if len(shape) not in (4, 5) or 0 in shape[:-2]:
        raise ValueError(
            "spike_conv2d: spikes must have shape [T, B, C, H, W] or [N, C, H, W] with T, B, N and C >= 1, "
            f"got {shape}"
        )
    if isinstance(spikes, Tensor):
        return pack_spikes(spikes, dim=-3)
    if spikes.dim != len(shape) - 3:
        raise ValueError(
            f"spike_conv2d: spikes must be packed along C (dim {len(shape) - 3}), got dim {spikes.dim}"
        )
    return spikes


def _int8(words, carrier, weight, bias, stride, padding, groups, scale) -> Tensor:
    """Exact sums; int32, or float32 times scale. Not differentiable."""
    out = torch.ops.lampyris.spike_conv2d_int8(words, carrier.detach(), weight, bias, stride, padding, groups)
    if scale is None:
        return out
    return out * (scale.view(-1, 1, 1) if isinstance(scale, Tensor) and scale.dim() else scale)


def _output_shape(carrier: Tensor, weight: Tensor, stride: int, padding: int) -> tuple[int, int, int, int]:
    n, _, h, w = carrier.shape
    out, _, kernel_h, kernel_w = weight.shape
    return n, out, (h + 2 * padding - kernel_h) // stride + 1, (w + 2 * padding - kernel_w) // stride + 1


@torch.library.register_fake("lampyris::spike_conv2d")
def _(words, carrier, weight, bias, stride, padding, groups, precision):
    return empty_channels_last(weight, _output_shape(carrier, weight, stride, padding))


@torch.library.register_fake("lampyris::spike_conv2d_int8")
def _(words, carrier, weight, bias, stride, padding, groups):
    return empty_channels_last(words, _output_shape(carrier, weight, stride, padding))


@torch.library.register_fake("lampyris::_spike_conv2d_exact")
def _(words, carrier, weight, bias, shift, stride, padding, groups):
    return empty_channels_last(words, _output_shape(carrier, weight, stride, padding), torch.float32)


@torch.library.register_fake("lampyris::spike_linear_int8")
def _(words, weight):
    return words.new_empty(words.shape[0], weight.shape[0])


@torch.library.register_fake("lampyris::_spike_conv2d_grad_weight")
def _(words, carrier, grad, weight, stride, padding, groups, precision):
    return weight.new_empty(weight.shape)


@torch.library.register_fake("lampyris::_spike_conv2d_grad_input")
def _(carrier, grad, weight, stride, padding, groups, precision):
    return empty_channels_last(carrier, carrier.shape)


def _setup(ctx, inputs, output) -> None:
    words, carrier, weight, _, *ctx.options = inputs
    ctx.save_for_backward(words, carrier, weight)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad):
    if grad is None:
        return (None,) * 8
    words, carrier, weight = ctx.saved_tensors

    def to_input():
        return torch.ops.lampyris._spike_conv2d_grad_input(carrier, grad, weight, *ctx.options)

    dx, dw, db = gradients(ctx.needs_input_grad[1:4], to_input, words, carrier, grad, weight, ctx.options)
    return None, dx, dw, db, *(None,) * 4


torch.library.register_autograd("lampyris::spike_conv2d", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_spike_conv2d_grad_weight", no_double_backward)
torch.library.register_autograd("lampyris::_spike_conv2d_grad_input", no_double_backward)
for _device in ("cpu", "cuda"):
    torch.library.register_autocast("lampyris::spike_conv2d", _device, torch.float32)

"""spike_conv2d behind a neuron whose surrogate has a window: dX is computed where it is open."""

from __future__ import annotations

import torch

from lampyris.ops import _conv2d_gradients

__all__: list[str] = []


@torch.library.register_fake("lampyris::_window_conv2d")
def _(words, carrier, codes, weight, bias, stride, padding, groups, precision):
    return torch.ops.lampyris.spike_conv2d(words, carrier, weight, bias, stride, padding, groups, precision)


@torch.library.register_fake("lampyris::_window_conv2d_grad_input")
def _(carrier, codes, grad, weight, stride, padding, groups, precision):
    return _conv2d_gradients.empty_channels_last(carrier, carrier.shape)


def _setup(ctx, inputs, output) -> None:
    words, carrier, codes, weight, _, *ctx.options = inputs
    ctx.save_for_backward(words, carrier, codes, weight)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad):
    if grad is None:
        return (None,) * 9
    words, carrier, codes, weight = ctx.saved_tensors

    def to_input():
        return torch.ops.lampyris._window_conv2d_grad_input(carrier, codes, grad, weight, *ctx.options)

    _, to_carrier, _, *wanted = ctx.needs_input_grad[:5]
    dx, dw, db = _conv2d_gradients.gradients(
        (to_carrier, *wanted), to_input, words, carrier, grad, weight, ctx.options
    )
    return None, dx, None, dw, db, *(None,) * 4


torch.library.register_autograd("lampyris::_window_conv2d", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_window_conv2d_grad_input", _conv2d_gradients.no_double_backward)
for _device in ("cpu", "cuda"):
    torch.library.register_autocast("lampyris::_window_conv2d", _device, torch.float32)

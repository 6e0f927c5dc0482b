"""spike_conv2d behind a neuron whose surrogate has a window: dX is computed where it is open."""

from __future__ import annotations

import torch

__all__: list[str] = []


@torch.library.register_fake("lampyris::_window_conv2d")
def _(words, carrier, codes, weight, bias, stride, padding, groups, precision):
    return torch.ops.lampyris.spike_conv2d(words, carrier, weight, bias, stride, padding, groups, precision)


@torch.library.register_fake("lampyris::_window_conv2d_grad_input")
def _(carrier, codes, grad, weight, stride, padding, groups, precision):
    n, c, h, w = carrier.shape
    return carrier.new_empty_strided((n, c, h, w), (c * h * w, 1, c * w, c))


def _setup(ctx, inputs, output) -> None:
    words, carrier, codes, weight, _, *ctx.options = inputs
    ctx.save_for_backward(words, carrier, codes, weight)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad):
    if grad is None:
        return (None,) * 9
    words, carrier, codes, weight = ctx.saved_tensors
    _, to_carrier, _, to_weight, to_bias, *_ = ctx.needs_input_grad
    dx = dw = db = None
    if to_carrier:
        dx = torch.ops.lampyris._window_conv2d_grad_input(carrier, codes, grad, weight, *ctx.options)
    if to_weight:
        dw = torch.ops.lampyris._spike_conv2d_grad_weight(words, carrier, grad, weight, *ctx.options)
    if to_bias:
        db = grad.sum((0, 2, 3))
    return None, dx, None, dw, db, *(None,) * 4


def _no_double_backward(ctx, *grads):
    raise RuntimeError("spike_conv2d: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::_window_conv2d", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_window_conv2d_grad_input", _no_double_backward)
for _device in ("cpu", "cuda"):
    torch.library.register_autocast("lampyris::_window_conv2d", _device, torch.float32)

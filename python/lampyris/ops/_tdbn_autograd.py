"""Gradients of tdbn_add and tdbn_add_lif, their fake kernels, and the two ways to the compiled operators.

Eager calls go through a plain ``torch.autograd.Function``, as in ``_lif_autograd``; traced ones see one
registered operator.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops import _layout
from lampyris.ops._below_autograd import below_autograd, in_backward

__all__ = ["run_lif", "sum_over"]

_lif_op = torch.ops.lampyris.tdbn_add_lif.default


def sum_over(sums: Tensor, group: str) -> Tensor:
    """The sums added up over the processes of a group; traceable."""
    total = torch.ops._c10d_functional.all_reduce(sums, "sum", group)
    return torch.ops._c10d_functional.wait_tensor(total)


def _order(x: Tensor, output: str) -> list[int]:
    return _layout.packed_order(x) if output == "packed" else _layout.step_order(x)


def _like(x: Tensor, output: str) -> Tensor:
    return _layout.empty_steps(x, _order(x, output), x.shape[0])


@torch.library.register_fake("lampyris::_tdbn_stats")
def _(x):
    return x.new_empty(2 * x.shape[2] + 1, dtype=torch.float64)


@torch.library.register_fake("lampyris::_tdbn_moments")
def _(sums, running_mean, running_var, momentum, eps):
    return torch.empty_like(sums)


@torch.library.register_fake("lampyris::tdbn_add")
def _(x, residual, weight, bias, moments, training, group):
    return _like(x, "dense")


@torch.library.register_fake("lampyris::tdbn_add_lif")
def _(x, residual, weight, bias, moments, v_init, decay, threshold, gain, width, values, reset,
      detach_reset, inclusive, output, membrane, stream, save_codes, training, group):  # fmt: skip
    steps, neurons = x.shape[0], 1
    for size in x.shape[1:]:
        neurons = neurons * size
    current = _like(x, output) if stream else None
    v = _layout.empty_steps(x, _order(x, output), None) if membrane == "last" else None
    rows = (steps + 3) // 4
    codes = x.new_empty((rows, neurons), dtype=torch.uint8) if save_codes else None
    if output == "dense":
        return _like(x, output), current, v, codes, None
    shape = [*x.shape[:2], *x.shape[3:], (x.shape[2] + 31) // 32]
    words = x.new_empty(shape, dtype=torch.int32)
    return x.new_empty_strided(x.shape, (0,) * x.dim()), current, v, codes, words


@torch.library.register_fake("lampyris::_tdbn_grad_sums")
def _(grad, x, moments):
    return x.new_empty(2 * x.shape[2], dtype=torch.float64)


@torch.library.register_fake("lampyris::_tdbn_lif_grad_sums")
def _(grad_stream, grad_spikes, grad_membrane, x, codes, moments, decay, threshold, gain, width,
      values, reset, detach_reset, inclusive, output, membrane, wants_v_init):  # fmt: skip
    v = _layout.empty_steps(x, _order(x, output), None) if wants_v_init else None
    return _like(x, output), x.new_empty(2 * x.shape[2], dtype=torch.float64), v


@torch.library.register_fake("lampyris::_tdbn_grad_")
def _(grad, x, weight, moments, sums):
    return None


@torch.library.register_fake("lampyris::_tdbn_grad")
def _(grad, x, weight, moments, sums):
    return _like(x, "dense")


def _norm_gradients(ctx, dz: Tensor, sums: Tensor, x, weight, bias, moments, spent: bool):
    """Gradients of x, weight and bias: parameters from this process, x from the sums of all.

    The memory of dz becomes that of x's gradient when dz is spent.
    """
    channels = x.shape[2]
    wants_x, _, wants_weight, wants_bias = ctx.needs_input_grad[:4]
    grad_x = grad_weight = grad_bias = None
    if wants_weight:
        grad_weight = (sums[channels:] * moments[channels : 2 * channels]).to(weight.dtype)
    if wants_bias:
        grad_bias = sums[:channels].to(bias.dtype)
    if wants_x:
        total = None
        if ctx.training:
            total = sum_over(sums, ctx.group) if ctx.group else sums
        if spent:
            in_backward(torch.ops.lampyris._tdbn_grad_.default, dz, x, weight, moments, total)
            grad_x = dz
        else:
            grad_x = in_backward(torch.ops.lampyris._tdbn_grad.default, dz, x, weight, moments, total)
    return grad_x, grad_weight, grad_bias


def _add_setup(ctx, inputs, output) -> None:
    x, _, weight, bias, moments, ctx.training, ctx.group = inputs
    ctx.save_for_backward(x, weight, bias, moments)


def _add_backward(ctx, grad):
    x, weight, bias, moments = ctx.saved_tensors
    sums = torch.ops.lampyris._tdbn_grad_sums(grad, x, moments)
    grad_x, grad_weight, grad_bias = _norm_gradients(ctx, grad, sums, x, weight, bias, moments, False)
    grad_residual = grad if ctx.needs_input_grad[1] else None
    return grad_x, grad_residual, grad_weight, grad_bias, None, None, None


def _lif_setup(ctx, inputs, output) -> None:
    x, _, weight, bias, moments, _, *parameters = inputs[:10]
    *ctx.options, _, ctx.saved_codes, ctx.training, ctx.group = inputs[10:]
    ctx.save_for_backward(x, weight, bias, moments, output[3], *parameters)
    ctx.set_materialize_grads(False)


def _lif_backward(ctx, grad_spikes, grad_stream, grad_membrane, *_):
    x, weight, bias, moments, codes, *parameters = ctx.saved_tensors
    if not ctx.saved_codes:
        raise RuntimeError(
            "tdbn_add_lif: x must require grad when the operator is called, got a call without"
        )
    if grad_spikes is None and grad_stream is None and grad_membrane is None:
        return (None,) * 20
    dz, sums, grad_v = in_backward(
        torch.ops.lampyris._tdbn_lif_grad_sums.default, grad_stream, grad_spikes, grad_membrane, x, codes,
        moments, *parameters, *ctx.options, ctx.needs_input_grad[5],
    )  # fmt: skip
    grad_residual = dz if ctx.needs_input_grad[1] else None
    spent = grad_residual is None
    grad_x, grad_weight, grad_bias = _norm_gradients(ctx, dz, sums, x, weight, bias, moments, spent)
    return grad_x, grad_residual, grad_weight, grad_bias, None, grad_v, *(None,) * 14


class _TdbnLif(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *inputs):
        with torch._C._AutoDispatchBelowAutograd():
            output = _lif_op(*inputs)
        ctx.mark_non_differentiable(*(t for t in output[3:] if t is not None))
        _lif_setup(ctx, inputs, output)
        return output

    backward = staticmethod(_lif_backward)


def run_lif(*inputs):
    """tdbn_add_lif with the arguments of the operator, on the cheapest way there is."""
    save_codes = inputs[17]
    if save_codes and not torch.compiler.is_compiling():
        return _TdbnLif.apply(*inputs)
    return below_autograd(_lif_op, *inputs)


def _no_double_backward(ctx, *grads):
    raise RuntimeError("tdbn_add: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::tdbn_add", _add_backward, setup_context=_add_setup)
torch.library.register_autograd("lampyris::tdbn_add_lif", _lif_backward, setup_context=_lif_setup)
for _name in ("_tdbn_grad_sums", "_tdbn_lif_grad_sums", "_tdbn_grad"):
    torch.library.register_autograd(f"lampyris::{_name}", _no_double_backward)

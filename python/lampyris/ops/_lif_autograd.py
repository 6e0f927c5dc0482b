"""Gradients of lif: what is saved, the two ways to the compiled operator, its fake kernels.

Eager calls go through a plain ``torch.autograd.Function``, whose bookkeeping costs a third of
``register_autograd``'s (0.09 ms a step, as much as the kernels of 4 x 64k neurons). Traced calls see one
registered operator.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lampyris.ops import _layout
from lampyris.ops._below_autograd import below_autograd, in_backward

__all__ = ["run"]

STEPS_PER_BYTE = 4
# Places and values in the operator's options (csrc/ops/lif/lif_tensors.h).
RESET, DETACH, SURROGATE, ROUNDING, PACKED, MEMBRANE, SAVE = 0, 1, 3, 4, 5, 6, 7
HARD, RECTANGLE, GIVEN, TRACE = 0, 0, 6, 2
NOTHING, CODES, STATE = 0, 1, 2

_forward_op = torch.ops.lampyris.lif.default
_backward_op = torch.ops.lampyris._lif_backward.default


def run(
    x: Tensor,
    v_init: Tensor | None,
    parameters: list[Tensor | None],
    values: list[float],
    options: list[int],
    surrogate: Callable[[Tensor], Tensor] | None,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """(spikes or carrier, membrane, words, codes), with what the backward needs saved if there will be one.

    Codes are returned where the backward reads nothing else.
    """
    save = NOTHING
    if torch.is_grad_enabled():
        learned = any(p is not None and p.requires_grad for p in parameters)
        if learned or x.requires_grad or (v_init is not None and v_init.requires_grad):
            window = options[SURROGATE] == RECTANGLE and (options[DETACH] or options[RESET] != HARD)
            save = CODES if window and not learned else STATE
    options = [*options, save]
    if surrogate is None and torch.compiler.is_compiling():
        spikes, v, codes, _, words = _forward_op(x, v_init, *parameters, values, options)
        return spikes, v, words, codes if save == CODES else None
    if save == NOTHING:
        spikes, v, _, _, words = below_autograd(_forward_op, x, v_init, *parameters, values, options)
        return spikes, v, words, None
    return _Lif.apply(x, v_init, *parameters, values, options, surrogate)


class _Lif(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, v_init, decay, threshold, gain, width, values, options, surrogate):
        with torch._C._AutoDispatchBelowAutograd():
            spikes, v, codes, state, words = _forward_op(
                x, v_init, decay, threshold, gain, width, values, options
            )
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(t for t in (words, codes) if t is not None))
        _save(ctx, x, v_init, decay, threshold, gain, width, values, options, codes, state)
        ctx.surrogate = surrogate
        return spikes, v, words, codes if options[SAVE] == CODES else None

    @staticmethod
    def backward(ctx, grad_spikes, grad_membrane, *_):
        if grad_spikes is None and grad_membrane is None:
            return (None,) * 9
        return *_gradients(ctx, grad_spikes, grad_membrane, ctx.surrogate), None, None, None, None


def _save(ctx, x, v_init, decay, threshold, gain, width, values, options, codes, state) -> None:
    needs = ctx.needs_input_grad
    reads_x = state is not None and (any(needs[2:5]) or options[ROUNDING])
    ctx.save_for_backward(
        x if reads_x else None, codes, state, v_init if reads_x else None, decay, threshold, gain, width
    )
    ctx.values, ctx.options, ctx.steps, ctx.dtype = values, options, x.shape[0], x.dtype


def _gradients(ctx, grad_spikes, grad_membrane, surrogate=None) -> list[Tensor | None]:
    x, codes, state, v_init, *parameters = ctx.saved_tensors
    derivative = None
    if surrogate is not None:
        threshold = ctx.values[1] if parameters[1] is None else parameters[1]
        with torch.no_grad():
            derivative = surrogate(state - threshold)
        if derivative.shape != state.shape:
            raise ValueError(
                f"lif: surrogate must return shape {list(state.shape)}, got {list(derivative.shape)}"
            )
        derivative = derivative.to(state.dtype)
    wanted = list(ctx.needs_input_grad[1:5])
    arguments = (grad_spikes, grad_membrane, x, codes, state, derivative, v_init, *parameters)
    options = (ctx.values, ctx.options, ctx.steps, ctx.dtype, wanted)
    grad_x, grad_v, *grads = in_backward(_backward_op, *arguments, *options)
    grads = [
        None if g is None else g.sum_to_size(p.shape) for g, p in zip(grads, parameters[:3], strict=True)
    ]
    return [grad_x, grad_v, *grads]


def _order(x: Tensor, packed: int) -> list[int]:
    return _layout.packed_order(x) if packed else _layout.step_order(x)


def _rows(x: Tensor, order: list[int], rows: int | None, dtype: torch.dtype) -> Tensor:
    return _layout.empty_steps(x, order, rows).to(dtype)


def _compute_dtype(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype == torch.float64 else torch.float32


@torch.library.register_fake("lampyris::lif")
def _(x, v_init, decay, threshold, gain, width, values, options):
    order = _order(x, options[PACKED])
    steps, compute = x.shape[0], _compute_dtype(x.dtype)
    v = codes = state = None
    if options[MEMBRANE]:
        v = _rows(x, order, steps if options[MEMBRANE] == TRACE else None, compute)
    if options[SAVE] == CODES:
        codes = _rows(x, order, (steps + STEPS_PER_BYTE - 1) // STEPS_PER_BYTE, torch.uint8)
    if options[SAVE] == STATE:
        state = _rows(x, order, steps, compute)
    if not options[PACKED]:
        return _layout.empty_steps(x, order, steps), v, codes, state, None
    dim = _layout.packed_dim(x)
    shape = [*x.shape[:dim], *x.shape[dim + 1 :], (x.shape[dim] + 31) // 32]
    words = x.new_empty(shape, dtype=torch.int32)
    return x.new_empty_strided(x.shape, (0,) * x.dim()), v, codes, state, words


@torch.library.register_fake("lampyris::_lif_backward")
def _(grad_spikes, grad_membrane, x, codes, state, derivative, v_init, decay, threshold, gain, width,
      values, options, steps, dtype, wanted):  # fmt: skip
    saved = codes if state is None else state
    order = _layout.step_order(saved)
    each = [_rows(saved, order, None, _compute_dtype(dtype)) if w else None for w in wanted]
    return _rows(saved, order, steps, dtype), *each


def _setup(ctx, inputs, output) -> None:
    x, v_init, decay, threshold, gain, width, values, options = inputs
    _, _, codes, state, _ = output
    ctx.set_materialize_grads(False)
    _save(ctx, x, v_init, decay, threshold, gain, width, values, options, codes, state)


def _backward(ctx, grad_spikes, grad_membrane, *_):
    if ctx.options[SAVE] == NOTHING:
        raise RuntimeError("lif: x must require grad when the operator is called, got a call without")
    if grad_spikes is None and grad_membrane is None:
        return (None,) * 8
    return *_gradients(ctx, grad_spikes, grad_membrane), None, None, None


def _no_double_backward(ctx, *grads):
    raise RuntimeError("lif: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::lif", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_lif_backward", _no_double_backward)

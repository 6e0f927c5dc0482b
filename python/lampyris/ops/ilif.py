"""Integer spikes for training (I-LIF) and their expansion to binary steps."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops import _layout

__all__ = ["ilif", "ilif_expand"]

_HALVES = (torch.bfloat16, torch.float16)
_NOTHING, _CODES, _STATE = 0, 1, 2
_STEPS_PER_BYTE = 4


def ilif(
    x: Tensor,
    decay: float | Tensor,
    threshold: float | Tensor,
    max_spikes: int,
    *,
    gain: float | Tensor = 1.0,
    v_init: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run neurons that emit up to ``max_spikes`` spikes at once over T steps.

    U = decay V + gain x; counts = rint(clamp(U / threshold, 0, max_spikes)), half to even;
    V = U - threshold counts. The gradient of counts is 1 / threshold where 0 <= U / threshold <=
    max_spikes, else 0; no gradient passes through the reset's counts.

    Args:
        x: input currents [T, ...], T >= 1, float32, float64, bfloat16 or float16, any strides. The
            membrane is computed in float32 (float64 for float64 x); NaN counts 0 and stays.
        decay: share of the membrane kept per step; like ``threshold`` and ``gain`` a float or a Tensor
            broadcastable to x.shape[1:].
        threshold: > 0, the value of one spike in the unit of the currents.
        max_spikes: most spikes of a step, 1 to 255.
        gain: factor of the input.
        v_init: membrane before the first step, shape x.shape[1:]; 0 when None.

    Returns:
        (counts [T, ...] in x's dtype, membrane x.shape[1:] after the last step in float32 or float64).

    Raises:
        ValueError: a shape, dtype, device or value is not one of the above.

    Example:
        >>> import torch
        >>> counts, v = ilif(torch.tensor([[2.25], [9.0]]), decay=0.25, threshold=1.0, max_spikes=4)
        >>> counts.flatten().tolist(), v.tolist()
        ([2.0, 4.0], [5.0625])

    Source: Luo et al., Integer-valued training and spike-driven inference (SpikeYOLO), ECCV 2024:
    decay 0.25, threshold 1, D = max_spikes.
    """
    half = x.dtype in _HALVES
    tensors: list[Tensor | None] = []
    values: list[float] = []
    for p in (decay, threshold, gain):
        tensor = isinstance(p, Tensor)
        tensors.append((p.float() if half and p.dtype == x.dtype else p) if tensor else None)
        values.append(1.0 if tensor else float(p))
    if v_init is not None and half and v_init.dtype == x.dtype:
        v_init = v_init.float()
    save = _NOTHING
    if torch.is_grad_enabled():
        if any(p is not None and p.requires_grad for p in tensors):
            save = _STATE
        elif x.requires_grad or (v_init is not None and v_init.requires_grad):
            save = _CODES
    return torch.ops.lampyris.ilif(x, v_init, *tensors, values, max_spikes, save)[:2]


def ilif_expand(counts: Tensor, max_spikes: int) -> Tensor:
    """Write counts as binary steps: step t D + d is 1 where counts[t] > d, D = max_spikes.

    The D steps of a count add up to it, so that a linear synapse followed by a sum over them gives what it
    gives for the count. Gradient: the mean over the D steps, which is the gradient through such a synapse.

    Args:
        counts: [T, ...] of integers 0 to D in float32, float64, bfloat16 or float16.
        max_spikes: D, 1 to 255.

    Returns:
        Spikes 0 and 1 [T D, ...] in the dtype and memory order of counts.

    Raises:
        ValueError: a shape, dtype or value is not one of the above.

    Example:
        >>> import torch
        >>> ilif_expand(torch.tensor([[2.0], [0.0]]), 3).flatten().tolist()
        [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    return torch.ops.lampyris.ilif_expand(counts, max_spikes)


def _rows(x: Tensor, rows: int | None, dtype: torch.dtype) -> Tensor:
    return _layout.empty_steps(x, _layout.step_order(x), rows).to(dtype)


def _compute_dtype(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype == torch.float64 else torch.float32


@torch.library.register_fake("lampyris::ilif")
def _(x, v_init, decay, threshold, gain, values, max_spikes, save):
    steps, compute = x.shape[0], _compute_dtype(x.dtype)
    codes = state = None
    if save == _CODES:
        codes = _rows(x, (steps + _STEPS_PER_BYTE - 1) // _STEPS_PER_BYTE, torch.uint8)
    if save == _STATE:
        state = _rows(x, steps, compute)
    return _rows(x, steps, x.dtype), _rows(x, None, compute), codes, state


@torch.library.register_fake("lampyris::_ilif_backward")
def _(grad_counts, grad_membrane, x, codes, state, v_init, decay, threshold, gain, values, max_spikes,
      steps, dtype, wanted):  # fmt: skip
    saved = codes if state is None else state
    each = [_rows(saved, None, _compute_dtype(dtype)) if w else None for w in wanted]
    return _rows(saved, steps, dtype), *each


@torch.library.register_fake("lampyris::ilif_expand")
def _(counts, max_spikes):
    return _rows(counts, counts.shape[0] * max_spikes, counts.dtype)


def _setup(ctx, inputs, output) -> None:
    x, v_init, *parameters, ctx.values, ctx.max_spikes, ctx.save = inputs
    _, _, codes, state = output
    reads_x = ctx.save == _STATE
    ctx.save_for_backward(x if reads_x else None, codes, state, v_init if reads_x else None, *parameters)
    ctx.steps, ctx.dtype = x.shape[0], x.dtype
    ctx.set_materialize_grads(False)


def _backward(ctx, grad_counts, grad_membrane, *_):
    x, codes, state, v_init, *parameters = ctx.saved_tensors
    if ctx.save == _NOTHING:
        raise RuntimeError("ilif: x must require grad when the operator is called, got a call without")
    if grad_counts is None and grad_membrane is None:
        return (None,) * 8
    wanted = list(ctx.needs_input_grad[1:5])
    grad_x, grad_v, *grads = torch.ops.lampyris._ilif_backward(
        grad_counts, grad_membrane, x, codes, state, v_init, *parameters,
        ctx.values, ctx.max_spikes, ctx.steps, ctx.dtype, wanted,
    )  # fmt: skip
    grads = [None if g is None else g.sum_to_size(p.shape) for g, p in zip(grads, parameters, strict=True)]
    return grad_x, grad_v, *grads, None, None, None


def _expand_setup(ctx, inputs, output) -> None:
    ctx.max_spikes = inputs[1]


def _expand_backward(ctx, grad):
    return grad.unflatten(0, (-1, ctx.max_spikes)).mean(1), None


def _no_double_backward(ctx, *grads):
    raise RuntimeError("ilif: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::ilif", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_ilif_backward", _no_double_backward)
torch.library.register_autograd("lampyris::ilif_expand", _expand_backward, setup_context=_expand_setup)

"""Leaky integrate-and-fire neurons over all time steps in one call."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops import _layout
from lampyris.ops.spikes import Spikes

__all__ = ["lif"]

_OUTPUTS = ("dense", "packed")
_MEMBRANES = ("last", "trace", None)
_STEPS_PER_BYTE = 4


def lif(
    x: Tensor,
    decay: float | Tensor,
    threshold: float | Tensor,
    *,
    gain: float | Tensor = 1.0,
    reset: str = "hard",
    v_reset: float = 0.0,
    detach_reset: bool = True,
    inclusive: bool = False,
    surrogate: str = "rectangle",
    width: float | Tensor = 1.0,
    v_init: Tensor | None = None,
    rounding: str = "none",
    output: str = "dense",
    membrane: str | None = "last",
) -> tuple[Tensor | Spikes, Tensor | None]:
    """Run leaky integrate-and-fire neurons over T steps.

    U = v_reset + decay (V - v_reset) + gain x; spike where U > threshold; V is U after the reset.

    Args:
        x: input currents [T, ...], T >= 1, float32 (or float64), in the unit of the threshold. Any
            strides: an expanded T, channels_last maps and transposed [B, T, ...] views are read in place.
        decay: share of the membrane kept per step; like ``threshold``, ``gain`` and ``width`` a float
            or a Tensor broadcastable to x.shape[1:] (a channel of maps is [C, 1, 1]).
        threshold: firing threshold.
        gain: factor of the input.
        reset: "hard" sets V = v_reset after a spike, "soft" subtracts the threshold.
        v_reset: value of a hard reset and resting value of the leak.
        detach_reset: no gradient through the reset.
        inclusive: spike where U >= threshold.
        surrogate: "rectangle": ds/dU = 1 / width where abs(U - threshold) < width / 2. Not
            differentiable with respect to ``width``.
        width: width of the surrogate, > 0.
        v_init: membrane before the first step, shape x.shape[1:]; 0 when None.
        rounding: "none", or "floor": U = sat18(floor(U)), the 18-bit integer membrane of
            docs/contract.md section 3 (gradient of the floor 1; of the saturation 1 inside, limits
            included, 0 outside).
        output: "dense" returns float spikes; "packed" returns :class:`Spikes`, packed along C of
            maps [T, B, C, H, W], else along the last dimension.
        membrane: "last" (V after the last step), "trace" (V after every step) or None; V is after reset.

    Returns:
        (spikes [T, ...], membrane x.shape[1:] or [T, ...] or None). Dense outputs keep the memory order
        of x[0].

    Raises:
        ValueError: a shape, dtype, device or option is not one of the above.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.6], [0.6], [0.6]])
        >>> spikes, v = lif(x, decay=0.5, threshold=1.0)
        >>> spikes.flatten().tolist(), v.tolist()
        ([0.0, 0.0, 1.0], [0.0])

    Source: Wu et al., Spatio-temporal backpropagation, Frontiers in Neuroscience 2018 (rectangle
    surrogate, detached hard reset as in EMS-YOLO).
    """
    if output not in _OUTPUTS:
        raise ValueError(f"lif: output must be one of {_words(_OUTPUTS)}, got {output!r}")
    if membrane not in _MEMBRANES:
        raise ValueError(f"lif: membrane must be one of {_words(_MEMBRANES)}, got {membrane!r}")
    tensors: list[Tensor | None] = []
    values: list[float] = []
    for p in (decay, threshold, gain, width):
        is_tensor = isinstance(p, Tensor)
        tensors.append(p if is_tensor else None)
        values.append(0.0 if is_tensor else float(p))
    if tensors[3] is not None and tensors[3].requires_grad:
        raise ValueError("lif: width must not require grad, got a tensor that does")
    grads = torch.is_grad_enabled()
    learned = grads and any(p is not None and p.requires_grad for p in tensors)
    save_codes = grads and (learned or x.requires_grad or (v_init is not None and v_init.requires_grad))
    save_state = learned or (save_codes and reset == "hard" and not detach_reset)
    spikes, v, _, _, words = torch.ops.lampyris.lif(
        x,
        v_init,
        *tensors,
        [*values, float(v_reset)],
        reset,
        detach_reset,
        inclusive,
        surrogate,
        rounding,
        output,
        membrane or "none",
        save_codes,
        save_state,
    )
    if output == "packed":
        spikes = Spikes(words, spikes, _layout.packed_dim(x))
    return spikes, v


def _words(words: tuple[str | None, ...]) -> str:
    return ", ".join(map(repr, words))


def _order(x: Tensor, output: str) -> list[int]:
    return _layout.packed_order(x) if output == "packed" else _layout.step_order(x)


@torch.library.register_fake("lampyris::lif")
def _(x, v_init, decay, threshold, gain, width, values, reset, detach_reset, inclusive, surrogate,
      rounding, output, membrane, save_codes, save_state):  # fmt: skip
    order = _order(x, output)
    steps, neurons = x.shape[0], 1
    for size in x.shape[1:]:
        neurons = neurons * size
    v = None
    if membrane != "none":
        v = _layout.empty_steps(x, order, steps if membrane == "trace" else None)
    rows = (steps + _STEPS_PER_BYTE - 1) // _STEPS_PER_BYTE
    codes = x.new_empty((rows, neurons), dtype=torch.uint8) if save_codes else None
    state = x.new_empty((steps, neurons)) if save_state else None
    if output == "dense":
        return _layout.empty_steps(x, order, steps), v, codes, state, None
    dim = _layout.packed_dim(x)
    shape = [*x.shape[:dim], *x.shape[dim + 1 :], (x.shape[dim] + 31) // 32]
    words = x.new_empty(shape, dtype=torch.int32)
    return x.new_empty_strided(x.shape, (0,) * x.dim()), v, codes, state, words


@torch.library.register_fake("lampyris::_lif_backward")
def _(grad_spikes, grad_membrane, x, codes, state, v_init, decay, threshold, gain, width, values,
      reset, detach_reset, inclusive, surrogate, rounding, output, membrane, wanted):  # fmt: skip
    order = _order(x, output)
    each = [_layout.empty_steps(x, order, None) if w else None for w in wanted]
    return _layout.empty_steps(x, order, x.shape[0]), *each


def _setup(ctx, inputs, output) -> None:
    x, v_init, decay, threshold, gain, width, *ctx.options = inputs
    _, _, codes, state, _ = output
    ctx.save_for_backward(x, codes, state, v_init, decay, threshold, gain, width)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad_spikes, grad_membrane, *_):
    x, codes, state, v_init, *parameters = ctx.saved_tensors
    *options, save_codes, _ = ctx.options
    if not save_codes:
        raise RuntimeError("lif: x must require grad when the operator is called, got a call without")
    if grad_spikes is None and grad_membrane is None:
        return (None,) * 16
    wanted = list(ctx.needs_input_grad[1:5])
    grad_x, grad_v, *grads = torch.ops.lampyris._lif_backward(
        grad_spikes, grad_membrane, x, codes, state, v_init, *parameters, *options, wanted
    )
    grads = [
        None if g is None else g.sum_to_size(p.shape) for g, p in zip(grads, parameters[:3], strict=True)
    ]
    return grad_x, grad_v, *grads, *(None,) * 11


def _no_double_backward(ctx, *grads):
    raise RuntimeError("lif: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::lif", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_lif_backward", _no_double_backward)
for _device in ("cpu", "cuda"):
    torch.library.register_autocast("lampyris::lif", _device, torch.float32)

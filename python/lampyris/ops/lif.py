"""Leaky integrate-and-fire neurons over all time steps in one call."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lampyris.ops import _layout, _lif_autograd
from lampyris.ops.spikes import Spikes

__all__ = ["lif"]

# Words in the order of the operator's integers (csrc/ops/lif/lif_tensors.h).
_RESETS = ("hard", "soft", "none")
_SURROGATES = ("rectangle", "triangle", "sigmoid", "atan", "fast_sigmoid", "piecewise_exponential")
_ROUNDINGS = ("none", "floor")
_OUTPUTS = ("dense", "packed")
_MEMBRANES = (None, "last", "trace")
_HALVES = (torch.bfloat16, torch.float16)


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
    surrogate: str | Callable[[Tensor], Tensor] = "rectangle",
    width: float | Tensor = 1.0,
    v_init: Tensor | None = None,
    rounding: str = "none",
    output: str = "dense",
    membrane: str | None = "last",
) -> tuple[Tensor | Spikes, Tensor | None]:
    """Run leaky integrate-and-fire neurons over T steps.

    U = v_reset + decay (V - v_reset) + gain x; spike where U > threshold; V is U after the reset.
    With decay 1 it is integrate-and-fire; with learned tensors parametric LIF.

    Args:
        x: input currents [T, ...], T >= 1, float32, float64, bfloat16 or float16, in the unit of the
            threshold. Any strides: an expanded T, channels_last maps and transposed [B, T, ...] views are
            read in place. The membrane is computed in float32 (float64 for float64 x); NaN never fires
            and stays in the membrane.
        decay: share of the membrane kept per step; like ``threshold``, ``gain`` and ``width`` a finite
            float or a Tensor broadcastable to x.shape[1:] (a channel of maps is [C, 1, 1]) in the
            membrane's dtype or a half one. Values of tensors are not checked.
        threshold: firing threshold; as a float not NaN, and infinity never fires.
        gain: factor of the input.
        reset: "hard" sets V = v_reset after a spike, "soft" subtracts the threshold, "none" leaves U.
        v_reset: value of a hard reset and resting value of the leak.
        detach_reset: no gradient through the reset's spike.
        inclusive: spike where U >= threshold.
        surrogate: ds/dU, of area 1 over the distance d = U - threshold: "rectangle", "triangle",
            "sigmoid", "atan", "fast_sigmoid" or "piecewise_exponential" (formulas: csrc/core/surrogate.h),
            or a callable d -> ds/dU of float tensors [T, ...], evaluated in the backward (slower, and
            ``width`` is its own affair). Not differentiable with respect to ``width``.
        width: scale of the surrogate, > 0: the rectangle is 1 / width where abs(d) < width / 2.
            SpikingJelly's alpha and snnTorch's atan alpha and sigmoid slope are 1 / width.
        v_init: membrane before the first step, shape x.shape[1:]; 0 when None.
        rounding: "none", or "floor": U = sat18(floor(U)), the 18-bit integer membrane of
            docs/contract.md section 3, x float32 or float64 (gradient of the floor 1; of the saturation
            1 inside, limits included, 0 outside).
        output: "dense" returns float spikes; "packed" returns :class:`Spikes`, packed along C of
            maps [T, B, C, H, W], else along the last dimension.
        membrane: "last" (V after the last step), "trace" (V after every step) or None; V is after reset.

    Returns:
        (spikes [T, ...] in x's dtype, membrane x.shape[1:] or [T, ...] in float32 (float64 for float64 x)
        or None). Dense outputs keep the memory order of x[0].

    Saved for the backward: 2 bits a neuron-step for the rectangle with a reset that is detached, soft or
    none and parameters that do not learn; else U, 4 bytes (and x for learned parameters).

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
    given = None if isinstance(surrogate, str) else surrogate
    if given is not None and not callable(given):
        raise ValueError(f"lif: surrogate must be a name or a callable, got {type(given).__name__}")
    tensors: list[Tensor | None] = []
    values: list[float] = []
    half = x.dtype in _HALVES
    for p in (decay, threshold, gain, width):
        if isinstance(p, Tensor):
            tensors.append(p.float() if half and p.dtype == x.dtype else p)
            values.append(1.0)
        else:
            tensors.append(None)
            values.append(float(p))
    if v_init is not None and half and v_init.dtype == x.dtype:
        v_init = v_init.float()
    if tensors[3] is not None and tensors[3].requires_grad:
        raise ValueError("lif: width must not require grad, got a tensor that does")
    options = [
        _choice("reset", reset, _RESETS),
        int(detach_reset),
        int(inclusive),
        len(_SURROGATES) if given is not None else _choice("surrogate", surrogate, _SURROGATES),
        _choice("rounding", rounding, _ROUNDINGS),
        _choice("output", output, _OUTPUTS),
        _choice("membrane", membrane, _MEMBRANES),
    ]
    values.append(float(v_reset))
    spikes, v, words, codes = _lif_autograd.run(x, v_init, tensors, values, options, given)
    if words is None:
        return spikes, v
    windows = codes is not None and x.dim() == 5 and codes.movedim(2, -1).is_contiguous()
    return Spikes(words, spikes, _layout.packed_dim(x), codes if windows else None), v


def _choice(name: str, word: str | None, words: tuple[str | None, ...]) -> int:
    if word not in words:
        listed = ", ".join(map(repr, (*words[1:], None) if words[0] is None else words))
        raise ValueError(f"lif: {name} must be one of {listed}, got {word!r}")
    return words.index(word)

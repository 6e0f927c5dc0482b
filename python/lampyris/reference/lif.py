"""Leaky integrate-and-fire neurons over T steps, step by step in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["lif"]

SURROGATES = ("rectangle", "triangle", "sigmoid", "atan", "fast_sigmoid", "piecewise_exponential")
_MEMBRANE_MIN = -(2.0**17)
_MEMBRANE_MAX = 2.0**17 - 1.0


def derivative(surrogate: str | Callable[[Tensor], Tensor], distance: Tensor, width: Tensor) -> Tensor:
    """ds/dU at U - threshold = distance; the formulas of csrc/core/surrogate.h."""
    if not isinstance(surrogate, str):
        return surrogate(distance)
    z = distance.abs() / width
    if surrogate == "rectangle":
        return torch.where(distance.abs() < width / 2, 1 / width, 0.0)
    if surrogate == "triangle":
        return (1 - z).clamp(min=0) / width
    if surrogate == "sigmoid":
        return torch.sigmoid(z) * torch.sigmoid(-z) / width
    if surrogate == "atan":
        return 0.5 / (width * (1 + (math.pi / 2 * z) ** 2))
    if surrogate == "fast_sigmoid":
        return 0.5 / (width * (1 + z) ** 2)
    return 0.5 * torch.exp(-z) / width


class _Fire(torch.autograd.Function):
    """Spike where u > threshold (>= if inclusive); the surrogate in backward."""

    @staticmethod
    def forward(ctx, u, threshold, width, inclusive, surrogate):
        ctx.save_for_backward(u - threshold, width)
        ctx.surrogate = surrogate
        return (u >= threshold if inclusive else u > threshold).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        distance, width = ctx.saved_tensors
        grad = grad * derivative(ctx.surrogate, distance, width)
        return grad, -grad, None, None, None


class _FloorSaturate(torch.autograd.Function):
    """sat18(floor(u)); gradient 1 where floor(u) fits 18 bits, else 0."""

    @staticmethod
    def forward(ctx, u):
        floor = u.floor()
        ctx.save_for_backward((floor >= _MEMBRANE_MIN) & (floor <= _MEMBRANE_MAX))
        return floor.clamp(_MEMBRANE_MIN, _MEMBRANE_MAX)

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return torch.where(inside, grad, torch.zeros_like(grad))


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
) -> tuple[Tensor, Tensor | None]:
    """The twin of :func:`lampyris.ops.lif`; see there for every argument.

    Args:
        x: input currents [T, ...].
        decay: float or Tensor broadcastable to x.shape[1:], like threshold, gain and width.
        threshold: firing threshold.

    Returns:
        (spikes, membrane); spikes [T, ...] or :class:`lampyris.ops.Spikes`.

    Raises:
        ValueError: an option is not one of its words.

    Example:
        >>> import torch
        >>> spikes, v = lif(torch.tensor([[0.6], [0.6], [0.6]]), decay=0.5, threshold=1.0)
        >>> spikes.flatten().tolist(), v.tolist()
        ([0.0, 0.0, 1.0], [0.0])
    """
    _one_of("reset", reset, ("hard", "soft", "none"))
    if isinstance(surrogate, str):
        _one_of("surrogate", surrogate, SURROGATES)
    _one_of("rounding", rounding, ("none", "floor"))
    _one_of("output", output, ("dense", "packed"))
    _one_of("membrane", membrane, ("last", "trace", None))
    dtype = x.dtype
    x = x if dtype == torch.float64 else x.float()
    decay, threshold, gain, width = (
        p.to(x.dtype) if isinstance(p, Tensor) else x.new_tensor(p) for p in (decay, threshold, gain, width)
    )
    v = x.new_zeros(x.shape[1:]) if v_init is None else v_init.to(x.dtype)
    spikes, trace = [], []
    for current in x.unbind(0):
        u = v_reset + decay * (v - v_reset) + gain * current
        if rounding == "floor":
            u = _FloorSaturate.apply(u)
        spike = _Fire.apply(u, threshold, width, inclusive, surrogate)
        gate = spike.detach() if detach_reset else spike
        if reset == "hard":
            v = u * (1 - gate) + v_reset * gate
        else:
            v = u - threshold * gate if reset == "soft" else u
        spikes.append(spike)
        trace.append(v)
    out = torch.stack(spikes).to(dtype)
    if output == "packed":
        from lampyris.reference.pack_spikes import pack_spikes

        out = pack_spikes(out, dim=2 if out.dim() == 5 else -1)
    return out, {"last": v, "trace": torch.stack(trace), None: None}[membrane]


def _one_of(name: str, value: str | None, words: tuple[str | None, ...]) -> None:
    if value not in words:
        raise ValueError(f"lif: {name} must be one of {', '.join(map(repr, words))}, got {value!r}")

"""Leaky integrate-and-fire neurons over T steps, step by step in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["lif"]

_MEMBRANE_MIN = -(2.0**17)
_MEMBRANE_MAX = 2.0**17 - 1.0


class _Fire(torch.autograd.Function):
    """Spike where u > threshold (>= if inclusive); rectangle surrogate of area 1 in backward."""

    @staticmethod
    def forward(ctx, u, threshold, width, inclusive):
        ctx.save_for_backward((u - threshold).abs() < width / 2, width)
        return (u >= threshold if inclusive else u > threshold).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        window, width = ctx.saved_tensors
        grad = torch.where(window, grad * (1 / width), torch.zeros_like(grad))
        return grad, -grad, None, None


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
    surrogate: str = "rectangle",
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
    _one_of("reset", reset, ("hard", "soft"))
    _one_of("surrogate", surrogate, ("rectangle",))
    _one_of("rounding", rounding, ("none", "floor"))
    _one_of("output", output, ("dense", "packed"))
    _one_of("membrane", membrane, ("last", "trace", None))
    decay, threshold, gain, width = (
        p if isinstance(p, Tensor) else x.new_tensor(p) for p in (decay, threshold, gain, width)
    )
    v = x.new_zeros(x.shape[1:]) if v_init is None else v_init
    spikes, trace = [], []
    for current in x.unbind(0):
        u = v_reset + decay * (v - v_reset) + gain * current
        if rounding == "floor":
            u = _FloorSaturate.apply(u)
        spike = _Fire.apply(u, threshold, width, inclusive)
        gate = spike.detach() if detach_reset else spike
        v = u * (1 - gate) + v_reset * gate if reset == "hard" else u - threshold * gate
        spikes.append(spike)
        trace.append(v)
    out = torch.stack(spikes)
    if output == "packed":
        from lampyris.reference.pack_spikes import pack_spikes

        out = pack_spikes(out, dim=2 if out.dim() == 5 else -1)
    return out, {"last": v, "trace": torch.stack(trace), None: None}[membrane]


def _one_of(name: str, value: str | None, words: tuple[str | None, ...]) -> None:
    if value not in words:
        raise ValueError(f"lif: {name} must be one of {', '.join(map(repr, words))}, got {value!r}")

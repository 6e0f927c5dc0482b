"""I-LIF neurons and their expansion, step by step in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ilif", "ilif_expand"]


class _Count(torch.autograd.Function):
    """rint(clamp(ratio, 0, limit)); gradient 1 between the limits, included. NaN counts 0."""

    @staticmethod
    def forward(ctx, ratio, limit):
        ctx.save_for_backward((ratio >= 0) & (ratio <= limit))
        return ratio.nan_to_num(0.0).clamp(0, limit).round()

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return torch.where(inside, grad, torch.zeros_like(grad)), None


def ilif(
    x: Tensor,
    decay: float | Tensor,
    threshold: float | Tensor,
    max_spikes: int,
    *,
    gain: float | Tensor = 1.0,
    v_init: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The twin of :func:`lampyris.ops.ilif`; see there for every argument.

    Args:
        x: input currents [T, ...].
        decay: float or Tensor broadcastable to x.shape[1:], like threshold and gain.
        threshold: value of one spike.
        max_spikes: most spikes of a step.

    Returns:
        (counts [T, ...], membrane x.shape[1:]).

    Raises:
        ValueError: max_spikes is not 1 to 255.

    Example:
        >>> import torch
        >>> counts, v = ilif(torch.tensor([[2.25], [9.0]]), decay=0.25, threshold=1.0, max_spikes=4)
        >>> counts.flatten().tolist(), v.tolist()
        ([2.0, 4.0], [5.0625])
    """
    if not 1 <= max_spikes <= 255:
        raise ValueError(f"ilif: max_spikes must be in [1, 255], got {max_spikes}")
    dtype = x.dtype
    x = x if dtype == torch.float64 else x.float()
    v = x.new_zeros(x.shape[1:]) if v_init is None else v_init.to(x.dtype)
    counts = []
    for current in x.unbind(0):
        u = decay * v + gain * current
        count = _Count.apply(u / threshold, max_spikes)
        v = u - threshold * count.detach()
        counts.append(count)
    return torch.stack(counts).to(dtype), v


def ilif_expand(counts: Tensor, max_spikes: int) -> Tensor:
    """The twin of :func:`lampyris.ops.ilif_expand`.

    Args:
        counts: [T, ...] of integers 0 to max_spikes.
        max_spikes: D.

    Returns:
        [T D, ...].

    Raises:
        RuntimeError: shapes do not fit.

    Example:
        >>> import torch
        >>> ilif_expand(torch.tensor([[2.0], [0.0]]), 3).flatten().tolist()
        [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    return torch.stack([(counts > d).to(counts.dtype) for d in range(max_spikes)], 1).flatten(0, 1)

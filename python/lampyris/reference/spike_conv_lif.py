"""Convolution of spikes, residual and neurons, one after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.reference.lif import lif
from lampyris.reference.spike_conv2d import spike_conv2d

__all__ = ["spike_conv_lif"]

_SAT16 = (-(2**15), 2**15 - 1)


def spike_conv_lif(
    spikes,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    decay: float | Tensor,
    threshold: float | Tensor,
    residual: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    scale: float | Tensor | None = None,
    shift: int = 0,
    gain: float | Tensor = 1.0,
    reset: str = "hard",
    v_reset: float = 0.0,
    inclusive: bool = False,
    v_init: Tensor | None = None,
    stream: bool = False,
    membrane: bool = False,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The twin of :func:`lampyris.ops.spike_conv_lif`.

    Args:
        spikes: [T, B, C, H, W], dense or packed.
        weight: [Co, C / groups, kh, kw], float32 or int8.
        bias: [Co].
        decay: like ``threshold`` and ``gain`` a float or [Co] or [Co, 1, 1].
        threshold: firing threshold.

    Returns:
        (spikes as :class:`lampyris.ops.Spikes`, membrane or None, stream or None).

    Raises:
        RuntimeError: shapes do not fit.

    Example:
        >>> import torch
        >>> ones = torch.ones(2, 1, 1, 1, 2)
        >>> spikes, _, _ = spike_conv_lif(ones, torch.full((1, 1, 1, 1), 5.0), decay=0.5, threshold=6.0)
        >>> spikes.dense().flatten().tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    exact = weight.dtype == torch.int8 and scale is None
    geometry = {"stride": stride, "padding": padding, "groups": groups}
    if exact:
        x = spike_conv2d(spikes, weight, **geometry).long() << shift
        x = x if bias is None else x + bias.view(-1, 1, 1)
        x = x if residual is None else x + residual
        x = x.clamp(*_SAT16).to(torch.int16)
    else:
        x = spike_conv2d(spikes, weight, None if scale is not None else bias, scale=scale, **geometry)
        x = x if scale is None or bias is None else x + bias.view(-1, 1, 1)
        x = x if residual is None else x + residual
    decay, threshold, gain = (
        p.view(-1, 1, 1) if isinstance(p, Tensor) and p.dim() == 1 else p for p in (decay, threshold, gain)
    )
    fired, v = lif(
        x.float(),
        decay,
        threshold,
        gain=gain,
        reset=reset,
        v_reset=v_reset,
        inclusive=inclusive,
        v_init=v_init,
        rounding="floor" if exact else "none",
        output="packed",
    )
    return fired, v if membrane else None, x if stream else None

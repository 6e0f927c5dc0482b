"""Max-pooling of spikes: unpack, pool, pack."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops.spikes import Spikes
from lampyris.reference.pack_spikes import pack_spikes, unpack_spikes

__all__ = ["spike_max_pool2d"]


def spike_max_pool2d(spikes: Spikes | Tensor, kernel_size: int = 2, stride: int | None = None):
    """The twin of :func:`lampyris.ops.spike_max_pool2d`; see there for every argument.

    Example:
        >>> import torch
        >>> spike_max_pool2d(torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])).tolist()
        [[[[1.0]]]]
    """
    if isinstance(spikes, Spikes):
        dense = unpack_spikes(spikes, spikes.dtype)
        return pack_spikes(spike_max_pool2d(dense, kernel_size, stride), dim=spikes.dim)
    pooled = torch.nn.functional.max_pool2d(spikes.flatten(0, -4), kernel_size, stride)
    return pooled.unflatten(0, spikes.shape[:-3])

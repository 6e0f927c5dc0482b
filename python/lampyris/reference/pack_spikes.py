"""Spikes as bits and back, bit by bit."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["pack_spikes", "unpack_spikes"]

_WORD = 32


def pack_spikes(spikes: Tensor, *, dim: int = -1):
    """The twin of :func:`lampyris.ops.pack_spikes`.

    Args:
        spikes: [...] of 0 and 1.
        dim: dimension to pack.

    Returns:
        :class:`lampyris.ops.Spikes`.

    Raises:
        IndexError: ``dim`` is not a dimension.

    Example:
        >>> import torch
        >>> pack_spikes(torch.tensor([[1.0, 0.0, 1.0]])).words.tolist()
        [[5]]
    """
    from lampyris.ops.spikes import Spikes

    moved = (spikes != 0).movedim(dim, -1)
    length = moved.shape[-1]
    words = torch.zeros(*moved.shape[:-1], (length + _WORD - 1) // _WORD, dtype=torch.int64)
    for bit in range(length):
        words[..., bit // _WORD] |= moved[..., bit].to(torch.int64) << (bit % _WORD)
    words = torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)
    carrier = spikes.to(spikes.dtype if spikes.dtype.is_floating_point else torch.float32)
    carrier = carrier * 0 if carrier.requires_grad else carrier.new_zeros(()).expand(carrier.shape)
    return Spikes(words.to(spikes.device), carrier, dim)


def unpack_spikes(spikes, dtype: torch.dtype = torch.float32) -> Tensor:
    """The twin of :func:`lampyris.ops.unpack_spikes`, without gradient.

    Args:
        spikes: packed spikes.
        dtype: dtype of the result.

    Returns:
        Tensor of the logical shape.

    Raises:
        ValueError: never; ``spikes`` was checked when it was made.

    Example:
        >>> import torch
        >>> unpack_spikes(pack_spikes(torch.eye(2))).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    length = spikes.shape[spikes.dim]
    words = spikes.words.to(torch.int64)
    bits = [(words[..., bit // _WORD] >> (bit % _WORD)) & 1 for bit in range(length)]
    moved = torch.stack(bits, -1) if bits else words.new_zeros((*words.shape[:-1], 0))
    return moved.movedim(-1, spikes.dim).to(dtype)

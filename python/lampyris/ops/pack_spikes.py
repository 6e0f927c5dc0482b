"""Spikes as bits and back."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops.spikes import Spikes

__all__ = ["pack_spikes", "unpack_spikes"]


def pack_spikes(spikes: Tensor, *, dim: int = -1) -> Spikes:
    """Pack spikes 32 to a word along one dimension.

    Args:
        spikes: [...] of 0 and 1, float32, float64, bool or uint8; any other value than 0 counts as 1.
        dim: dimension to pack (C of maps [T, B, C, H, W] is 2).

    Returns:
        :class:`Spikes` of the same logical shape. Gradients pass unchanged.

    Raises:
        ValueError: no dimension, or a dtype not listed.

    Example:
        >>> import torch
        >>> pack_spikes(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])).words.tolist()
        [[3], [4]]
    """
    rank = spikes.dim()
    if not -rank <= dim < rank:
        raise ValueError(f"pack_spikes: dim must be in [{-rank}, {rank - 1}], got {dim}")
    dim %= rank
    carrier, words = torch.ops.lampyris.pack_spikes(spikes, dim)
    return Spikes(words, carrier, dim)


def unpack_spikes(spikes: Spikes, dtype: torch.dtype = torch.float32) -> Tensor:
    """Write packed spikes out as 0 and 1.

    Args:
        spikes: packed spikes of logical shape [...].
        dtype: float32, float64 or bool.

    Returns:
        Tensor [...], contiguous. Gradients pass unchanged.

    Raises:
        ValueError: another dtype.

    Example:
        >>> import torch
        >>> unpack_spikes(pack_spikes(torch.eye(2)), torch.bool).tolist()
        [[True, False], [False, True]]
    """
    return torch.ops.lampyris.unpack_spikes(spikes.carrier, spikes.words, spikes.dim, dtype)


@torch.library.register_fake("lampyris::pack_spikes")
def _(x, dim):
    shape = [*x.shape[:dim], *x.shape[dim + 1 :], (x.shape[dim] + 31) // 32]
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    carrier = x.new_empty_strided(x.shape, (0,) * x.dim(), dtype=dtype)
    return carrier, x.new_empty(shape, dtype=torch.int32)


@torch.library.register_fake("lampyris::unpack_spikes")
def _(carrier, words, dim, dtype):
    return carrier.new_empty(carrier.shape, dtype=dtype)


def _pack_setup(ctx, inputs, output) -> None:
    ctx.dtype = inputs[0].dtype
    ctx.set_materialize_grads(False)


def _pack_backward(ctx, grad_carrier, _):
    return None if grad_carrier is None else grad_carrier.to(ctx.dtype), None


def _unpack_setup(ctx, inputs, output) -> None:
    ctx.dtype = inputs[0].dtype
    ctx.set_materialize_grads(False)


def _unpack_backward(ctx, grad):
    return None if grad is None else grad.to(ctx.dtype), None, None, None


torch.library.register_autograd("lampyris::pack_spikes", _pack_backward, setup_context=_pack_setup)
torch.library.register_autograd("lampyris::unpack_spikes", _unpack_backward, setup_context=_unpack_setup)

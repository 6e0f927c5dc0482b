"""Packed spikes that carry gradient."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Spikes"]


class Spikes:
    """Spikes as bits, plus a zero-stride carrier of the logical shape that autograd flows through.

    Args:
        words: int32, dimension ``dim`` moved last and packed 32 to a word, least significant bit
            first, zero-padded: maps [T, B, C, H, W] give [T, B, H, W, ceil(C / 32)].
        carrier: floating-point zeros of the logical shape, one element of memory.
        dim: the packed dimension of the logical shape.
        windows: set by ``lif`` for maps whose neurons read the carrier's gradient only where a
            rectangle surrogate's window is open: its codes [ceil(T / 4), B, C, H, W], bit 2 (t % 4) of
            row t // 4. A consumer may leave the gradient 0 elsewhere.

    Example:
        >>> import torch
        >>> from lampyris import ops
        >>> spikes = ops.pack_spikes(torch.tensor([[1.0, 0.0, 1.0]]))
        >>> spikes.shape, spikes.words.tolist(), spikes.dense().tolist()
        (torch.Size([1, 3]), [[5]], [[1.0, 0.0, 1.0]])
    """

    __slots__ = ("carrier", "dim", "windows", "words")

    def __init__(self, words: Tensor, carrier: Tensor, dim: int = -1, windows: Tensor | None = None) -> None:
        rank = carrier.dim()
        if not -rank <= dim < rank:
            raise ValueError(f"Spikes: dim must be in [{-rank}, {rank - 1}], got {dim}")
        self.words = words
        self.carrier = carrier
        self.dim = dim % rank
        self.windows = windows
        shape = list(carrier.shape)
        want = [*shape[: self.dim], *shape[self.dim + 1 :], (shape[self.dim] + 31) // 32]
        if list(words.shape) != want or words.dtype != torch.int32:
            raise ValueError(
                f"Spikes: words must be int32 with shape {want}, got {words.dtype} {list(words.shape)}"
            )

    @property
    def shape(self) -> torch.Size:
        return self.carrier.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.carrier.dtype

    @property
    def device(self) -> torch.device:
        return self.words.device

    @property
    def requires_grad(self) -> bool:
        return self.carrier.requires_grad

    def dim_size(self) -> int:
        """Length of the packed dimension."""
        return self.carrier.shape[self.dim]

    def dense(self, dtype: torch.dtype | None = None) -> Tensor:
        """The spikes as 0 and 1 in the logical shape; the carrier's dtype by default, differentiable."""
        from lampyris.ops.pack_spikes import unpack_spikes

        return unpack_spikes(self, dtype or self.carrier.dtype)

    def detach(self) -> Spikes:
        """The same bits without gradient."""
        return Spikes(self.words, self.carrier.detach(), self.dim)

    def to(self, device: torch.device | str) -> Spikes:
        """The same spikes on another device."""
        carrier = self.carrier.to(device)
        windows = None if self.windows is None else self.windows.to(device)
        return Spikes(self.words.to(device), carrier, self.dim, windows)

    def __repr__(self) -> str:
        return f"Spikes(shape={list(self.shape)}, dim={self.dim}, device={self.device})"

"""Dropout whose mask is shared by all time steps."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Dropout"]


class Dropout(torch.nn.Module):
    """Zero elements of x [T, B, ...] with probability p, the same ones at every step; scale the others.

    A connection is dropped for the whole sequence; an independent mask per step would average out in the
    membrane (as in SpikingJelly and Norse). In evaluation, and at p = 0, x is returned as it is.

    Args:
        p: probability of zero, in [0, 1).
        channels: drop whole channels of maps [T, B, C, H, W], as `torch.nn.Dropout2d`.

    Raises:
        ValueError: p out of range.

    Example:
        >>> import torch
        >>> y = Dropout(0.5)(torch.ones(4, 2, 8))
        >>> bool((y == y[0]).all()), sorted({*y.flatten().tolist()}) in ([0.0, 2.0], [0.0], [2.0])
        (True, True)
    """

    takes_state = True

    def __init__(self, p: float = 0.5, *, channels: bool = False) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p must be in [0, 1), got {p}")
        self.p = p
        self.channels = channels

    def forward(self, x: Tensor, state: Tensor | None = ...) -> Tensor | tuple[Tensor, Tensor | None]:
        """x [T, B, ...] -> the same shape; with ``state`` (a mask of an earlier call, or None), (y, mask)."""
        mask = None if state is ... else state
        if not self.training or self.p == 0:
            return x if state is ... else (x, mask)
        if mask is None:
            mask = self._mask(x)
        y = x * mask
        return y if state is ... else (y, mask)

    def _mask(self, x: Tensor) -> Tensor:
        if self.channels and x.dim() < 3:
            raise ValueError(f"Dropout: x must have shape [T, B, C, ...], got {list(x.shape)}")
        shape = [*x.shape[1:3], *[1] * (x.dim() - 3)] if self.channels else list(x.shape[1:])
        keep = torch.rand(shape, device=x.device) >= self.p
        return keep.to(x.dtype) / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}" + (", channels=True" if self.channels else "")

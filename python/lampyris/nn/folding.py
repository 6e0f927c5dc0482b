"""Applying a per-image operation to [T, B, ...] tensors without copies."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

__all__ = ["batch_first", "check_rank", "fold", "per_image"]


def check_rank(layer: str, x: Tensor) -> None:
    """Raise ValueError unless ``x`` has shape [T, B, C, H, W]."""
    if x.dim() != 5:
        raise ValueError(f"{layer}: x must have shape [T, B, C, H, W], got {list(x.shape)}")


def batch_first(x: Tensor) -> Tensor:
    """[B, T, ...] seen as [T, B, ...], or back: a view, never a copy.

    The layers of lampyris.nn take time first and read any strides, so that batch-first data passes through
    a network without being moved: convolutions fold it in memory order, neurons read it in place (and write
    time first).

    Raises:
        ValueError: fewer than two dimensions.

    Example:
        >>> import torch
        >>> from lampyris import nn
        >>> x = torch.randn(8, 4, 3, 16, 16)  # B = 8, T = 4
        >>> y = nn.batch_first(nn.LIF()(nn.batch_first(x)))
        >>> y.shape, nn.batch_first(x).data_ptr() == x.data_ptr()
        (torch.Size([8, 4, 3, 16, 16]), True)
    """
    if x.dim() < 2:
        raise ValueError(f"batch_first: x must have shape [B, T, ...], got {list(x.shape)}")
    return x.transpose(0, 1)


def per_image(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply ``function`` ([N, ...] -> [N, ...]) to every image of x [T, B, ...].

    Where all steps are one tensor (a stem's output expanded over T, stride 0), the work is done once and the
    result expanded again. ``function`` must act on every image alone.
    """
    steps = x.shape[0]
    if steps > 1 and x.stride(0) == 0:
        out = function(x[0]).unsqueeze(0)
        return out.expand(steps, *(-1,) * (out.dim() - 1))
    return fold(function, x)


def fold(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`per_image` for a ``function`` that reads statistics of all N = T B images.

    N runs in memory order: batch first for transposed [B, T, ...] views, so that they are not copied.
    """
    steps, batch = x.shape[:2]
    if steps > 1 and batch > 1 and x.stride(0) < x.stride(1) and x.stride(0) > 0:
        return function(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (batch, steps)).transpose(0, 1)
    return function(x.flatten(0, 1)).unflatten(0, (steps, batch))

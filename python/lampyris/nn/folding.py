"""Applying a per-image operation to [T, B, ...] tensors without copies."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

__all__ = ["check_rank", "per_image"]


def check_rank(layer: str, x: Tensor) -> None:
    """Raise ValueError unless ``x`` has shape [T, B, C, H, W]."""
    if x.dim() != 5:
        raise ValueError(f"{layer}: x must have shape [T, B, C, H, W], got {list(x.shape)}")


def per_image(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply ``function`` ([N, C, H, W] -> [N, C', H', W']) to every image of x [T, B, C, H, W].

    Where all steps are one tensor (a stem's output expanded over T, stride 0), the work is done once and the
    result expanded again. ``function`` must act on every image alone.
    """
    steps, batch = x.shape[:2]
    if steps > 1 and x.stride(0) == 0:
        return function(x[0]).unsqueeze(0).expand(steps, *(-1,) * 4)
    return function(x.flatten(0, 1)).unflatten(0, (steps, batch))

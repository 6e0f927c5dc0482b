"""Masks that keep the largest weights, by sorting."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["magnitude_mask", "nm_mask"]


def magnitude_mask(weights: Sequence[Tensor], sparsity: float, *, scope: str = "global") -> list[Tensor]:
    """The twin of :func:`lampyris.ops.magnitude_mask`.

    Args:
        weights: tensors of any shapes.
        sparsity: share to prune.
        scope: "global" or "layer".

    Returns:
        One bool tensor like each weight; False is pruned.

    Raises:
        ValueError: unknown scope.

    Example:
        >>> import torch
        >>> magnitude_mask([torch.tensor([0.5, -2.0, 0.5])], 1 / 3)
        [tensor([ True,  True, False])]
    """
    if scope == "layer":
        return [magnitude_mask([w], sparsity)[0] for w in weights]
    if scope != "global":
        raise ValueError(f"magnitude_mask: scope must be one of 'global', 'layer', got {scope!r}")
    flat = torch.cat([w.detach().reshape(-1) for w in weights]).abs()
    falling = torch.argsort(flat, descending=True, stable=True)
    kept = torch.zeros(flat.numel(), dtype=torch.bool, device=flat.device)
    kept[falling[: flat.numel() - round(sparsity * flat.numel())]] = True
    parts = kept.split([w.numel() for w in weights])
    return [part.reshape(w.shape) for part, w in zip(parts, weights, strict=True)]


def nm_mask(weight: Tensor, n: int = 2, m: int = 4, *, dim: int = 1) -> Tensor:
    """The twin of :func:`lampyris.ops.nm_mask`.

    Args:
        weight: [...], weight.shape[dim] a multiple of m.
        n: kept per group.
        m: size of a group.
        dim: dimension that groups run along.

    Returns:
        Bool tensor like ``weight``.

    Raises:
        RuntimeError: weight.shape[dim] is not a multiple of m.

    Example:
        >>> import torch
        >>> nm_mask(torch.tensor([[1.0, -1.0, 1.0, 0.0]])).tolist()
        [[True, True, False, False]]
    """
    groups = weight.detach().movedim(dim, -1).unflatten(-1, (-1, m))
    falling = torch.argsort(groups.abs(), dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, falling[..., :n], True)
    return kept.flatten(-2).movedim(-1, dim)

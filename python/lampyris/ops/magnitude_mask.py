"""Masks that keep the largest weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["magnitude_mask", "nm_mask"]


def magnitude_mask(weights: Sequence[Tensor], sparsity: float, *, scope: str = "global") -> list[Tensor]:
    """Keep the weights of largest magnitude, an exact number of them.

    rint(sparsity * n) of the n weights of a scope are pruned. Of equal magnitudes the later ones (in
    list order, then row-major) are pruned first. Not differentiable.

    Args:
        weights: float32 tensors of any shapes on one device.
        sparsity: share to prune, in [0, 1].
        scope: "global" ranks all weights together, "layer" each tensor by itself.

    Returns:
        One bool tensor like each weight; False is pruned.

    Raises:
        ValueError: a dtype, device, sparsity or scope is not one of the above.

    Example:
        >>> import torch
        >>> magnitude_mask([torch.tensor([0.5, -2.0]), torch.tensor([1.0, -0.5])], 0.5)
        [tensor([False,  True]), tensor([ True, False])]
    """
    weights = [w.detach() for w in weights]
    if not weights:
        return []
    return torch.ops.lampyris.magnitude_mask(weights, float(sparsity), scope)


def nm_mask(weight: Tensor, n: int = 2, m: int = 4, *, dim: int = 1) -> Tensor:
    """Keep the n largest magnitudes of every m consecutive weights along one dimension.

    Of equal magnitudes the first are kept. Not differentiable.

    Args:
        weight: float32 [...], weight.shape[dim] a multiple of m.
        n: kept per group.
        m: size of a group, at most 64.
        dim: dimension that groups run along (input channels of a convolution are 1).

    Returns:
        Bool tensor like ``weight``.

    Raises:
        ValueError: a shape, dtype or number is not one of the above.

    Example:
        >>> import torch
        >>> nm_mask(torch.tensor([[1.0, -3.0, 2.0, 0.0]])).tolist()
        [[False, True, True, False]]
    """
    rank = weight.dim()
    if not -rank <= dim < rank:
        raise ValueError(f"nm_mask: dim must be in [{-rank}, {rank - 1}], got {dim}")
    return torch.ops.lampyris.nm_mask(weight.detach(), n, m, dim % rank)


@torch.library.register_fake("lampyris::magnitude_mask")
def _(weights, sparsity, scope):
    return [w.new_empty(w.shape, dtype=torch.bool) for w in weights]


@torch.library.register_fake("lampyris::nm_mask")
def _(weight, n, m, dim):
    return weight.new_empty(weight.shape, dtype=torch.bool)

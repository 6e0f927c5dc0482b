"""What goat_aggregate leaves to torch on CUDA: sorting, and the sums of the backward.

Both run on any device; tests run them on the CPU. Every sum has a fixed order.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["order_by_sorting", "sum_steps"]


def _rows(row_ptr: Tensor, edges: int) -> Tensor:
    """The row of every place; some row where row_ptr is wrong."""
    row = torch.searchsorted(row_ptr, torch.arange(edges, device=row_ptr.device), right=True) - 1
    return row.clamp_(0, max(row_ptr.shape[0] - 2, 0))


def order_by_sorting(
    score: Tensor, row_ptr: Tensor, col: Tensor, per_source: bool, descending: bool
) -> Tensor:
    """Two stable sorts: by score, then by row."""
    if per_source and score.shape[0]:
        score = score.index_select(0, col.clamp(0, score.shape[0] - 1))
    elif per_source:
        score = score.new_zeros((col.shape[0], score.shape[1]))
    order = torch.sort(-score if descending else score, dim=0, stable=True).indices  # NaN last
    row = _rows(row_ptr, col.shape[0])
    by_row = torch.sort(row[order], dim=0, stable=True).indices
    return order.gather(0, by_row).T.int().contiguous()


def sum_steps(
    grad: Tensor, p: Tensor, factor: Tensor | None, order: Tensor, row_ptr: Tensor, col: Tensor,
    weight_hh: Tensor | None, bias: Tensor | None, states: Tensor, steps: Tensor, cell: str,
    early_exit: bool, decay: float, threshold: float, wants_factor: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:  # fmt: skip
    """Gradients of p, factor, weight_hh and bias from those of every step, [E, heads, G H] each."""
    by_input, by_state = torch.ops.lampyris._goat_steps_grad(
        grad, p, factor, order, row_ptr, col, weight_hh, bias, states, steps, cell, early_exit, decay,
        threshold,
    )  # fmt: skip
    sources, edges = p.shape[0], col.shape[0]
    grad_bias = None if bias is None else by_input.sum(0)
    grad_weight = None
    if weight_hh is not None:
        row = _rows(row_ptr, edges)
        first = torch.ones_like(row, dtype=torch.bool)
        first[1:] = row[1:] != row[:-1]
        h = states[:, :, 0].roll(1, 1).masked_fill(first[:, None], 0)  # before each step
        at = order.long().T[:, :, None].expand_as(by_input)
        by_state = (by_input if by_state is None else by_state).gather(0, at)
        grad_weight = torch.einsum("ehq,hek->hqk", by_state, h)
    if sources == 0:
        return (
            torch.zeros_like(p),
            None if factor is None else torch.zeros_like(factor),
            grad_weight,
            grad_bias,
        )
    known = (col >= 0) & (col < sources)
    source = col.clamp(0, sources - 1)
    by_input = by_input * known[:, None, None]
    grad_factor = None
    if factor is not None:
        if wants_factor:
            grad_factor = (by_input * p.index_select(0, source)).sum(2)
        by_input = by_input * factor[:, :, None]
    source, by_source = torch.sort(source, stable=True)
    lengths = torch.bincount(source, minlength=sources)
    grad_p = torch.segment_reduce(by_input[by_source].flatten(1), "sum", lengths=lengths, axis=0, unsafe=True)
    return grad_p.view(p.shape), grad_factor, grad_weight, grad_bias


torch.library.impl("lampyris::_goat_order", "CUDA", order_by_sorting)
torch.library.impl("lampyris::_goat_aggregate_backward", "CUDA", sum_steps)

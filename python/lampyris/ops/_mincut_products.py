"""The compiled pass over nodes and edges behind `mincut_pool`, its fake kernels and gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops._mincut_losses import Pooled, column_quantiles

__all__ = ["lift", "products", "turned_round"]

_forward = torch.ops.lampyris.mincut_pool.default
_backward = torch.ops.lampyris._mincut_pool_backward.default


def products(
    x: Tensor,
    logits: Tensor,
    row_ptr: Tensor,
    col: Tensor,
    edge_weight: Tensor | None,
    graph_ptr: Tensor,
    temperature: float,
    hard: bool,
    normalize: bool,
    variation: bool,
    symmetric: bool | None,
) -> Pooled:
    """[B, ...] products of every graph; see `Pooled`."""
    factor = None
    if normalize and col.dim() == 1 and row_ptr.dim() == 1:
        factor = _inverse_root_degrees(row_ptr, col, edge_weight, logits)
        if edge_weight is not None and edge_weight.requires_grad and torch.is_grad_enabled():
            row = torch.repeat_interleave(row_ptr.diff(), output_size=col.shape[0])
            edge_weight, factor = factor[row] * edge_weight * factor[col], None
    known = -1 if symmetric is None else int(symmetric)
    out = _forward(
        x, logits, row_ptr, col, edge_weight, factor, graph_ptr, temperature, hard, variation, known
    )
    return Pooled(*out[:6])


def _inverse_root_degrees(row_ptr: Tensor, col: Tensor, edge_weight: Tensor | None, logits: Tensor) -> Tensor:
    """[N]: D^-1/2, 0 for a node without neighbours."""
    if edge_weight is None:
        degree = row_ptr.diff().to(logits.dtype)
    else:
        row = torch.repeat_interleave(row_ptr.diff(), output_size=col.shape[0])
        degree = logits.new_zeros(row_ptr.shape[0] - 1).index_add(0, row, edge_weight)
    return torch.where(degree > 0, degree.clamp(min=1e-12).rsqrt(), torch.zeros_like(degree))


def lift(x: Tensor, s: Tensor, graph_ptr: Tensor) -> Tensor:
    """[N, F]: s x of every graph."""
    return torch.ops.lampyris.mincut_lift.default(x, s, graph_ptr)


@torch.library.register_fake("lampyris::mincut_pool")
def _(x, logits, row_ptr, col, edge_weight, factor, graph_ptr, temperature, hard, variation, symmetric):
    graphs, clusters = graph_ptr.shape[0] - 1, logits.shape[1]
    square = (graphs, clusters, clusters)
    return (
        x.new_empty(graphs, clusters, x.shape[1]),
        x.new_empty(square),
        x.new_empty(square),
        x.new_empty(graphs, 2, clusters),
        x.new_empty(graphs, 3),
        x.new_empty(logits.shape),
        x.new_empty(logits.shape) if hard else None,
        x.new_empty(logits.shape),
        x.new_empty(logits.shape) if variation else None,
        x.new_empty(x.shape[0]),
    )


@torch.library.register_fake("lampyris::_mincut_pool_backward")
def _(grad_pool, grad_adj, grad_gram, grad_columns, grad_totals, grad_s, x, s, soft, y, signs, degree,
      row_ptr, col, edge_weight, factor, graph_ptr, temperature, symmetric, wants_x, wants_logits,
      wants_weight):  # fmt: skip
    return (
        x.new_empty(x.shape) if wants_x else None,
        x.new_empty(s.shape) if wants_logits else None,
        x.new_empty(col.shape) if wants_weight else None,
    )


def _setup(ctx, inputs, output) -> None:
    x, _, row_ptr, col, edge_weight, factor, graph_ptr, ctx.temperature, _, _, ctx.symmetric = inputs
    pool, adj, gram, columns, totals, s, soft, y, signs, degree = output
    ctx.mark_non_differentiable(*(t for t in (soft, y, signs, degree) if t is not None))
    ctx.save_for_backward(x, s, soft, y, signs, degree, row_ptr, col, edge_weight, factor, graph_ptr)
    ctx.shapes = [t.shape for t in (pool, adj, gram, columns, totals)]
    ctx.set_materialize_grads(False)


def _gradients(ctx, *grads):
    saved = ctx.saved_tensors
    wants_x, wants_logits, wants_weight = (ctx.needs_input_grad[i] for i in (0, 1, 4))
    if all(grad is None for grad in grads[:6]):
        return (None,) * 11
    if saved[9] is not None and wants_weight:
        raise RuntimeError("mincut_pool: edge_weight must not require grad with a factor, got one that does")
    filled = [
        saved[0].new_zeros(shape) if grad is None else grad
        for grad, shape in zip(grads[:5], ctx.shapes, strict=True)
    ]
    to_x, to_logits, to_weight = _backward(
        *filled, grads[5], *saved, ctx.temperature, ctx.symmetric, wants_x, wants_logits, wants_weight
    )
    return to_x, to_logits, None, None, to_weight, *(None,) * 6


@torch.library.impl("lampyris::_mincut_pool_backward", "CUDA")
def _(grad_pool, grad_adj, grad_gram, grad_columns, grad_totals, grad_s, x, s, soft, y, signs, degree,
      row_ptr, col, edge_weight, factor, graph_ptr, temperature, symmetric, *wants):  # fmt: skip
    x, row_ptr, col, graph_ptr = (t.contiguous() for t in (x, row_ptr, col, graph_ptr))
    edge_weight, factor, grad_s = (
        None if t is None else t.contiguous() for t in (edge_weight, factor, grad_s)
    )
    z = signs_back = None
    mix_y = grad_adj.mT
    if symmetric == 1:
        mix_y = mix_y + grad_adj
    elif wants[1]:
        edges = (row_ptr, col, edge_weight)
        z, signs_back = torch.ops.lampyris._mincut_spread(
            s, *turned_round(*edges), factor, graph_ptr, signs is not None
        )
    grads = (t.contiguous() for t in (grad_pool, grad_adj, grad_columns, grad_totals))
    mixes = (t.contiguous() for t in (mix_y, grad_gram + grad_gram.mT, grad_pool.mT))
    return torch.ops.lampyris._mincut_grad(
        *grads, grad_s, *mixes, z, signs_back, x, s, soft, y, signs, degree, row_ptr, col, edge_weight,
        factor, graph_ptr, temperature, *wants,
    )  # fmt: skip


def turned_round(
    row_ptr: Tensor, col: Tensor, edge_weight: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Every edge turned round: row_ptr, col, edge_weight; columns out of range come to no row."""
    nodes = torch.arange(row_ptr.shape[0], device=col.device)
    row = torch.searchsorted(row_ptr, torch.arange(col.shape[0], device=col.device), right=True) - 1
    sources, edge = torch.sort(col, stable=True)
    back = torch.searchsorted(sources, nodes)
    return back, row[edge], None if edge_weight is None else edge_weight[edge]


@torch.library.register_fake("lampyris::_mincut_spread")
def _(s, row_ptr, col, edge_weight, factor, graph_ptr, variation):
    return s.new_empty(s.shape), s.new_empty(s.shape) if variation else None


@torch.library.register_fake("lampyris::_mincut_grad")
def _(grad_pool, grad_adj, grad_columns, grad_totals, grad_s, mix_y, mix_s, mix_x, z, signs_back, x, s,
      soft, y, signs, degree, row_ptr, col, edge_weight, factor, graph_ptr, temperature, wants_x,
      wants_logits, wants_weight):  # fmt: skip
    return (
        x.new_empty(x.shape) if wants_x else None,
        x.new_empty(s.shape) if wants_logits else None,
        x.new_empty(col.shape) if wants_weight else None,
    )


@torch.library.register_fake("lampyris::mincut_lift")
def _(x, s, graph_ptr):
    return x.new_empty(s.shape[0], x.shape[2])


@torch.library.register_fake("lampyris::_mincut_lift_backward")
def _(grad, x, s, graph_ptr):
    return x.new_empty(x.shape), x.new_empty(s.shape)


def _lift_setup(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs)


def _lift_gradients(ctx, grad):
    return *torch.ops.lampyris._mincut_lift_backward.default(grad, *ctx.saved_tensors), None


torch.library.impl("lampyris::_column_quantiles", "CUDA")(column_quantiles)


@torch.library.register_fake("lampyris::_column_quantiles")
def _(s, graph_ptr):
    return graph_ptr.new_empty(graph_ptr.shape[0] - 1, s.shape[1])


def _no_double_backward(ctx, *grads):
    raise RuntimeError("mincut_pool: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::mincut_pool", _gradients, setup_context=_setup)
torch.library.register_autograd("lampyris::mincut_lift", _lift_gradients, setup_context=_lift_setup)
for _name in ("_mincut_pool_backward", "_mincut_lift_backward"):
    torch.library.register_autograd(f"lampyris::{_name}", _no_double_backward)

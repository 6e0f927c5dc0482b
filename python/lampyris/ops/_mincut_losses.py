"""The losses and the pooled graph of minCUT pooling and its relatives, from K x K matrices of each graph."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["LOSSES", "Pooled", "column_quantiles", "connect", "losses"]

LOSSES = ("mincut", "dmon", "just_balance", "total_variation")
# Below every degree, trace and norm that means something; only 0 is lifted to it.
_EPS = 1e-12


class Pooled(NamedTuple):
    """What one pass over nodes and edges gives; everything below is computed from it.

    Attributes:
        x: [B, K, F] S^T X.
        adj: [B, K, K] S^T A S.
        gram: [B, K, K] S^T S.
        columns: [B, 2, K] S^T d and S^T 1, d the weighted degrees.
        totals: [B, 3] sum of d |s|^2; sum of d; sum over edges of weight |s_i - s_j|_1 (where asked for).
        s: [N, K] the assignment, rows sum to 1.
    """

    x: Tensor
    adj: Tensor
    gram: Tensor
    columns: Tensor
    totals: Tensor
    s: Tensor


def losses(kind: str, pooled: Pooled, row_ptr: Tensor, graph_ptr: Tensor) -> tuple[Tensor, Tensor]:
    """(cut, other): means over the graphs, to which a graph without nodes adds 0."""
    nodes = graph_ptr.diff()
    cut, other = _FORMULAS[kind](pooled, nodes.clamp(min=1).to(pooled.x.dtype), row_ptr, graph_ptr)
    none = torch.zeros_like(other)
    return torch.where(nodes > 0, cut, none).mean(), torch.where(nodes > 0, other, none).mean()


def connect(adj: Tensor, remove_self_loops: bool, degree_norm: bool) -> Tensor:
    """D^-1/2 (adj without its diagonal) D^-1/2; the epsilon is inside the root."""
    if remove_self_loops:
        adj = adj - torch.diag_embed(adj.diagonal(dim1=1, dim2=2))
    if degree_norm:
        inverse = adj.sum(2).clamp(min=_EPS).rsqrt()
        adj = adj * inverse[:, :, None] * inverse[:, None, :]
    return adj


def column_quantiles(s: Tensor, graph_ptr: Tensor) -> Tensor:
    """[B, K]: the node whose value has rank N / K from above in its graph and column; N without nodes."""
    nodes, clusters = s.shape
    graph = torch.repeat_interleave(graph_ptr.diff(), output_size=nodes)
    order = torch.argsort(s, dim=0, descending=True, stable=True)
    order = order.take_along_dim(torch.argsort(graph[order], dim=0, stable=True), 0)
    sizes = graph_ptr.diff()[:, None]
    rank = torch.minimum(sizes // clusters, sizes - 1)
    place = torch.where(sizes > 0, graph_ptr[:-1, None] + rank, nodes)
    return torch.nn.functional.pad(order, (0, 0, 0, 1), value=nodes)[place[:, 0]]


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=1, dim2=2).sum(1)


def _mincut(pooled: Pooled, nodes: Tensor, row_ptr: Tensor, graph_ptr: Tensor) -> tuple[Tensor, Tensor]:
    cut = -_trace(pooled.adj) / pooled.totals[:, 0].clamp(min=_EPS)
    clusters = pooled.gram.shape[1]
    norm = torch.linalg.vector_norm(pooled.gram, dim=(1, 2), keepdim=True).clamp(min=_EPS)
    target = torch.eye(clusters, dtype=norm.dtype, device=norm.device) / clusters**0.5
    return cut, torch.linalg.vector_norm(pooled.gram / norm - target, dim=(1, 2))


def _dmon(pooled: Pooled, nodes: Tensor, row_ptr: Tensor, graph_ptr: Tensor) -> tuple[Tensor, Tensor]:
    total = pooled.totals[:, 1].clamp(min=_EPS)
    expected = pooled.columns[:, 0].square().sum(1) / total
    clusters = pooled.gram.shape[1]
    collapse = clusters**0.5 / nodes * torch.linalg.vector_norm(pooled.columns[:, 1], dim=1) - 1
    return -(_trace(pooled.adj) - expected) / total, collapse


def _just_balance(pooled: Pooled, nodes: Tensor, row_ptr: Tensor, graph_ptr: Tensor) -> tuple[Tensor, Tensor]:
    squares = pooled.gram.diagonal(dim1=1, dim2=2)
    balance = -squares.clamp(min=_EPS).sqrt().sum(1) / (nodes * squares.shape[1]).sqrt()
    return torch.zeros_like(balance), balance


def _total_variation(
    pooled: Pooled, nodes: Tensor, row_ptr: Tensor, graph_ptr: Tensor
) -> tuple[Tensor, Tensor]:
    edges = row_ptr[graph_ptr].diff().clamp(min=1)
    variation = pooled.totals[:, 2] / (2 * edges)
    clusters = pooled.s.shape[1]
    if clusters == 1:
        return variation, torch.zeros_like(variation)
    place = torch.ops.lampyris._column_quantiles(pooled.s.detach(), graph_ptr)
    padded = torch.nn.functional.pad(pooled.s, (0, 0, 0, 1))  # what graphs without nodes name
    quantile = torch.take_along_dim(padded, place, 0)
    graph = torch.repeat_interleave(graph_ptr.diff(), output_size=pooled.s.shape[0])
    away = pooled.s - quantile[graph]
    rows = torch.where(away >= 0, (clusters - 1) * away, -away).sum(1)
    asymmetric = torch.zeros_like(nodes).index_add(0, graph, rows)
    return variation, 1 - asymmetric / (nodes * (clusters - 1))


_FORMULAS = dict(zip(LOSSES, (_mincut, _dmon, _just_balance, _total_variation), strict=True))

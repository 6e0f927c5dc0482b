"""minCUT pooling and its relatives with dense adjacency matrices, one graph after the other."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

__all__ = ["dense_adjacency", "mincut_lift", "mincut_pool"]

_EPS = 1e-12


def mincut_pool(
    x: Tensor,
    logits: Tensor,
    row_ptr: Tensor,
    col: Tensor,
    edge_weight: Tensor | None = None,
    *,
    graph_ptr: Tensor | None = None,
    loss: str = "mincut",
    hard: bool = False,
    temperature: float = 1.0,
    normalize: bool = False,
    symmetric: bool | None = None,
    remove_self_loops: bool = True,
    degree_norm: bool = True,
    assignment: bool = False,
) -> tuple[Tensor, ...]:
    """Twin of `lampyris.ops.mincut_pool`: O(N^2) memory, every formula as it is written there.

    Example:
        >>> import torch
        >>> row_ptr, col = torch.tensor([0, 1, 2, 3, 4]), torch.tensor([1, 0, 3, 2])
        >>> logits = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
        >>> x, adj, cut, ortho = mincut_pool(torch.arange(4.0)[:, None], logits, row_ptr, col, hard=True)
        >>> x.tolist(), adj.tolist(), cut.item(), round(ortho.item(), 6)
        ([[[1.0], [5.0]]], [[[0.0, 0.0], [0.0, 0.0]]], -1.0, 0.0)
    """
    adjacency = dense_adjacency(row_ptr, col, edge_weight, logits.dtype)
    if normalize:
        degree = adjacency.sum(1)
        factor = torch.where(degree > 0, degree.clamp(min=_EPS).rsqrt(), torch.zeros_like(degree))
        adjacency = factor[:, None] * adjacency * factor
    s = torch.softmax(logits / temperature, 1)
    if hard:
        one_hot = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).to(s)
        s = one_hot + (s - s.detach())
    ptr = [0, logits.shape[0]] if graph_ptr is None else graph_ptr.tolist()
    pooled, adjacencies, cuts, others = [], [], [], []
    for first, last in itertools.pairwise(ptr):
        a, part = adjacency[first:last, first:last], s[first:last]
        edges = int(row_ptr[last] - row_ptr[first])
        pooled.append(part.T @ x[first:last])
        adjacencies.append(_connect(part.T @ a @ part, remove_self_loops, degree_norm))
        if first == last:
            cut = other = part.sum()
        else:
            cut, other = _LOSSES[loss](part, a, edges)
        cuts.append(cut)
        others.append(other)
    out = torch.stack(pooled), torch.stack(adjacencies), torch.stack(cuts).mean(), torch.stack(others).mean()
    return (*out, s) if assignment else out


def mincut_lift(x: Tensor, s: Tensor, graph_ptr: Tensor | None = None) -> Tensor:
    """Twin of `lampyris.ops.mincut_lift`: x_lifted = s x for every graph.

    Example:
        >>> import torch
        >>> mincut_lift(torch.tensor([[[2.0], [4.0]]]), torch.tensor([[1.0, 0.0], [0.5, 0.5]])).tolist()
        [[2.0], [3.0]]
    """
    ptr = [0, s.shape[0]] if graph_ptr is None else graph_ptr.tolist()
    return torch.cat([s[a:b] @ x[g] for g, (a, b) in enumerate(itertools.pairwise(ptr))])


def dense_adjacency(row_ptr: Tensor, col: Tensor, edge_weight: Tensor | None, dtype: torch.dtype) -> Tensor:
    """[N, N]: entry (i, j) is the sum of the weights of the edges from j to i.

    Example:
        >>> import torch
        >>> dense_adjacency(torch.tensor([0, 2, 2]), torch.tensor([1, 1]), None, torch.float32).tolist()
        [[0.0, 2.0], [0.0, 0.0]]
    """
    nodes = row_ptr.numel() - 1
    weight = torch.ones(col.numel(), dtype=dtype) if edge_weight is None else edge_weight
    row = torch.repeat_interleave(torch.arange(nodes), row_ptr.diff())
    return torch.zeros(nodes, nodes, dtype=dtype).index_put((row, col), weight, accumulate=True)


def _connect(adj: Tensor, remove_self_loops: bool, degree_norm: bool) -> Tensor:
    if remove_self_loops:
        adj = adj * (1 - torch.eye(adj.shape[0], dtype=adj.dtype))
    if degree_norm:
        root = adj.sum(1).clamp(min=_EPS).sqrt()
        adj = adj / root[:, None] / root
    return adj


def _mincut(s: Tensor, a: Tensor, edges: int) -> tuple[Tensor, Tensor]:
    clusters = s.shape[1]
    cut = -torch.trace(s.T @ a @ s) / torch.trace(s.T @ torch.diag(a.sum(1)) @ s).clamp(min=_EPS)
    gram = s.T @ s
    target = torch.eye(clusters, dtype=s.dtype) / clusters**0.5
    return cut, torch.linalg.vector_norm(gram / torch.linalg.vector_norm(gram).clamp(min=_EPS) - target)


def _dmon(s: Tensor, a: Tensor, edges: int) -> tuple[Tensor, Tensor]:
    nodes, clusters = s.shape
    degree = a.sum(1)
    total = degree.sum().clamp(min=_EPS)
    modularity = a - degree[:, None] * degree / total
    collapse = clusters**0.5 / nodes * torch.linalg.vector_norm(s.sum(0)) - 1
    return -torch.trace(s.T @ modularity @ s) / total, collapse


def _just_balance(s: Tensor, a: Tensor, edges: int) -> tuple[Tensor, Tensor]:
    nodes, clusters = s.shape
    balance = -(s.T @ s).diagonal().clamp(min=_EPS).sqrt().sum() / (nodes * clusters) ** 0.5
    return s.new_zeros(()), balance


def _total_variation(s: Tensor, a: Tensor, edges: int) -> tuple[Tensor, Tensor]:
    nodes, clusters = s.shape
    apart = (s[:, None] - s).abs().sum(2)
    variation = (a * apart).sum() / (2 * max(edges, 1))
    if clusters == 1:
        return variation, s.new_zeros(())
    quantile = s.sort(0, descending=True).values[min(nodes // clusters, nodes - 1)]
    away = s - quantile
    asymmetric = torch.where(away >= 0, (clusters - 1) * away, -away).sum()
    return variation, 1 - asymmetric / (nodes * (clusters - 1))


_LOSSES = {
    "mincut": _mincut,
    "dmon": _dmon,
    "just_balance": _just_balance,
    "total_variation": _total_variation,
}

"""The pass over nodes and edges behind `mincut_pool`."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops._mincut_losses import Pooled

__all__ = ["lift", "products"]


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
    nodes, graphs = logits.shape[0], graph_ptr.shape[0] - 1
    row = torch.repeat_interleave(row_ptr.diff(), output_size=col.shape[0])
    graph = torch.repeat_interleave(graph_ptr.diff(), output_size=nodes)
    weight = logits.new_ones(col.shape[0]) if edge_weight is None else edge_weight
    if normalize:
        degree = logits.new_zeros(nodes).index_add(0, row, weight)
        factor = torch.where(degree > 0, degree.clamp(min=1e-12).rsqrt(), torch.zeros_like(degree))
        weight = factor[row] * weight * factor[col]
    s = torch.softmax(logits / temperature, 1)
    if hard:
        s = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).to(s) + (s - s.detach())
    degree = logits.new_zeros(nodes).index_add(0, row, weight)
    y = torch.zeros_like(s).index_add(0, row, weight[:, None] * s[col])
    apart = (s[row] - s[col]).abs().sum(1) if variation else torch.zeros_like(weight)
    everything = torch.cat((y, s, x, degree[:, None], torch.ones_like(degree)[:, None]), 1)
    clusters, features = s.shape[1], x.shape[1]
    each = [s[graph == g].T @ everything[graph == g] for g in range(graphs)]
    adj, gram, x_pooled, columns = torch.stack(each).split((clusters, clusters, features, 2), 2)
    sums = logits.new_zeros(graphs, 3)
    totals = torch.stack(
        (
            sums[:, 0].index_add(0, graph, degree * s.square().sum(1)),
            sums[:, 1].index_add(0, graph, degree),
            sums[:, 2].index_add(0, graph[row], weight * apart),
        ),
        1,
    )
    return Pooled(x_pooled, adj, gram, columns.transpose(1, 2), totals, s)


def lift(x: Tensor, s: Tensor, graph_ptr: Tensor) -> Tensor:
    """[N, F]: s x of every graph."""
    sizes = graph_ptr.diff().tolist()
    return torch.cat([part @ x[g] for g, part in enumerate(s.split(sizes))])

"""Graph networks to compare with, in plain torch: MLP, GCN, SAGE (mean, sum, max), GIN, GAT, GATv2.

Each layer maps [N, in] to [N, out] given the edges as (source [E], destination [E]).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["BASELINES", "baseline"]

Edges = tuple[Tensor, Tensor]
GAT_SLOPE = 0.2
"""LeakyReLU slope of the scores, as published."""


def _sum(values: Tensor, destination: Tensor, nodes: int) -> Tensor:
    """[E, ...] -> [N, ...], summed by destination."""
    return values.new_zeros((nodes, *values.shape[1:])).index_add(0, destination, values)


def _degree(destination: Tensor, nodes: int, like: Tensor) -> Tensor:
    return torch.bincount(destination, minlength=nodes).to(like.dtype)


def _with_loops(edges: Edges, nodes: int) -> Edges:
    loop = torch.arange(nodes, device=edges[0].device)
    return torch.cat([edges[0], loop]), torch.cat([edges[1], loop])


class _Linear(nn.Linear):
    """No neighbours at all."""

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        return super().forward(x)


class _GCN(nn.Module):
    """Kipf and Welling 2017: D^-1/2 (A + I) D^-1/2 X W + b."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        nodes = x.shape[0]
        source, destination = _with_loops(edges, nodes)
        root = _degree(destination, nodes, x).rsqrt()
        weight = (root[source] * root[destination])[:, None]
        return _sum(self.linear(x)[source] * weight, destination, nodes) + self.bias


class _Sage(nn.Module):
    """Hamilton et al. 2017: W x_i + V agg(x_j), agg = "mean", "sum" or "max"."""

    def __init__(self, inputs: int, outputs: int, aggregation: str) -> None:
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.other = nn.Linear(inputs, outputs, bias=False)
        self.aggregation = aggregation

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        source, destination = edges
        nodes, messages = x.shape[0], self.other(x)[source]
        if self.aggregation == "max":
            place = destination[:, None].expand_as(messages)
            new = messages.new_zeros((nodes, messages.shape[1]))
            new = new.scatter_reduce(0, place, messages, "amax", include_self=False)
        else:
            new = _sum(messages, destination, nodes)
            if self.aggregation == "mean":
                new = new / _degree(destination, nodes, x).clamp(min=1)[:, None]
        return self.own(x) + new


class _GIN(nn.Module):
    """Xu et al. 2019: MLP((1 + eps) x_i + sum x_j)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        return self.mlp((1 + self.eps) * x + _sum(x[edges[0]], edges[1], x.shape[0]))


class _GAT(nn.Module):
    """Velickovic et al. 2018; with ``dynamic`` Brody et al. 2022 (GATv2). Self loops added, heads joined."""

    def __init__(self, inputs: int, outputs: int, heads: int, dynamic: bool) -> None:
        super().__init__()
        if outputs % heads:
            heads = 1
        self.heads, self.dynamic = heads, dynamic
        self.source = nn.Linear(inputs, outputs, bias=False)
        self.destination = nn.Linear(inputs, outputs, bias=False) if dynamic else self.source
        width = outputs // heads
        self.score = nn.Parameter(torch.empty(1 if dynamic else 2, heads, width))
        nn.init.xavier_uniform_(self.score)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        nodes = x.shape[0]
        source, destination = _with_loops(edges, nodes)
        messages = self.source(x).view(nodes, self.heads, -1)
        if self.dynamic:
            pair = messages[source] + self.destination(x).view(nodes, self.heads, -1)[destination]
            score = (nn.functional.leaky_relu(pair, GAT_SLOPE) * self.score[0]).sum(-1)
        else:
            parts = (messages[None] * self.score[:, None]).sum(-1)
            score = nn.functional.leaky_relu(parts[0][destination] + parts[1][source], GAT_SLOPE)
        place = destination[:, None].expand_as(score)
        top = score.new_full((nodes, self.heads), -math.inf).scatter_reduce(0, place, score.detach(), "amax")
        weight = (score - top[destination]).exp()
        weight = weight / _sum(weight, destination, nodes)[destination]
        return _sum(messages[source] * weight[..., None], destination, nodes).flatten(1) + self.bias


BASELINES = {
    "MLP": lambda i, o, h: _Linear(i, o),
    "GCN": lambda i, o, h: _GCN(i, o),
    "SAGE-mean": lambda i, o, h: _Sage(i, o, "mean"),
    "SAGE-sum": lambda i, o, h: _Sage(i, o, "sum"),
    "SAGE-max": lambda i, o, h: _Sage(i, o, "max"),
    "GIN": lambda i, o, h: _GIN(i, o),
    "GAT": lambda i, o, h: _GAT(i, o, h, False),
    "GATv2": lambda i, o, h: _GAT(i, o, h, True),
}
"""Name -> layer of (in, out, heads)."""


class _Network(nn.Module):
    def __init__(self, layers: list[nn.Module], readout: nn.Module | None, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.readout, self.dropout = readout, dropout

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edges = (edge_index[0], edge_index[1])
        for place, layer in enumerate(self.layers):
            x = layer(nn.functional.dropout(x, self.dropout, self.training), edges)
            if self.readout is not None or place + 1 < len(self.layers):
                x = nn.functional.elu(x)
        return x if self.readout is None else self.readout(x)


def baseline(
    name: str,
    inputs: int,
    hidden: int,
    outputs: int,
    *,
    layers: int = 2,
    heads: int = 4,
    dropout: float = 0.5,
    readout: bool = False,
) -> nn.Module:
    """A network ``forward(x [N, inputs], edge_index [2, E]) -> [N, outputs]`` of one kind of layer.

    Args:
        name: a key of `BASELINES`.
        inputs: features of a node.
        hidden: width between layers, all heads together; ELU follows each layer but the last.
        outputs: classes or targets.
        layers: graph layers, at least 1.
        heads: of GAT and GATv2; one head where the width is no multiple of it.
        dropout: before each layer.
        readout: the last layer has ``hidden`` outputs and a linear map follows.

    Raises:
        ValueError: an unknown name, or fewer than one layer.

    Example:
        >>> import torch
        >>> net = baseline("GCN", 3, 8, 2)
        >>> net(torch.ones(4, 3), torch.tensor([[0, 1], [1, 0]])).shape
        torch.Size([4, 2])
    """
    if name not in BASELINES:
        raise ValueError(f"baseline: name must be one of {', '.join(BASELINES)}, got {name!r}")
    if layers < 1:
        raise ValueError(f"baseline: layers must be >= 1, got {layers}")
    widths = [inputs] + [hidden] * (layers - 1) + [hidden if readout else outputs]
    parts = [BASELINES[name](a, b, heads) for a, b in pairwise(widths)]
    return _Network(parts, nn.Linear(hidden, outputs) if readout else None, dropout)

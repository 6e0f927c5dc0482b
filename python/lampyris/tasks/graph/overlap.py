"""GOAT-overlap: neighbours ordered and weighted by what they share with the centre.

The features enter through inner products of neighbourhood sums S_i = sum of x_j over the neighbours j of i.
With the identity as features, <S_i, S_i> is the degree and <S_i, S_j> the number of shared neighbours, for
any number of nodes: no parameter belongs to a node, so that a network carries over to graphs never seen.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lampyris.nn import GOATConv

__all__ = ["OverlapGOAT", "OverlapGraph", "overlap_graph"]

_EDGES_AT_ONCE = 4096


class OverlapGraph(NamedTuple):
    """One or several graphs as `OverlapGOAT` reads them; each is standardised by itself.

    Attributes:
        node: [N] strengths <S_i, S_i>, with mean 0 and standard deviation 1 in each graph.
        scale: [N] strengths divided by their mean.
        share: [N] strengths scaled to [0, 1] in each graph, as the targets are.
        edge: [E, 2] overlaps <S_i, S_j>, standardised; mean strength / strength of the source - 1.
        edge_index: [2, E].
    """

    node: Tensor
    scale: Tensor
    share: Tensor
    edge: Tensor
    edge_index: Tensor

    @staticmethod
    def union(graphs: list[OverlapGraph]) -> OverlapGraph:
        """Several graphs side by side."""
        edges, first = [], 0
        for graph in graphs:
            edges.append(graph.edge_index + first)
            first += len(graph.node)
        parts = [torch.cat([getattr(g, name) for g in graphs]) for name in ("node", "scale", "share", "edge")]
        return OverlapGraph(*parts, torch.cat(edges, 1))


def _standard(values: Tensor) -> Tensor:
    if len(values) < 2:
        return torch.zeros_like(values)
    return (values - values.mean()) / values.std().clamp(min=1e-6)


def overlap_graph(x: Tensor, edge_index: Tensor) -> OverlapGraph:
    """Strengths and overlaps of a graph with features x [N, F].

    Example:
        >>> import torch
        >>> star = torch.tensor([[1, 2, 3, 0, 0, 0], [0, 0, 0, 1, 2, 3]])
        >>> overlap_graph(torch.eye(4), star).scale.tolist()
        [2.0, 0.6666666865348816, 0.6666666865348816, 0.6666666865348816]
    """
    source, destination = edge_index
    sums = torch.zeros_like(x).index_add(0, destination, x[source])
    strength = sums.square().sum(1)
    pairs = zip(source.split(_EDGES_AT_ONCE), destination.split(_EDGES_AT_ONCE), strict=True)
    overlap = torch.cat([x.new_zeros(0), *((sums[a] * sums[b]).sum(1) for a, b in pairs)])
    mean = strength.mean().clamp(min=1e-6)
    inverse = mean / strength.clamp(min=1e-6 * float(mean)) - 1
    edge = torch.stack([_standard(overlap), inverse[source]], 1)
    low, high = strength.aminmax() if len(strength) else (mean, mean)
    share = (strength - low) / (high - low).clamp(min=1e-6)
    return OverlapGraph(_standard(strength), strength / mean, share, edge, edge_index)


class OverlapGOAT(nn.Module):
    """GOATConv layers with learned GATv2 scores over (strengths, overlap), and a readout of all layers.

    * Layer l reads [1, z_j, h_j of layer l - 1], z the standardised strength; LSTM cells, one for each
      head; scores from both ends and the overlap, weighting "score": an overlap is a factor of the input
      of the cell, and through it gets gradient.
    * Readout: a linear map of (r, r²), r the strength scaled to [0, 1] in its graph, plus an MLP (one tanh
      layer, its last map starts at 0) of 1, z, r, the states of every layer, and these states times the
      strength over its mean (as PNA's scalers).

    Args:
        outputs: targets of a node.
        hidden: units H of a head.
        heads: heads of a layer.
        layers: graph layers.
        width: of the MLP.

    Example:
        >>> import torch
        >>> star = torch.tensor([[1, 2, 3, 0, 0, 0], [0, 0, 0, 1, 2, 3]])
        >>> OverlapGOAT()(overlap_graph(torch.eye(4), star)).shape
        torch.Size([4, 1])
    """

    def __init__(
        self, outputs: int = 1, *, hidden: int = 8, heads: int = 4, layers: int = 2, width: int = 32
    ) -> None:
        super().__init__()
        own = 2  # 1 and z
        self.layers = nn.ModuleList(
            GOATConv(
                own if layer == 0 else own + hidden * heads,
                hidden,
                heads,
                attention="gatv2",
                weighting="score",
                edge_channels=2,
                add_self_loops=False,
            )
            for layer in range(layers)
        )
        self.straight = nn.Linear(2, outputs)
        self.mlp = nn.Sequential(
            nn.Linear(own + 1 + 2 * layers * hidden * heads, width), nn.Tanh(), nn.Linear(width, outputs)
        )
        nn.init.zeros_(self.mlp[2].weight)
        nn.init.zeros_(self.mlp[2].bias)

    @torch.no_grad()
    def start_from_degrees(self, graph: OverlapGraph, target: Tensor, nodes: Tensor) -> None:
        """Set the linear map to the least-squares fit of ``target`` [N] at ``nodes`` on (r, r²).

        The MLP starts at 0, so that training begins at a degree fit and has only the rest to learn.
        """
        share = graph.share[nodes].double()
        matrix = torch.stack([share, share * share, torch.ones_like(share)], 1)
        found = torch.linalg.lstsq(matrix, target[nodes].double()[:, None], driver="gelsd").solution[:, 0]
        self.straight.weight.copy_(found[:2].expand_as(self.straight.weight))
        self.straight.bias.copy_(found[2].expand_as(self.straight.bias))

    def forward(self, graph: OverlapGraph) -> Tensor:
        z, share = graph.node[:, None], graph.share[:, None]
        own = torch.cat([torch.ones_like(z), z], 1)
        states, x = [], own
        for layer in self.layers:
            h = layer(x, graph.edge_index, graph.edge)
            states += [h, h * graph.scale[:, None]]
            x = torch.cat([own, h], 1)
        straight = self.straight(torch.cat([share, share * share], 1))
        return straight + self.mlp(torch.cat([own, share, *states], 1))

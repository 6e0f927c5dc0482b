"""Random batches of graphs for the tests of mincut_pool."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Graph(NamedTuple):
    row_ptr: Tensor
    col: Tensor
    graph_ptr: Tensor
    weights: Tensor | None

    def weight(self, random: torch.Generator) -> Tensor:
        """The graph's own weights, else random ones."""
        return torch.rand(self.col.numel(), generator=random) if self.weights is None else self.weights

    def renumbered(self, nodes: Tensor) -> Graph:
        """Node i of the result is node nodes[i] of this one; one graph, with weights."""
        place = torch.empty_like(nodes)
        place[nodes] = torch.arange(len(nodes))
        degree = self.row_ptr.diff()[nodes]
        starts = self.row_ptr[:-1][nodes]
        edges = torch.cat([torch.arange(a, a + d) for a, d in zip(starts, degree, strict=True)])
        row_ptr = torch.nn.functional.pad(degree.cumsum(0), (1, 0))
        return Graph(row_ptr, place[self.col[edges]], self.graph_ptr, self.weights[edges])


def graph_of(pairs: list[tuple[int, int]], nodes: int) -> Graph:
    """One undirected graph of its edges."""
    edges = torch.tensor(sorted(pairs + [(b, a) for a, b in pairs])).view(-1, 2)
    row_ptr = torch.searchsorted(edges[:, 0].contiguous(), torch.arange(nodes + 1))
    return Graph(row_ptr, edges[:, 1].contiguous(), torch.tensor([0, nodes]), None)


def random_graph(
    sizes: list[int],
    seed: int,
    degree: float = 3,
    symmetric: bool = False,
    shuffled: bool = False,
    weights: bool = False,
) -> Graph:
    """A batch of graphs with these numbers of nodes; directed unless symmetric (then with weights)."""
    random = torch.Generator().manual_seed(seed)
    rows, cols, first = [], [], 0
    for size in sizes:
        near = torch.rand(size, size, generator=random) < degree / max(size, 1)
        row, col = (near | near.T if symmetric else near).nonzero(as_tuple=True)
        rows.append(row + first)
        cols.append(col + first)
        first += size
    row, col = torch.cat(rows), torch.cat(cols)
    if shuffled:
        order = torch.randperm(len(row), generator=random)
        order = order[torch.argsort(row[order], stable=True)]
        row, col = row[order], col[order]
    ptr = torch.tensor([0, *torch.tensor(sizes).cumsum(0).tolist()])
    weight = None
    if symmetric or weights:
        of_pair = torch.rand(first, first, generator=random)
        weight = (of_pair + of_pair.T)[row, col]
    return Graph(torch.searchsorted(row, torch.arange(first + 1)), col, ptr, weight)

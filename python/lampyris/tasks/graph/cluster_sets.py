"""Graphs to cluster: the digits as a nearest-neighbour graph and the graphs that networkx carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lampyris.data.graph_sets import digits_graph

from .message_passing import Propagation

__all__ = ["GRAPH_SETS", "GraphSet", "grid", "load_graph_set", "ring", "spectrum"]


@dataclass(frozen=True)
class GraphSet:
    """An undirected graph with a partition to compare with.

    Attributes:
        name: of the set.
        edge_index: [2, E] int64, every edge in both directions.
        weight: [E] float32.
        features: [N, F] float32.
        labels: [N] int64, the reference partition; empty where there is none.
        places: [N, 2] float32, where the pictures draw the nodes.
        reference: what the labels are.
    """

    name: str
    edge_index: Tensor
    weight: Tensor
    features: Tensor
    labels: Tensor
    places: Tensor
    reference: str

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.features.shape[0]

    @property
    def classes(self) -> int:
        """Parts of the reference partition."""
        return int(self.labels.max()) + 1 if self.labels.numel() else 0

    def adjacency(self):
        """The weights as a SciPy matrix [N, N]."""
        import scipy.sparse

        source, destination = self.edge_index.numpy()
        shape = (self.num_nodes, self.num_nodes)
        return scipy.sparse.csr_matrix((self.weight.numpy(), (destination, source)), shape=shape)


def digits(k: int = 10) -> GraphSet:
    """scikit-learn's 1797 handwritten digits, each joined with its ``k`` nearest in pixel space."""
    from sklearn.decomposition import PCA

    known = digits_graph(k)
    places = PCA(2, random_state=0).fit_transform(known.x.numpy())
    weight = torch.ones(known.edge_index.shape[1])
    places = torch.from_numpy(places).float()
    return GraphSet("digits", known.edge_index, weight, known.x, known.y, places, "the ten digits")


def spectrum(edge_index: Tensor, nodes: int, weight: Tensor | None, count: int) -> Tensor:
    """The ``count`` leading eigenvectors of D^-1/2 A D^-1/2, [N, count], each of mean square 1.

    Features for nodes that have none: with one-hot features a network learns a free row for each node and
    single starts end in poor minima. Dense: for graphs of some hundred nodes.

    Example:
        >>> import torch
        >>> pairs = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> spectrum(pairs, 4, None, 2).square().mean(0).round().tolist()
        [1.0, 1.0]
    """
    matrix = Propagation(edge_index, nodes, weight)(torch.eye(nodes)).double()
    vectors = torch.linalg.eigh((matrix + matrix.T) / 2).eigenvectors[:, -count:]
    # The sign of an eigenvector is free: the largest entry is made positive, so that seeds mean the same.
    sign = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return (vectors * sign * nodes**0.5).float()


def _of_networkx(name: str, graph, labels: list[int], reference: str) -> GraphSet:
    """Nodes in the graph's order; having no features they get those of `spectrum`, one for each label."""
    import networkx

    order = {node: place for place, node in enumerate(graph)}
    ends = [(order[a], order[b], float(data.get("weight", 1))) for a, b, data in graph.edges(data=True)]
    both = sorted([*ends, *((b, a, w) for a, b, w in ends)], key=lambda edge: (edge[1], edge[0]))
    layout = networkx.spring_layout(graph, seed=0, weight="weight")
    edge_index = torch.tensor([[a for a, _, _ in both], [b for _, b, _ in both]])
    weight = torch.tensor([w for _, _, w in both])
    return GraphSet(
        name,
        edge_index,
        weight,
        spectrum(edge_index, len(order), weight, len(set(labels))),
        torch.tensor(labels),
        torch.tensor(np.array([layout[node] for node in graph]), dtype=torch.float32),
        reference,
    )


def _by_modularity(graph) -> list[int]:
    from networkx.algorithms.community import greedy_modularity_communities

    part = {
        node: number
        for number, nodes in enumerate(greedy_modularity_communities(graph, weight="weight"))
        for node in nodes
    }
    return [part[node] for node in graph]


def karate() -> GraphSet:
    """Zachary's karate club, 34 members; the two clubs after the split."""
    import networkx

    graph = networkx.karate_club_graph()
    labels = [int(club != "Mr. Hi") for _, club in graph.nodes(data="club")]
    return _of_networkx("karate", graph, labels, "the two clubs after the split")


def les_miserables() -> GraphSet:
    """Knuth's 77 characters; no partition is given, so the reference is one of great modularity."""
    import networkx

    graph = networkx.les_miserables_graph()
    return _of_networkx("les_miserables", graph, _by_modularity(graph), "greedy modularity")


def florentine() -> GraphSet:
    """Padgett's 15 families joined by marriage; the reference is a partition of great modularity."""
    import networkx

    graph = networkx.florentine_families_graph()
    return _of_networkx("florentine", graph, _by_modularity(graph), "greedy modularity")


def southern_women() -> GraphSet:
    """Davis's 18 women, weighted by the number of events that both attended.

    The reference is Freeman's consensus of 21 analyses (Finding social groups, 2003): the first nine
    women of the table and the last nine.
    """
    import networkx

    graph = networkx.davis_southern_women_graph()
    women = graph.graph["top"]
    shared = networkx.bipartite.weighted_projected_graph(graph, women)
    ordered = networkx.Graph()
    ordered.add_nodes_from(women)
    ordered.add_weighted_edges_from(sorted(shared.edges(data="weight")))
    return _of_networkx("southern_women", ordered, [0] * 9 + [1] * 9, "Freeman's consensus of 21 analyses")


GRAPH_SETS = {
    "digits": digits,
    "karate": karate,
    "les_miserables": les_miserables,
    "florentine": florentine,
    "southern_women": southern_women,
}


def load_graph_set(name: str) -> GraphSet:
    """A set by its name in `GRAPH_SETS`.

    Raises:
        ValueError: no such set.

    Example:
        >>> club = load_graph_set("karate")
        >>> club.num_nodes, club.edge_index.shape[1] // 2, club.classes
        (34, 78, 2)
    """
    if name not in GRAPH_SETS:
        raise ValueError(f"graph task: graph must be one of {', '.join(GRAPH_SETS)}, got {name!r}")
    return GRAPH_SETS[name]()


def ring(nodes: int = 200) -> GraphSet:
    """A cycle of ``nodes`` >= 3; features are its coordinates on the unit circle.

    Example:
        >>> ring(8).edge_index.shape, ring(8).features.shape
        (torch.Size([2, 16]), torch.Size([8, 2]))
    """
    if nodes < 3:
        raise ValueError(f"graph task: a ring must have at least 3 nodes, got {nodes}")
    here = torch.arange(nodes)
    ahead = (here + 1) % nodes
    angle = 2 * torch.pi * here / nodes
    places = torch.stack((angle.cos(), angle.sin()), 1)
    return _plain("ring", torch.cat((torch.stack((here, ahead)), torch.stack((ahead, here))), 1), places)


def grid(rows: int = 30, columns: int = 30) -> GraphSet:
    """The grid of ``rows`` x ``columns`` with four neighbours; features are coordinates in [0, 1].

    Example:
        >>> grid(2, 3).edge_index.shape[1] // 2
        7
    """
    if rows < 2 or columns < 2:
        raise ValueError(f"graph task: a grid must have at least 2 x 2 nodes, got {rows} x {columns}")
    number = torch.arange(rows * columns).view(rows, columns)
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    ahead = torch.cat([torch.stack((a.flatten(), b.flatten())) for a, b in pairs], 1)
    y, x = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")
    return _plain("grid", torch.cat((ahead, ahead.flip(0)), 1), torch.stack((x.flatten(), y.flatten()), 1))


def _plain(name: str, edge_index: Tensor, places: Tensor) -> GraphSet:
    none = torch.empty(0, dtype=torch.int64)
    return GraphSet(name, edge_index, torch.ones(edge_index.shape[1]), places, none, places, "none")

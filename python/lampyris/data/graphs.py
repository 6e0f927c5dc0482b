"""Graphs to learn on, and measures of graphs: random graphs, nearest neighbours, betweenness, effective size.

An undirected graph is ``edge_index`` [2, E] int64 with both directions of every edge, sorted by (target,
source), as PyG has it. The measures are exact and run in C++ on the threads of ``lampyris._native``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lampyris import _native

__all__ = [
    "barabasi_albert",
    "betweenness",
    "effective_size",
    "erdos_renyi",
    "knn_graph",
    "random_tree",
    "undirected",
]

_ROWS_AT_ONCE = 1024  # of the distance matrix of knn_graph


def betweenness(
    edge_index: Tensor | np.ndarray, num_nodes: int, *, directed: bool = False, normalized: bool = True
) -> Tensor:
    """Betweenness centrality of every node, exact: unweighted shortest paths from every source.

    Args:
        edge_index: [2, E] integer; repeated edges and self loops count once and not at all.
        num_nodes: N.
        directed: edges lead from row 0 to row 1 only; otherwise both ways, one direction being enough.
        normalized: divide by the number of pairs without the node, (N - 1)(N - 2) ordered ones.

    Returns:
        [N] float64, equal to networkx's ``betweenness_centrality`` but for rounding.

    Raises:
        ValueError: a shape, dtype or index is wrong; two nodes with more than 1.8e308 shortest paths.

    Example:
        >>> import torch
        >>> star = torch.tensor([[0, 0, 0], [1, 2, 3]])
        >>> betweenness(star, 4).tolist()
        [1.0, 0.0, 0.0, 0.0]

    Source: Brandes, A faster algorithm for betweenness centrality, J. Math. Sociology 25, 2001.
    """
    sums = _native.graph.betweenness(_edges("betweenness", edge_index), num_nodes, directed)
    if normalized:
        sums /= max((num_nodes - 1) * (num_nodes - 2), 1)
    elif not directed:
        sums /= 2
    return torch.from_numpy(sums)


def effective_size(edge_index: Tensor | np.ndarray, num_nodes: int) -> Tensor:
    """Burt's effective size of every node: n - 2 q / n for n neighbours with q edges among them.

    Args:
        edge_index: [2, E] integer, read as undirected; self loops and repeated edges do not count.
        num_nodes: N.

    Returns:
        [N] float64, equal to networkx's ``effective_size``; NaN for a node without neighbours.

    Raises:
        ValueError: a shape, dtype or index is wrong.

    Example:
        >>> import torch
        >>> triangle_and_tail = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 3]])
        >>> effective_size(triangle_and_tail, 5).tolist()
        [1.0, 1.0, 2.3333333333333335, 1.0, nan]

    Source: Borgatti, Structural holes: unpacking Burt's redundancy measures, Connections 20, 1997.
    """
    return torch.from_numpy(_native.graph.effective_size(_edges("effective_size", edge_index), num_nodes))


def erdos_renyi(num_nodes: int, p: float, *, seed: int = 0) -> Tensor:
    """Every pair of nodes is joined with probability p, independently.

    Args:
        num_nodes: N >= 0.
        p: 0 to 1.
        seed: of the draw. The graphs are not those of networkx for the same seed.

    Returns:
        edge_index [2, E] int64, both directions. Time and memory O(N + E).

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> erdos_renyi(1000, 0.01, seed=1).shape[1] / 1000  # mean degree, about 10
        10.038
    """
    _check_count("erdos_renyi", "num_nodes", num_nodes, 0)
    if not 0 <= p <= 1:
        raise ValueError(f"erdos_renyi: p must be 0 to 1, got {p}")
    rng = np.random.default_rng(seed)
    pairs = num_nodes * (num_nodes - 1) // 2
    if p == 0 or pairs == 0:
        chosen = np.empty(0, np.int64)
    elif p == 1:
        chosen = np.arange(pairs)
    else:  # gaps between chosen pairs are geometric
        chosen = np.empty(0, np.int64)
        while not len(chosen) or chosen[-1] < pairs - 1:
            gaps = rng.geometric(p, int(pairs * p + 10 * np.sqrt(pairs * p) + 10))
            gaps = np.minimum(gaps, pairs + 1)
            chosen = np.concatenate([chosen, (chosen[-1] if len(chosen) else -1) + np.cumsum(gaps)])
        chosen = chosen[chosen < pairs]
    # Pair k is (high, low) with k = high (high - 1) / 2 + low; the root may be off by one.
    high = np.floor((1 + np.sqrt(1 + 8 * chosen.astype(np.float64))) / 2).astype(np.int64)
    high -= high * (high - 1) // 2 > chosen
    high += (high + 1) * high // 2 <= chosen
    return undirected(np.stack([chosen - high * (high - 1) // 2, high]), num_nodes)


def barabasi_albert(num_nodes: int, m: int, *, seed: int = 0) -> Tensor:
    """Preferential attachment: each new node joins m earlier ones, chosen in proportion to their degree.

    Args:
        num_nodes: N > m.
        m: edges of a new node, >= 1. The first m + 1 nodes are a star around node 0.
        seed: of the draw.

    Returns:
        edge_index [2, 2 m (N - m)] int64, both directions.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> barabasi_albert(100, 3).shape
        torch.Size([2, 582])

    Source: Barabasi and Albert, Emergence of scaling in random networks, Science 286, 1999.
    """
    _check_count("barabasi_albert", "m", m, 1)
    _check_count("barabasi_albert", "num_nodes", num_nodes, m + 1)
    rng = np.random.default_rng(seed)
    ends = np.empty(2 * m * (num_nodes - m), np.int64)  # a node is here once for each of its edges
    ends[0 : 2 * m : 2], ends[1 : 2 * m : 2] = 0, np.arange(1, m + 1)
    filled = 2 * m
    for node in range(m + 1, num_nodes):
        chosen: dict[int, None] = {}
        while len(chosen) < m:
            for place in rng.integers(filled, size=m - len(chosen)):
                chosen[int(ends[place])] = None
        ends[filled : filled + 2 * m : 2] = list(chosen)
        ends[filled + 1 : filled + 2 * m : 2] = node
        filled += 2 * m
    return undirected(ends.reshape(-1, 2).T, num_nodes)


def random_tree(num_nodes: int, *, seed: int = 0) -> Tensor:
    """A tree drawn evenly among all labelled trees, from its Pruefer sequence.

    Args:
        num_nodes: N >= 1.
        seed: of the draw.

    Returns:
        edge_index [2, 2 (N - 1)] int64, both directions.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> random_tree(1000).shape
        torch.Size([2, 1998])
    """
    _check_count("random_tree", "num_nodes", num_nodes, 1)
    sequence = np.random.default_rng(seed).integers(num_nodes, size=max(num_nodes - 2, 0)).tolist()
    left = np.bincount(sequence, minlength=num_nodes) if sequence else np.zeros(num_nodes, np.int64)
    left = left.tolist()  # how often each node still occurs
    edges, first = [], 0
    leaf = -1
    for node in sequence:
        if leaf < 0:
            while left[first]:
                first += 1
            leaf = first
            first += 1
        edges.append((leaf, node))
        left[node] -= 1
        leaf = node if left[node] == 0 and node < first else -1
    if num_nodes > 1:
        used = {a for a, _ in edges}
        edges.append(tuple(v for v in range(num_nodes) if v not in used))
    return undirected(np.array(edges, np.int64).reshape(-1, 2).T, num_nodes)


def knn_graph(points: Tensor | np.ndarray, k: int, *, symmetric: bool = True) -> Tensor:
    """Every point hears from its k nearest others in Euclidean distance; ties go to the lower index.

    Args:
        points: [N, D], any real dtype; distances are taken in float64.
        k: neighbours, 1 <= k < N.
        symmetric: an edge in either direction becomes an edge in both; False: k edges into each point.

    Returns:
        edge_index [2, E] int64, (neighbour, point), sorted by (point, neighbour).

    Raises:
        ValueError: a shape or k is wrong, or a coordinate is not finite.

    Example:
        >>> import torch
        >>> knn_graph(torch.tensor([[0.0], [1.0], [3.0]]), 1).tolist()
        [[1, 0, 2, 1], [0, 1, 1, 2]]
    """
    values = np.asarray(points, np.float64)
    if values.ndim != 2:
        raise ValueError(f"knn_graph: points must be [N, D], got {list(values.shape)}")
    if not np.isfinite(values).all():
        raise ValueError(f"knn_graph: points must be finite, got {values[~np.isfinite(values)][0]}")
    if not 1 <= k < len(values):
        raise ValueError(f"knn_graph: k must be 1 to N - 1 = {len(values) - 1}, got {k}")
    squares = (values**2).sum(1)
    nearest = np.empty((len(values), k), np.int64)
    for first in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        apart = squares[rows, None] + squares - 2 * (values[rows] @ values.T)
        apart[np.arange(len(apart)), first + np.arange(len(apart))] = np.inf
        last = np.partition(apart, k - 1)[:, k - 1 : k]
        nearer, ties = apart < last, apart == last
        taken = nearer | (ties & (ties.cumsum(1) <= k - nearer.sum(1, keepdims=True)))
        nearest[rows] = taken.nonzero()[1].reshape(-1, k)
    edges = np.stack([nearest.reshape(-1), np.repeat(np.arange(len(values)), k)])
    if symmetric:
        return undirected(edges, len(values))
    return torch.from_numpy(edges[:, np.lexsort(edges)])


def undirected(edge_index: Tensor | np.ndarray, num_nodes: int) -> Tensor:
    """Both directions of every edge, each once, sorted by (target, source); self loops are dropped.

    Args:
        edge_index: [2, E] integer, either direction or both.
        num_nodes: N.

    Returns:
        edge_index [2, E'] int64.

    Raises:
        ValueError: a shape, dtype or index is wrong.

    Example:
        >>> import torch
        >>> undirected(torch.tensor([[0, 1, 2], [1, 0, 2]]), 3).tolist()
        [[1, 0], [0, 1]]
    """
    edges = _edges("undirected", edge_index)
    for row in range(2):
        outside = np.nonzero((edges[row] < 0) | (edges[row] >= num_nodes))[0]
        if len(outside):
            raise ValueError(
                f"undirected: edge_index[{row}] must be in [0, {num_nodes}), got"
                f" {edges[row, outside[0]]} at [{outside[0]}]"
            )
    source, target = edges[:, edges[0] != edges[1]]
    keys = np.unique(np.concatenate([target * num_nodes + source, source * num_nodes + target]))
    return torch.from_numpy(np.stack([keys % num_nodes, keys // num_nodes]) if num_nodes else edges[:, :0])


def _edges(what: str, edge_index: Tensor | np.ndarray) -> np.ndarray:
    edges = np.asarray(edge_index.cpu() if isinstance(edge_index, Tensor) else edge_index)
    if edges.ndim != 2 or edges.shape[0] != 2:
        raise ValueError(f"{what}: edge_index must be [2, E], got {list(edges.shape)}")
    if edges.dtype.kind not in "iu":
        raise ValueError(f"{what}: edge_index must have an integer dtype, got {edges.dtype}")
    return np.ascontiguousarray(edges, np.int64)


def _check_count(what: str, name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{what}: {name} must be at least {least}, got {value}")

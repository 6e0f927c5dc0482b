"""Least squares on degrees: what a graph network has to beat before it has learned anything else."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["FITS", "degree_features", "degree_fit", "relative_features", "shared_neighbours"]

FITS = {
    "constant": (),
    "fit: degree, degree²": ("degree", "degree²"),
    "fit: + mean degree of neighbours": ("degree", "degree²", "mean"),
    "fit: + sum of 1 / degree": ("degree", "degree²", "mean", "inverse"),
    "fit: + edges among neighbours": ("degree", "degree²", "mean", "inverse", "links"),
}
"""Row of the table -> features of `degree_features`, beside a constant."""


def shared_neighbours(edge_index: Tensor, nodes: int) -> Tensor:
    """Number of neighbours that the two ends of each edge share: float32 [E], of an undirected graph.

    Example:
        >>> import torch
        >>> triangle_and_tail = torch.tensor([[0, 1, 1, 2, 0, 2, 2, 3], [1, 0, 2, 1, 2, 0, 3, 2]])
        >>> shared_neighbours(triangle_and_tail, 4).tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    rows = torch.zeros(nodes, nodes, dtype=torch.bool)
    rows[edge_index[1], edge_index[0]] = True
    chunks = zip(edge_index[0].split(4096), edge_index[1].split(4096), strict=True)
    counts = [(rows[a] & rows[b]).sum(1).float() for a, b in chunks]
    return torch.cat(counts) if counts else torch.zeros(0)


def degree_features(edge_index: Tensor, nodes: int) -> dict[str, Tensor]:
    """Features by name, float64 [N]: degree and its square, mean and sum of inverse of the neighbours'
    degrees, number of edges among the neighbours.

    Example:
        >>> import torch
        >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> degree_features(path, 3)["mean"].tolist()
        [2.0, 1.0, 2.0]
    """
    source, destination = edge_index
    degree = torch.bincount(destination, minlength=nodes).double()
    least = degree.clamp(min=1)

    def added(values: Tensor) -> Tensor:
        return torch.zeros(nodes, dtype=torch.float64).index_add(0, destination, values)

    return {
        "degree": degree,
        "degree²": degree**2,
        "mean": added(degree[source]) / least,
        "inverse": added(1 / least[source]),
        "links": added(shared_neighbours(edge_index, nodes).double()) / 2,
    }


def relative_features(edge_index: Tensor, nodes: int) -> dict[str, Tensor]:
    """`degree_features` for fits over several graphs: the degree scaled to [0, 1] in its graph, as the target
    is, and that squared; mean degree of neighbours and edges among them over the largest degree.

    Example:
        >>> import torch
        >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> relative_features(path, 3)["degree"].tolist()
        [0.0, 1.0, 0.0]
    """
    features = degree_features(edge_index, nodes)
    degree = features["degree"]
    low, top = degree.min(), degree.max().clamp(min=1)
    share = (degree - low) / (top - low).clamp(min=1)
    return {
        "degree": share,
        "degree²": share**2,
        "mean": features["mean"] / top,
        "inverse": features["inverse"],
        "links": features["links"] / top**2,
    }


def degree_fit(names: tuple[str, ...], known: list[dict[str, Tensor]], targets: list[Tensor]):
    """Least squares over the nodes of one or more graphs.

    Args:
        names: features used, beside a constant.
        known: features [n] of the fitted nodes, one dict for each graph.
        targets: [n] each.

    Returns:
        A function from a dict of features to predictions, float64.

    Example:
        >>> import torch
        >>> line = degree_fit(("degree",), [{"degree": torch.tensor([0.0, 1.0])}], [torch.tensor([1.0, 3.0])])
        >>> round(float(line({"degree": torch.tensor([2.0])})), 6)
        5.0
    """

    def table(features: dict[str, Tensor]) -> Tensor:
        count = len(next(iter(features.values())))
        columns = [torch.ones(count, dtype=torch.float64), *(features[n].double() for n in names)]
        return torch.stack(columns, 1)

    matrix = torch.cat([table(features) for features in known])
    scale = matrix.abs().amax(0).clamp(min=1e-12)
    solution = torch.linalg.lstsq(
        matrix / scale, torch.cat(targets).double()[:, None], driver="gelsd"
    ).solution
    return lambda features: ((table(features) / scale) @ solution)[:, 0]

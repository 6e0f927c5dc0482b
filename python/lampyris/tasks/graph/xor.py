"""XOR of neighbours: labels that no neighbour tells anything about, only all of them together.

Every node hears from a fixed number of others and its class is the parity of their bits, or the XOR of the
bits of the two neighbours with the middle keys. One graph layer, then a readout.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lampyris.data.graph_sets import NodeGraph
from lampyris.nn import GOATConv

from .baselines import BASELINES
from .node_classification import accuracy
from .results import Results
from .training import Recipe, fit, run_jobs, split_nodes

__all__ = ["middle_graph", "one_run", "parity_graph", "xor_task"]

MODELS = ("SAGE-sum", "SAGE-mean", "SAGE-max", "GCN", "GAT", "GATv2", "GOAT", "GOATv2", "GOAT by key")
RECIPE = Recipe(steps=600, lr=0.01, weight_decay=0.0, patience=200, every=5, clip=1.0)


def parity_graph(nodes: int = 2000, degree: int = 6, *, seed: int = 0) -> NodeGraph:
    """Each node hears from ``degree`` random others; its class is the parity of their bits.

    Features are one-hot bits [N, 2], half of them ones: fewer than ``degree`` neighbours tell nothing about
    the class.

    Example:
        >>> graph = parity_graph(100, 3)
        >>> bits = graph.x[:, 1].long()[graph.edge_index[0]].view(100, 3)
        >>> bool((bits.sum(1) % 2 == graph.y).all())
        True
    """
    random = _checked(nodes, degree, seed)
    source = np.stack([random.choice(nodes - 1, degree, replace=False) for _ in range(nodes)])
    source += source >= np.arange(nodes)[:, None]  # never the node itself
    bits = random.permutation(nodes) % 2
    label = bits[source].sum(1) % 2
    return NodeGraph(
        f"parity of {degree}",
        torch.eye(2)[torch.from_numpy(bits)],
        _star_edges(source),
        torch.from_numpy(label),
    )


def middle_graph(nodes: int = 2000, degree: int = 8, *, seed: int = 0) -> NodeGraph:
    """Each node hears from ``degree`` sources of its own, each a (key, bit); its class is the XOR of the bits
    at the two middle keys. Exactly half of the bits are ones, so that their number tells nothing.

    The first ``nodes`` nodes have classes, the sources have -1. Keys are standard normal, bits -1 and 1.

    Example:
        >>> graph = middle_graph(50, 4)
        >>> graph.x.shape, int((graph.y >= 0).sum())
        (torch.Size([250, 2]), 50)
    """
    random = _checked(nodes, degree, seed)
    if degree % 2 or degree < 4:
        raise ValueError(f"xor: degree must be even and >= 4, got {degree}")
    label = random.permutation(nodes) % 2
    keys = np.sort(random.standard_normal((nodes, degree)).astype(np.float32), 1)
    middle = [degree // 2 - 1, degree // 2]
    others = np.delete(np.arange(degree), middle)
    bits = np.empty((nodes, degree), np.int64)
    bits[:, middle[0]] = random.integers(0, 2, nodes)
    bits[:, middle[1]] = bits[:, middle[0]] ^ label
    for row in bits:
        row[others] = random.permutation(np.arange(len(others)) < degree // 2 - row[middle].sum())
    order = np.argsort(random.random((nodes, degree)), 1)  # the place in the list tells nothing
    keys, bits = np.take_along_axis(keys, order, 1), np.take_along_axis(bits, order, 1)
    x = np.zeros((nodes * (1 + degree), 2), np.float32)
    x[nodes:] = np.stack([keys.ravel(), 2.0 * bits.ravel() - 1], 1)
    source = nodes + np.arange(nodes * degree).reshape(nodes, degree)
    y = np.full(len(x), -1, np.int64)
    y[:nodes] = label
    return NodeGraph(f"two middle of {degree}", torch.from_numpy(x), _star_edges(source), torch.from_numpy(y))


def _checked(nodes: int, degree: int, seed: int) -> np.random.Generator:
    if not 1 <= degree < nodes:
        raise ValueError(f"xor: degree must be in [1, nodes) = [1, {nodes}), got {degree}")
    return np.random.default_rng(seed)


def _star_edges(source: np.ndarray) -> Tensor:
    """Sources [N, degree] of nodes 0 to N - 1 -> edge_index [2, N degree]."""
    nodes, degree = source.shape
    return torch.from_numpy(np.stack([source.ravel(), np.repeat(np.arange(nodes), degree)]))


class _OneLayer(nn.Module):
    """A graph layer of 32 outputs, then a linear map or an MLP of 32."""

    def __init__(self, name: str, inputs: int, readout: Literal["linear", "mlp"]) -> None:
        super().__init__()
        width, self.by_key = 32, name == "GOAT by key"
        if self.by_key:
            self.layer = GOATConv(inputs, width, attention="given", weighting="none", add_self_loops=False)
        elif name.startswith("GOAT"):
            score = (
                {"attention": "gatv2", "weighting": "sigmoid"} if name == "GOATv2" else {"weighting": "none"}
            )
            self.layer = GOATConv(inputs, width, add_self_loops=False, **score)
        else:
            self.layer = BASELINES[name](inputs, width, 4)
        self.readout = nn.Linear(width, 2)
        if readout == "mlp":
            self.readout = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.by_key:
            return self.readout(self.layer(x, edge_index, score=x[edge_index[0], 0]))
        if isinstance(self.layer, GOATConv):
            return self.readout(self.layer(x, edge_index))
        return self.readout(self.layer(x, (edge_index[0], edge_index[1])))


def one_run(
    name: str, graph: NodeGraph, readout: Literal["linear", "mlp"], seed: int, recipe: Recipe = RECIPE
) -> float:
    """Test accuracy (a share) of one layer and readout; ``seed`` draws split and weights."""
    known = (graph.y >= 0).nonzero()[:, 0]
    train, val, test = (known[part] for part in split_nodes(len(known), seed=seed))
    torch.manual_seed(seed)
    model = _OneLayer(name, graph.x.shape[1], readout)

    def cross_entropy(nodes: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(graph.x, graph.edge_index)[nodes], graph.y[nodes])

    fit(model, lambda: cross_entropy(train), score=lambda: float(cross_entropy(val)), recipe=recipe)
    with torch.no_grad():
        return accuracy(model(graph.x, graph.edge_index)[test], graph.y[test])


def xor_task(
    seeds: int = 5,
    models: list[str] | None = None,
    *,
    nodes: int = 2000,
    steps: int | None = None,
    workers: int | None = None,
    screen=None,
) -> Results:
    """Test accuracy of one graph layer, over seeds (graph, split and weights).

    Args:
        seeds: runs.
        models: rows; `MODELS` when None.
        nodes: with a class, in each graph.
        steps: of every training, instead of the recipe's.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Raises:
        ValueError: an unknown model, or no seed.
    """
    names = list(MODELS if models is None else models)
    if seeds < 1:
        raise ValueError(f"xor: seeds must be >= 1, got {seeds}")
    for name in names:
        if name not in MODELS:
            raise ValueError(f"xor: model must be one of {', '.join(MODELS)}, got {name!r}")
    recipe = RECIPE if steps is None else Recipe(**{**vars(RECIPE), "steps": steps})
    settings = {
        "parity of 6, linear readout": (parity_graph, "linear"),
        "parity of 6, MLP readout": (parity_graph, "mlp"),
        "two middle of 8, MLP readout": (middle_graph, "mlp"),
    }
    jobs, keys = [], []
    for setting, (make, readout) in settings.items():
        for seed in range(seeds):
            graph = make(nodes, seed=seed)
            for name in names:
                if name == "GOAT by key" and make is parity_graph:
                    continue  # bits have no keys
                keys.append((setting, name))
                jobs.append((name, graph, readout, seed, recipe))
    results = Results(
        "xor",
        f"{seeds} seeds (graph, split, weights), {nodes} nodes, 60/20/20, one layer of width 32, Adam "
        f"{recipe.lr:g}, at most {recipe.steps} steps, weights of the best validation loss; chance is 50 %",
        "test accuracy, %",
        "higher",
        4,
    )
    for key, value in zip(
        keys, run_jobs(one_run, jobs, workers=workers, title="xor", screen=screen), strict=True
    ):
        results.add(*key, 100 * value)
    return results

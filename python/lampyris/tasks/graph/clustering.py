"""Clusters of a graph without labels: pooling losses beside spectral clustering and k-means."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cluster_sets import GRAPH_SETS, GraphSet, load_graph_set
from .message_passing import GCS, Propagation
from .poolers import CLUSTER_POOLERS
from .results import Results
from .training import Recipe, fit, run_jobs

__all__ = ["METHODS", "ClusterNet", "Partition", "agreement", "clustering_task", "partition"]

METHODS = ("k-means", "spectral", *CLUSTER_POOLERS, "mincut, best of 4", "dmon, best of 4")
"""Rows of the table; "best of 4" keeps the start with the lowest loss, which needs no labels."""
SMOOTHING = {"just_balance": 10}
"""JustBalance has no cut term: as published it sees the graph through ten smoothing steps."""
STEP_OF_SMOOTHING = 0.85


class ClusterNet(nn.Module):
    """One graph convolution with ELU, and a pooling layer whose linear selector gives the K clusters.

    Args:
        in_channels, hidden, clusters: F, width, K.
        loss: of `CLUSTER_POOLERS`.
        layers: graph convolutions.

    Source: Bianchi, Grattarola, Alippi, ICML 2020 (16 units, no hidden layer).
    """

    def __init__(self, in_channels: int, hidden: int, clusters: int, loss: str = "mincut", layers: int = 1):
        super().__init__()
        widths = [in_channels] + [hidden] * layers
        self.convolutions = nn.ModuleList(GCS(a, b, F.elu) for a, b in pairwise(widths))
        self.pool = CLUSTER_POOLERS[loss](hidden, clusters, symmetric=True)

    def embed(self, x: Tensor, propagate) -> Tensor:
        """[N, F] -> [N, hidden]."""
        for convolution in self.convolutions:
            x = convolution(x, propagate)
        return x

    def break_symmetry(self, x: Tensor, propagation: Propagation) -> None:
        """Set the selector by k-means++ on the embedding; features equal in all nodes stay as they are."""
        embedded = self.embed(x, propagation)
        if bool((embedded != embedded[:1]).any()):
            self.pool.break_symmetry(embedded)

    def loss(self, x: Tensor, propagation: Propagation) -> Tensor:
        """Both losses of the pooling layer."""
        row_ptr, col, weight = propagation.rows
        out = self.pool(self.embed(x, propagation), (row_ptr, col), weight)
        return sum(out.loss.values())

    @torch.no_grad()
    def labels(self, x: Tensor, propagation: Propagation) -> np.ndarray:
        """[N], the cluster with the largest share of each node."""
        return self.pool.selector(self.embed(x, propagation)).argmax(1).numpy()


@dataclass(frozen=True)
class Partition:
    """Cluster of each node [N], the loss reached, and seconds of all starts."""

    labels: np.ndarray
    loss: float
    seconds: float


def partition(
    graph: GraphSet,
    clusters: int,
    *,
    loss: str = "mincut",
    seed: int = 0,
    starts: int = 1,
    hidden: int = 16,
    recipe: Recipe | None = None,
) -> Partition:
    """Train a `ClusterNet` on one graph without labels; the arg-max of its assignment.

    Args:
        graph: with features.
        clusters: K >= 1.
        loss: of `CLUSTER_POOLERS`.
        seed: of the first start; the others follow it.
        starts: trainings, of which the one with the lowest loss is kept.
        hidden: width of the graph convolution.
        recipe: of the training; 1000 steps of Adam at 0.01 when None.

    Raises:
        ValueError: an unknown loss or a size below 1.

    Example:
        >>> found = partition(load_graph_set("karate"), 2, recipe=Recipe(steps=60, lr=0.01))
        >>> found.labels.shape
        (34,)
    """
    if clusters < 1 or starts < 1 or hidden < 1:
        raise ValueError(
            f"clustering: clusters, starts and hidden must be >= 1, got {clusters}, {starts} and {hidden}"
        )
    recipe = recipe or Recipe(steps=1000, lr=0.01, weight_decay=0.0)
    begin = time.perf_counter()
    propagation = Propagation(graph.edge_index, graph.num_nodes, graph.weight)
    x = graph.features
    for _ in range(SMOOTHING.get(loss, 0)):
        x = torch.lerp(x, propagation(x), STEP_OF_SMOOTHING)
    best = None
    for start in range(starts):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1000 * seed + start)
            model = ClusterNet(x.shape[1], hidden, clusters, loss)
            model.break_symmetry(x, propagation)
        fit(model, lambda model=model: model.loss(x, propagation), recipe=recipe)
        with torch.no_grad():
            reached = float(model.loss(x, propagation))
        if best is None or reached < best[0]:
            best = reached, model.labels(x, propagation)
    return Partition(best[1], best[0], time.perf_counter() - begin)


def k_means(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """scikit-learn's k-means, ten starts."""
    from sklearn.cluster import KMeans

    return KMeans(clusters, n_init=10, random_state=seed).fit_predict(points)


def spectral(adjacency, clusters: int, seed: int) -> np.ndarray:
    """scikit-learn's spectral clustering of a SciPy adjacency."""
    import warnings

    from sklearn.cluster import SpectralClustering

    with warnings.catch_warnings():  # graphs that fall apart: "Graph is not fully connected"
        warnings.simplefilter("ignore", UserWarning)
        model = SpectralClustering(clusters, affinity="precomputed", random_state=seed)
        return model.fit_predict(adjacency)


def agreement(labels: np.ndarray, reference) -> float:
    """Normalised mutual information, 0 to 1 (arithmetic mean of the entropies).

    Example:
        >>> round(agreement([1, 1, 0, 0], [0, 0, 1, 1]), 6)
        1.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(reference, labels))


def _one(graph: GraphSet, method: str, seed: int, recipe: Recipe) -> Partition:
    begin = time.perf_counter()
    if method == "k-means":
        points = graph.features.numpy() if graph.name == "digits" else graph.adjacency().toarray()
        labels = k_means(points, graph.classes, seed)
    elif method == "spectral":
        labels = spectral(graph.adjacency(), graph.classes, seed)
    else:
        loss, _, starts = method.partition(", best of ")
        found = partition(graph, graph.classes, loss=loss, seed=seed, starts=int(starts or 1), recipe=recipe)
        return found
    return Partition(labels, float("nan"), time.perf_counter() - begin)


def clustering_task(
    graphs: list[str] | None = None,
    methods: list[str] | None = None,
    *,
    seeds: int = 10,
    steps: int = 1000,
    lr: float = 0.01,
    workers: int | None = None,
    screen=None,
) -> tuple[Results, dict[str, dict[str, np.ndarray]]]:
    """NMI with the reference partition, over seeds; K is that of the reference.

    Args:
        graphs: names in `GRAPH_SETS`; all when None.
        methods: of `METHODS`; all when None.
        seeds: runs of each.
        steps, lr: of Adam, full batch; the last weights count.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        The results, and for the pictures graph -> method -> labels [N] of the first seed.

    Raises:
        ValueError: an unknown graph or method.
    """
    methods = list(METHODS if methods is None else methods)
    for name in methods:
        if name not in METHODS:
            raise ValueError(f"clustering: method must be one of {', '.join(METHODS)}, got {name!r}")
    recipe = Recipe(steps=steps, lr=lr, weight_decay=0.0)
    sets = [load_graph_set(name) for name in (GRAPH_SETS if graphs is None else graphs)]
    jobs = [(graph, name, seed, recipe) for graph in sets for name in methods for seed in range(seeds)]
    found = run_jobs(_one, jobs, workers=workers, title="clustering", screen=screen)
    results = Results(
        "clustering",
        f"{seeds} seeds; K of the reference partition; networks: GCS 16 ELU and a linear layer (k-means++ "
        f"start), Adam {lr:g}, {steps} full-batch steps, last weights, no labels anywhere; k-means: ten "
        "starts on the features (rows of the adjacency where there are none; the networks then read the K "
        "leading eigenvectors)",
        "NMI with the reference partition",
        "higher",
    )
    first: dict[str, dict[str, np.ndarray]] = {}
    seconds: dict[str, dict[str, list[float]]] = {}
    used: dict[str, dict[str, list[int]]] = {}
    for (graph, name, seed, _), part in zip(jobs, found, strict=True):
        results.add(graph.name, name, agreement(part.labels, graph.labels))
        seconds.setdefault(graph.name, {}).setdefault(name, []).append(part.seconds)
        used.setdefault(graph.name, {}).setdefault(name, []).append(len(np.unique(part.labels)))
        if seed == 0:
            first.setdefault(graph.name, {})[name] = part.labels
    results.notes += [
        f"{graph.name}: {graph.num_nodes} nodes, {graph.edge_index.shape[1] // 2} edges, "
        f"K = {graph.classes}, reference: {graph.reference}"
        for graph in sets
    ]
    results.details |= {"seconds": seconds, "clusters_used": used}
    return results, first

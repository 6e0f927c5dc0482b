"""Communities of large graphs by a network trained on small ones, beside spectral clustering."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .clustering import ClusterNet, agreement, k_means, spectral
from .message_passing import Propagation
from .poolers import CLUSTER_POOLERS
from .results import Results
from .stochastic_blocks import BlockGraph, BlockModel, sample_blocks
from .training import Recipe, fit, run_jobs

__all__ = ["BLOCK_METHODS", "REGIMES", "block_models_task", "train_on_blocks"]

BLOCK_METHODS = ("mincut", "dmon", "spectral", "spectral, scikit-learn", "k-means", "k-means, smoothed")
"""Rows of the table. "spectral" is Lanczos on the normalised adjacency, much faster on these graphs than
scikit-learn's shift-invert; "smoothed" is k-means on four steps of the normalised adjacency."""
REGIMES = {
    "dense": BlockModel(degree=12.0, mixing=0.35, signal=1.0),
    "sparse": BlockModel(degree=5.0, mixing=0.3, signal=1.5),
}
"""In the sparse one the leading eigenvectors gather on hubs and trees, and spectral clustering fails."""
HIDDEN = 32
LAYERS = 4
LARGEST_FACTORED = 4000
"""scikit-learn factors the Laplacian: the fill-in of larger random graphs takes minutes and gigabytes."""
FIRST_TEST_SEED = 1_000_000
"""Training graphs are drawn from seeds below it."""


@dataclass(frozen=True)
class _Read:
    """A graph as the network reads it."""

    x: Tensor
    propagation: Propagation

    @classmethod
    def of(cls, graph: BlockGraph) -> _Read:
        return cls(graph.x, Propagation(graph.edge_index, len(graph.x)))


def train_on_blocks(
    model: BlockModel,
    *,
    loss: str = "mincut",
    graphs: int = 20,
    nodes: int = 200,
    starts: int = 3,
    seed: int = 0,
    recipe: Recipe | None = None,
) -> ClusterNet:
    """Train one `ClusterNet` on several small graphs, one in each step, without labels.

    Args:
        model: the graphs come from.
        loss: of `CLUSTER_POOLERS`.
        graphs, nodes: number and size of the training graphs.
        starts: trainings; the one with the lowest mean loss on the training graphs is kept.
        seed: of graphs and weights.
        recipe: 400 steps of Adam at 0.01 when None.

    Raises:
        ValueError: an unknown loss, or a size out of range.

    Example:
        >>> net = train_on_blocks(BlockModel(blocks=2), graphs=2, nodes=60, starts=1, recipe=Recipe(steps=5))
        >>> unseen = sample_blocks(BlockModel(blocks=2), 500, seed=9)
        >>> net.labels(unseen.x, Propagation(unseen.edge_index, 500)).shape
        (500,)
    """
    if loss not in CLUSTER_POOLERS:
        raise ValueError(f"block model: loss must be one of {', '.join(CLUSTER_POOLERS)}, got {loss!r}")
    if min(graphs, starts) < 1:
        raise ValueError(f"block model: graphs and starts must be >= 1, got {graphs} and {starts}")
    recipe = recipe or Recipe(steps=400, lr=0.01, weight_decay=0.0)
    known = [_Read.of(sample_blocks(model, nodes, 1000 * seed + number)) for number in range(graphs)]
    best: tuple[float, ClusterNet] | None = None
    for start in range(starts):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1000 * seed + start)
            net = ClusterNet(model.features, HIDDEN, model.blocks, loss, LAYERS)
        turn = iter(range(recipe.steps))

        def value(net=net, turn=turn) -> Tensor:
            graph = known[next(turn) % len(known)]
            return net.loss(graph.x, graph.propagation)

        fit(net, value, recipe=recipe)
        with torch.no_grad():
            reached = float(np.mean([float(net.loss(graph.x, graph.propagation)) for graph in known]))
        if best is None or reached < best[0]:
            best = reached, net
    return best[1]


def _adjacency(graph: BlockGraph):
    import scipy.sparse

    source, destination = graph.edge_index.numpy()
    shape = (len(graph.x), len(graph.x))
    return scipy.sparse.csr_matrix((np.ones(len(source), np.float32), (destination, source)), shape=shape)


def spectral_by_lanczos(adjacency, clusters: int, seed: int) -> np.ndarray:
    """k-means (ten starts) on the K leading eigenvectors of D^-1/2 A D^-1/2, rows of length 1.

    Args:
        adjacency: SciPy matrix [N, N], symmetric, N > K.
        clusters: K.
        seed: of the starts.

    Source: Ng, Jordan, Weiss, On spectral clustering, NIPS 2001.
    """
    import scipy.sparse
    from scipy.sparse.linalg import eigsh

    degree = np.asarray(adjacency.sum(1)).ravel()
    scale = scipy.sparse.diags(1 / np.sqrt(np.maximum(degree, 1)))
    start = np.random.default_rng(seed).normal(size=len(degree))
    _, vectors = eigsh((scale @ adjacency @ scale).astype(np.float64), clusters, which="LA", v0=start)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return k_means(vectors / np.maximum(length, 1e-12), clusters, seed)


def _labels(name: str, graph: BlockGraph, net: ClusterNet | None, clusters: int, seed: int):
    """(labels [N], seconds from edge_index and features to labels)."""
    begin = time.perf_counter()
    if name == "spectral":
        labels = spectral_by_lanczos(_adjacency(graph), clusters, seed)
    elif name == "spectral, scikit-learn":
        labels = spectral(_adjacency(graph), clusters, seed)
    elif name == "k-means":
        labels = k_means(graph.x.numpy(), clusters, seed)
    elif name == "k-means, smoothed":
        read = _Read.of(graph)
        x = read.x
        for _ in range(LAYERS):
            x = read.propagation(x)
        labels = k_means(x.numpy(), clusters, seed)
    else:
        read = _Read.of(graph)
        labels = net.labels(read.x, read.propagation)
    return labels, time.perf_counter() - begin


def _one(
    model: BlockModel,
    name: str,
    seed: int,
    sizes: tuple[int, ...],
    tests: int,
    training: dict,
) -> tuple[list[tuple[int, float, float]], float]:
    """((N, NMI, seconds) of every unseen graph, seconds of the training)."""
    begin = time.perf_counter()
    net = train_on_blocks(model, loss=name, seed=seed, **training) if name in CLUSTER_POOLERS else None
    trained = time.perf_counter() - begin
    rows = []
    for size in sizes:
        if name == "spectral, scikit-learn" and size > LARGEST_FACTORED:
            continue
        for number in range(tests):
            graph = sample_blocks(model, size, FIRST_TEST_SEED + 1000 * seed + number)
            labels, seconds = _labels(name, graph, net, model.blocks, seed)
            rows.append((size, agreement(labels, graph.y), seconds))
    return rows, trained


def block_models_task(
    methods: list[str] | None = None,
    regimes: list[str] | None = None,
    *,
    sizes: tuple[int, ...] = (1000, 4000, 16_000),
    tests: int = 3,
    seeds: int = 3,
    train_graphs: int = 20,
    train_nodes: int = 400,
    steps: int = 300,
    lr: float = 0.01,
    workers: int | None = None,
    screen=None,
) -> tuple[Results, Results]:
    """NMI and time on graphs never seen, by networks trained on small ones and by what needs no training.

    Args:
        methods: of `BLOCK_METHODS`; all when None.
        regimes: of `REGIMES`; all when None.
        sizes: N of the unseen graphs.
        tests: unseen graphs of each size for each seed.
        seeds: trainings, each with graphs of its own.
        train_graphs, train_nodes: of each training.
        steps, lr: of Adam, for each of three starts.
        workers: processes; see `run_jobs`. Times are read while as many run.
        screen: rich console of the progress bar.

    Returns:
        NMI, and seconds from the edges and features of a graph to its labels.

    Raises:
        ValueError: an unknown method or regime.
    """
    methods = list(BLOCK_METHODS if methods is None else methods)
    regimes = list(REGIMES if regimes is None else regimes)
    for what, names, known in (("method", methods, BLOCK_METHODS), ("regime", regimes, REGIMES)):
        for name in names:
            if name not in known:
                raise ValueError(f"block model: {what} must be one of {', '.join(known)}, got {name!r}")
    recipe = Recipe(steps=steps, lr=lr, weight_decay=0.0)
    training = {"graphs": train_graphs, "nodes": train_nodes, "recipe": recipe}
    rest = tuple(sizes), tests, training
    jobs = [(REGIMES[r], name, seed, *rest) for r in regimes for name in methods for seed in range(seeds)]
    places = [(r, name) for r in regimes for name in methods for _ in range(seeds)]
    found = run_jobs(_one, jobs, workers=workers, title="block models", screen=screen)
    shown = "; ".join(
        f"{name}: degree {REGIMES[name].degree:g}, mixing {REGIMES[name].mixing:g}, "
        f"signal {REGIMES[name].signal:g}"
        for name in regimes
    )
    protocol = (
        f"contextual block models, 5 blocks, 16 features ({shown}); networks: {LAYERS} GCS {HIDDEN} ELU, "
        f"trained without labels on {train_graphs} graphs of {train_nodes} nodes ({steps} steps of Adam "
        f"{lr:g}, lowest loss of 3 starts); {seeds} seeds x {tests} unseen graphs of each size; one thread "
        "each"
    )
    quality = Results("sbm", protocol, "NMI with the blocks", "higher", 2)
    times = Results("sbm_time", protocol, "seconds per unseen graph, training excluded", "lower", 2)
    trained: dict[str, list[float]] = {}
    for (regime, name), (rows, seconds) in zip(places, found, strict=True):
        for size, score, taken in rows:
            quality.add(f"{regime} {size}", name, score)
            times.add(f"{regime} {size}", name, taken)
        if name in CLUSTER_POOLERS:
            trained.setdefault(name, []).append(seconds)
    for name, seconds in trained.items():
        quality.notes.append(
            f"training of {name}, three starts: {np.mean(seconds):.1f} s, once for all graphs"
        )
    quality.details |= {"seconds": times.to_json()["figures"], "training_seconds": trained}
    return quality, times

"""Classes of whole graphs: the Bench sets, or a TU set, through different poolings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lampyris.data.graph_files import GraphCollection, read_tu
from lampyris.nn.graph_input import csr_from_edge_index

from .bench_graphs import BenchGraph, bench_set
from .levels import Flat, flat_batch
from .message_passing import GCS
from .poolers import POOLERS, make_pooler
from .results import Results
from .training import Recipe, fit, run_jobs

__all__ = ["GraphClassifier", "collection_inputs", "graph_classification_task", "graph_inputs"]

RATIO = 0.5
"""Share of the nodes that Top-K and SAGPool keep; the others pool to N / 2 and N / 4 of the mean N."""
DEGREES = 20
"""Degrees of a TU set that count apart; larger ones are one."""
SHARES = (0.81, 0.09)
"""Training and validation; the rest is the test, as published."""
FEWEST = 10
PUBLISHED = {
    "easy": {
        "none": 98.5, "mincut": 99.0, "dmon": 98.8, "total_variation": 99.6, "diffpool": 98.6,
        "topk": 82.4, "sagpool": 84.2,
    },
    "hard": {
        "none": 67.6, "mincut": 70.9, "dmon": 71.8, "total_variation": 75.3, "diffpool": 69.9,
        "topk": 42.7, "sagpool": 37.7,
    },
}  # fmt: skip
"""Accuracy in %: Bianchi et al. 2020; the rows of this library as run again by Hansen and Bianchi 2023."""


class GraphClassifier(nn.Module):
    """MP 32 - pool - MP 32 - pool - MP 32 - mean - linear, MP a graph convolution with ReLU.

    Args:
        channels, classes: F and number of classes.
        pooling: of `POOLERS`.
        clusters: K of the two poolings.
        hidden: width.

    Example:
        >>> model = GraphClassifier(5, 3, "mincut", (8, 4))
        >>> logits, loss = model(flat_batch(graph_inputs(bench_set("hard", 1))))
        >>> logits.shape, loss.shape
        (torch.Size([3, 3]), torch.Size([]))
    """

    def __init__(
        self, channels: int, classes: int, pooling: str, clusters: tuple[int, int], hidden: int = 32
    ):
        super().__init__()
        self.convolutions = nn.ModuleList(
            GCS(width, hidden, torch.relu) for width in (channels, hidden, hidden)
        )
        self.pools = nn.ModuleList(make_pooler(pooling, hidden, k, RATIO) for k in clusters)
        self.classes = nn.Linear(hidden, classes)

    def forward(self, level: Flat) -> tuple[Tensor, Tensor]:
        """(logits [B, classes], losses of both poolings)."""
        total = level.x.new_zeros(())
        for convolution, pool in zip(self.convolutions, (*self.pools, None), strict=True):
            level = level.with_x(convolution(level.x, level.propagate))
            if pool is not None:
                pooled = pool(level)
                level, total = pooled.level, total + pooled.loss
        return self.classes(level.mean()), total


def graph_inputs(graphs: list[BenchGraph]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(x, row_ptr, col) of each graph."""
    rows = [csr_from_edge_index(graph.edge_index, len(graph.x)) for graph in graphs]
    return [(graph.x, row.row_ptr, row.col) for graph, row in zip(graphs, rows, strict=True)]


def collection_inputs(collection: GraphCollection) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(x, row_ptr, col) of each graph of a TU set; its features, and the degree one-hot, up to `DEGREES`.

    Raises:
        ValueError: a graph without nodes.
    """
    nodes = len(collection.x)
    row_ptr, col, _ = csr_from_edge_index(collection.edge_index, nodes)
    degree = F.one_hot(row_ptr.diff().clamp(max=DEGREES), DEGREES + 1).float()
    x = torch.cat((collection.x, degree), 1)
    inputs = []
    for number, (first, last) in enumerate(pairwise(collection.graph_ptr.tolist())):
        if first == last:
            raise ValueError(f"graph classification: graphs must have nodes, got none in graph {number}")
        own = row_ptr[first : last + 1]
        inputs.append((x[first:last], own - own[0], col[own[0] : own[-1]] - first))
    return inputs


@dataclass(frozen=True)
class _Set:
    """A Bench set of the sizes of `bench_set`, or the TU set in a folder."""

    name: str
    per_class: int = 0
    largest: int = 0
    folder: str | None = None

    def load(self) -> tuple[list[tuple[Tensor, Tensor, Tensor]], Tensor]:
        """Inputs of each graph, and the classes [G]."""
        if self.folder is not None:
            collection = read_tu(self.folder)
            return collection_inputs(collection), collection.y
        graphs = bench_set(self.name, self.per_class, self.largest)
        return graph_inputs(graphs), torch.tensor([graph.y for graph in graphs])


@dataclass(frozen=True)
class _Run:
    accuracy: float
    seconds_per_epoch: float
    epochs: int


def _one(
    kind: _Set,
    pooling: str,
    seed: int,
    epochs: int,
    patience: int,
    batch: int,
    lr: float,
    weight_decay: float,
) -> _Run:
    inputs, y = kind.load()
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(inputs), generator=random)
    train, val, test = order.tensor_split([int(len(inputs) * s) for s in (SHARES[0], sum(SHARES))])
    mean = sum(len(x) for x, _, _ in inputs) / len(inputs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clusters = max(int(mean / 2), 1), max(int(mean / 4), 1)
        model = GraphClassifier(inputs[0][0].shape[1], int(y.max()) + 1, pooling, clusters)
    queue: list[Tensor] = []

    def loss() -> Tensor:
        if not queue:
            queue.extend(train[torch.randperm(len(train), generator=random)].split(batch))
        chosen = queue.pop()
        logits, extra = model(flat_batch([inputs[i] for i in chosen.tolist()]))
        return F.cross_entropy(logits, y[chosen]) + extra

    def logits_of(part: Tensor) -> Tensor:
        parts = [flat_batch([inputs[i] for i in chosen.tolist()]) for chosen in part.split(64)]
        return torch.cat([model(level)[0] for level in parts])

    def score() -> float:  # errors first, the loss between equal ones
        logits = logits_of(val)
        wrong = float((logits.argmax(1) != y[val]).float().mean())
        return wrong + 1e-3 * min(float(F.cross_entropy(logits, y[val])), 100.0)

    steps = -(-len(train) // batch)
    recipe = Recipe(steps * epochs, lr, weight_decay, patience * steps, every=steps)
    result = fit(model, loss, score=score, recipe=recipe)
    with torch.no_grad():
        right = (logits_of(test).argmax(1) == y[test]).float().mean()
    done = result.steps // steps
    return _Run(100 * float(right), result.seconds / max(done, 1), done)


def graph_classification_task(
    sets: list[str] | None = None,
    poolings: list[str] | None = None,
    *,
    folder: str | None = None,
    per_class: int = 100,
    largest: int = 80,
    seeds: int = 10,
    epochs: int = 300,
    patience: int = 50,
    batch: int = 16,
    lr: float = 2e-3,
    weight_decay: float = 1e-4,
    workers: int | None = None,
    screen=None,
) -> Results:
    """Test accuracy of one network with different poolings on the Bench sets.

    Args:
        sets: of easy, hard; both when None.
        poolings: of `POOLERS`; all when None.
        folder: of a TU data set (PROTEINS, DD, ...) in place of ``sets``.
        per_class, largest: size of the sets; 100 and 80 are the published small ones, 600 and 200 the full.
        seeds: runs of each; a seed draws split, weights and order of the batches. The graphs stay.
        epochs, patience: epochs at most, and without a better validation error.
        batch: graphs in a step, for every pooling.
        lr, weight_decay: of Adam.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        Accuracy in %.

    Raises:
        ValueError: an unknown set or pooling, or files that are not sound.
        OSError: a file is missing.
    """
    poolings = list(POOLERS if poolings is None else poolings)
    for name in poolings:
        if name not in POOLERS:
            raise ValueError(
                f"graph classification: pooling must be one of {', '.join(POOLERS)}, got {name!r}"
            )
    if folder is not None:
        collection = read_tu(folder)
        kinds, count, data = [_Set(collection.name, folder=folder)], len(collection.y), collection.name
    else:
        count = 3 * per_class
        kinds = [_Set(name, per_class, largest) for name in (("easy", "hard") if sets is None else sets)]
        for kind in kinds:
            bench_set(kind.name, 1, kind.largest)  # its checks, before any process starts
        data = f"one Bench set of {count} graphs of up to {largest} nodes each"
    if count < FEWEST:
        raise ValueError(f"graph classification: graphs must be >= {FEWEST} for the split, got {count}")
    rest = epochs, patience, batch, lr, weight_decay
    jobs = [(kind, name, seed, *rest) for kind in kinds for name in poolings for seed in range(seeds)]
    found = run_jobs(_one, jobs, workers=workers, title="graph classification", screen=screen)
    results = Results(
        "classification",
        f"{seeds} seeds (split, weights, batches) on {data}; 81 / 9 / 10 %; MP 32 - pool - MP 32 - pool - "
        f"MP 32 - mean; Adam {lr:g}, L2 {weight_decay:g}, batches of {batch}, at most {epochs} epochs, "
        f"patience {patience}, weights of the best validation error",
        "test accuracy, %",
        "higher",
        4,
    )
    seconds: dict[str, list[float]] = {}
    epochs_done: dict[str, list[int]] = {}
    for (kind, name, *_), run in zip(jobs, found, strict=True):
        results.add(kind.name if kind.folder else f"Bench {kind.name}", name, run.accuracy)
        seconds.setdefault(name, []).append(run.seconds_per_epoch)
        epochs_done.setdefault(f"{kind.name}, {name}", []).append(run.epochs)
    times = ", ".join(f"{name} {1000 * sum(s) / len(s):.0f}" for name, s in seconds.items())
    results.notes.append(f"ms per epoch: {times}")
    for kind in kinds if folder is None else []:
        known = ", ".join(f"{name} {v}" for name, v in PUBLISHED[kind.name].items() if name in poolings)
        results.notes.append(f"published for {kind.name} (full size, other batches): {known}")
    results.details |= {"published": PUBLISHED, "seconds_per_epoch": seconds, "epochs": epochs_done}
    return results

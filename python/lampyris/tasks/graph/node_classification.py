"""Classes of nodes from few labels: GOAT beside MLP, GCN, SAGE, GIN, GAT and GATv2, over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lampyris.data.graph_sets import NodeGraph, digits_graph, disease_tree, karate_club

from .networks import seeded
from .results import Results
from .training import Recipe, fit, run_jobs, split_nodes

__all__ = ["MODELS", "SETS", "accuracy", "label_split", "node_task"]

MODELS = ("MLP", "GCN", "SAGE-mean", "SAGE-max", "GIN", "GAT", "GATv2", "GOAT", "GOATv2")


@dataclass(frozen=True)
class _Set:
    """A data set, its split in words, and ``labels``: per class for training and nodes for validation, or
    shares of training, validation and test."""

    load: object
    split: str
    per_class: int | None = None
    validation: int = 0
    shares: tuple[float, ...] = ()


SETS = {
    "digits": _Set(digits_graph, "5 labels per class, 200 nodes for validation, the rest for test", 5, 200),
    "karate": _Set(karate_club, "4 labels per class, no validation (last weights), the rest for test", 4),
    "disease": _Set(disease_tree, "30 % / 10 % / 60 %", shares=(0.3, 0.1, 0.6)),
}
FILE_SET = _Set(None, "60 % / 20 % / 20 %", shares=(0.6, 0.2, 0.2))


def label_split(y: Tensor, per_class: int, validation: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """``per_class`` nodes of each class, ``validation`` others, and the rest, at random.

    Raises:
        ValueError: a class has too few nodes.

    Example:
        >>> import torch
        >>> [len(part) for part in label_split(torch.tensor([0, 0, 0, 1, 1]), 1, 1, seed=0)]
        [2, 1, 2]
    """
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    classes = range(int(y.max()) + 1)
    chosen = [order[y[order] == c][:per_class] for c in classes]
    for c, nodes in enumerate(chosen):
        if len(nodes) < per_class:
            raise ValueError(
                f"node classification: class {c} must have >= {per_class} nodes, got {len(nodes)}"
            )
    train = torch.cat(chosen)
    free = torch.ones(len(y), dtype=torch.bool)
    free[train] = False
    rest = order[free[order]]
    return train, rest[:validation], rest[validation:]


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of the largest logit at the right class."""
    return float((logits.argmax(-1) == y).float().mean())


def _one(
    name: str, graph: NodeGraph, parts: tuple[Tensor, ...], recipe: Recipe, seed: int, hidden: int
) -> float:
    """Test accuracy of one network from one seed."""
    model = seeded(seed, name, graph.x.shape[1], hidden, graph.num_classes)
    train, val, test = parts

    def loss() -> Tensor:
        out = model(graph.x, graph.edge_index)[train]
        return torch.nn.functional.cross_entropy(out, graph.y[train])

    def score() -> float:  # errors first, the loss between equal ones
        out = model(graph.x, graph.edge_index)[val]
        doubt = float(torch.nn.functional.cross_entropy(out, graph.y[val]))
        return 1 - accuracy(out, graph.y[val]) + 1e-3 * min(doubt, 100.0)

    fit(model, loss, score=score if len(val) else None, recipe=recipe)
    with torch.no_grad():
        return accuracy(model(graph.x, graph.edge_index)[test], graph.y[test])


def node_task(
    sets: list[str | NodeGraph] | None = None,
    models: list[str] | None = None,
    *,
    seeds: int = 10,
    hidden: int = 32,
    recipe: Recipe | None = None,
    workers: int | None = None,
    screen=None,
) -> Results:
    """Test accuracy over seeds; a seed draws split and weights, the same split for every model.

    Args:
        sets: names in `SETS`, or graphs (their own split where they have one, else 60/20/20); all when None.
        models: of `network`; `MODELS` when None.
        seeds: runs of each model.
        hidden: width between the two layers.
        recipe: of the training, alike for all.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        Accuracy in %.

    Raises:
        ValueError: an unknown set or model, or no seed.
    """
    if seeds < 1:
        raise ValueError(f"node classification: seeds must be >= 1, got {seeds}")
    recipe = recipe or Recipe(steps=300, lr=0.01, weight_decay=5e-4, patience=60, every=3)
    models = list(MODELS if models is None else models)
    jobs, places, words, described = [], [], [], []
    for entry in list(SETS) if sets is None else sets:
        if isinstance(entry, str) and entry not in SETS:
            raise ValueError(f"node classification: set must be one of {', '.join(SETS)}, got {entry!r}")
        kind = SETS[entry] if isinstance(entry, str) else FILE_SET
        graph = kind.load() if isinstance(entry, str) else entry
        title = entry if isinstance(entry, str) else graph.name
        own = graph.train is not None and graph.val is not None and graph.test is not None
        words.append(f"{title}: {'its own split' if own else kind.split}")
        described.append(graph.describe())
        for seed in range(seeds):
            if own:
                parts = graph.train, graph.val, graph.test
            elif kind.per_class is not None:
                parts = label_split(graph.y, kind.per_class, kind.validation, seed)
            else:
                known = (graph.y >= 0).nonzero()[:, 0]
                parts = tuple(known[p] for p in split_nodes(len(known), kind.shares, seed=seed))
            majority = graph.y[parts[0]].mode().values
            places.append((title, "majority"))
            jobs.append(float((graph.y[parts[2]] == majority).float().mean()))
            for name in models:
                places.append((title, name))
                jobs.append((name, graph, parts, recipe, seed, hidden))
    runs = iter(
        run_jobs(
            _one,
            [j for j in jobs if isinstance(j, tuple)],
            workers=workers,
            title="node classification",
            screen=screen,
        )
    )
    results = Results(
        "nodes",
        f"{seeds} seeds (split and weights); {'; '.join(words)}. Two layers of width {hidden}, dropout 0.5, "
        f"Adam {recipe.lr:g}, L2 {recipe.weight_decay:g}, at most {recipe.steps} steps, "
        "weights of the best validation accuracy",
        "test accuracy, %",
        "higher",
        4,
    )
    for (title, name), job in zip(places, jobs, strict=True):
        results.add(title, name, 100 * (job if isinstance(job, float) else next(runs)))
    results.notes += described
    return results

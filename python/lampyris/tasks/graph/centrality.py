"""Betweenness and effective size of the nodes of random graphs, by GOAT, baselines and degree fits.

Erdos-Renyi graphs, the target scaled to [0, 1] in each graph (facts of the published figures need that),
mean squared error on nodes, or whole graphs, that no choice was made on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lampyris.data.graphs import betweenness, effective_size, erdos_renyi

from .degree_fits import FITS, degree_features, degree_fit, relative_features
from .networks import seeded
from .overlap import OverlapGOAT, OverlapGraph, overlap_graph
from .results import Results
from .training import Recipe, fit, run_jobs, split_nodes

__all__ = ["Family", "Measured", "centrality_task", "fit_regression", "measured_graph"]

NETWORKS = ("GCN", "SAGE-mean", "GIN", "GAT", "GOAT", "GOAT-overlap")
RESIDUAL = ("GIN", "GAT", "GOAT", "GOAT-overlap")
PLAIN = Recipe(steps=250, lr=5e-3, weight_decay=5e-4, patience=60, every=5)
OVERLAP = Recipe(lr=0.01, patience=100, every=5, decay="cosine", clip=1.0)
OTHERS_SEED = 10_000
"""Graphs with this seed and later ones are for training on unseen graphs."""


@dataclass(frozen=True)
class Family:
    """Erdos-Renyi graphs of one size.

    Attributes:
        nodes, p: size, and probability of an edge.
        train, val: other graphs for the test on unseen ones.
        steps, weight_decay: of GOAT-overlap on one graph.
        members: GOAT-overlap networks whose mean is a row of its own: 60 known nodes leave much to chance.
    """

    nodes: int
    p: float
    train: int
    val: int
    steps: int
    weight_decay: float
    members: int


FAMILIES = {100: Family(100, 0.09, 24, 6, 400, 1e-3, 3), 1000: Family(1000, 0.01, 4, 1, 150, 1e-4, 1)}


@dataclass(frozen=True)
class Measured:
    """A graph and its target: edge_index [2, E], y float64 [N] scaled to [0, 1]."""

    edge_index: Tensor
    y: Tensor

    @property
    def nodes(self) -> int:
        return len(self.y)


def measured_graph(
    measure: Literal["betweenness", "effective_size"], nodes: int, p: float, seed: int
) -> Measured:
    """An Erdos-Renyi graph with its target, min-max scaled; effective size 0 where there is no neighbour.

    Raises:
        ValueError: an unknown measure, or a target that is the same everywhere.

    Example:
        >>> graph = measured_graph("betweenness", 50, 0.1, seed=0)
        >>> float(graph.y.min()), float(graph.y.max())
        (0.0, 1.0)
    """
    measures = {"betweenness": betweenness, "effective_size": effective_size}
    if measure not in measures:
        raise ValueError(f"centrality: measure must be one of {', '.join(measures)}, got {measure!r}")
    edge_index = erdos_renyi(nodes, p, seed=seed)
    y = measures[measure](edge_index, nodes).nan_to_num(0.0)
    low, high = float(y.min()), float(y.max())
    if not high > low:
        raise ValueError(f"centrality: {measure} must differ between nodes, got {low:g} everywhere")
    return Measured(edge_index, (y - low) / (high - low))


def fit_regression(
    model: nn.Module, inputs: tuple, y: Tensor, train: Tensor, val: Tensor, recipe: Recipe
) -> Tensor:
    """Predictions [N] after a fit of ``y`` [N] at the training nodes.

    The network learns the target with mean 0 and deviation 1 at those; the weights of the best validation
    error stay. GOAT-overlap starts from a degree fit on the training nodes.
    """
    mean, deviation = y[train].mean(), y[train].std().clamp(min=1e-9)
    target = ((y - mean) / deviation).float()
    if isinstance(model, OverlapGOAT):
        model.start_from_degrees(inputs[0], target, train)

    def error(nodes: Tensor) -> Tensor:
        return (model(*inputs)[nodes, 0] - target[nodes]).square().mean()

    fit(model, lambda: error(train), score=lambda: float(error(val)), recipe=recipe)
    with torch.no_grad():
        return model(*inputs)[:, 0].double() * deviation + mean


def _one_graph(name: str, graph: Measured, y: Tensor, seed: int, member: int, quick: int | None) -> Tensor:
    """Predictions of a network for one graph with the identity as features; members differ in weights."""
    train, val, _ = split_nodes(graph.nodes, seed=seed)
    x = torch.eye(graph.nodes)
    if name == "GOAT-overlap":
        torch.manual_seed(seed + OTHERS_SEED * member)
        model, inputs = OverlapGOAT(), (overlap_graph(x, graph.edge_index),)
        family = FAMILIES[graph.nodes]
        recipe = replace(OVERLAP, steps=family.steps, weight_decay=family.weight_decay)
    else:
        model = seeded(seed, name, graph.nodes, 32, 1, dropout=0.0, readout=True)
        inputs, recipe = (x, graph.edge_index), PLAIN
    return fit_regression(model, inputs, y, train, val, _shortened(recipe, quick))


def _shortened(recipe: Recipe, steps: int | None) -> Recipe:
    return recipe if steps is None else replace(recipe, steps=steps)


def _structure(graphs: list[Measured]) -> OverlapGraph:
    return OverlapGraph.union([overlap_graph(torch.eye(g.nodes), g.edge_index) for g in graphs])


def _node_features(graph: OverlapGraph) -> Tensor:
    """What the other networks get on unseen graphs: 1, degree, edges among neighbours, share."""
    links = torch.zeros_like(graph.node).index_add(0, graph.edge_index[1], graph.edge[:, 0])
    columns = torch.ones_like(graph.node), graph.node, links / links.std().clamp(min=1e-6), graph.share
    return torch.stack(columns, 1)


def _unseen(
    name: str, train: list[Measured], val: list[Measured], test: list[Measured], quick: int | None
) -> list[float]:
    """Mean squared error of each test graph of a network trained on other graphs."""
    union = _structure(train + val + test)
    y = torch.cat([g.y for g in train + val + test])
    sizes = [sum(g.nodes for g in part) for part in (train, val)]
    nodes = torch.arange(len(y)).split([*sizes, len(y) - sum(sizes)])
    learned = _structure(train + val)
    if name == "GOAT-overlap":
        torch.manual_seed(0)
        model, views = OverlapGOAT(), ((learned,), (union,))
    else:
        model = seeded(0, name, 4, 32, 1, dropout=0.0, readout=True)
        views = tuple((_node_features(g), g.edge_index) for g in (learned, union))
    recipe = Recipe(steps=300, lr=0.01, weight_decay=0.0, patience=100, every=10, decay="cosine", clip=1.0)
    fit_regression(model, views[0], y[: sum(sizes)], nodes[0], nodes[1], _shortened(recipe, quick))
    mean, deviation = y[nodes[0]].mean(), y[nodes[0]].std()
    with torch.no_grad():
        predicted = model(*views[1])[:, 0].double() * deviation + mean
    squares = (predicted - y).square()[nodes[2]]
    return [float(part.mean()) for part in squares.split([g.nodes for g in test])]


def _fits(graph: Measured, seed: int) -> dict[str, Tensor]:
    """Predictions of every degree fit, from the training nodes of one graph."""
    train, _, _ = split_nodes(graph.nodes, seed=seed)
    features = degree_features(graph.edge_index, graph.nodes)
    known = {name: values[train] for name, values in features.items()}
    return {row: degree_fit(names, [known], [graph.y[train]])(features) for row, names in FITS.items()}


def centrality_task(
    measure: Literal["betweenness", "effective_size"],
    sizes: list[int] | None = None,
    *,
    graphs: int = 10,
    first_seed: int = 100,
    networks: list[str] | None = None,
    residual: bool = True,
    unseen: bool = True,
    others: tuple[int, int] | None = None,
    steps: int | None = None,
    workers: int | None = None,
    screen=None,
) -> tuple[Results, Results | None]:
    """Mean squared errors over graphs, of networks and of degree fits.

    Args:
        measure: "betweenness" or "effective_size".
        sizes: 100 (p = 0.09) and 1000 (p = 0.01); both when None.
        graphs: tested graphs of each size.
        first_seed: their seeds start here. The recipes were chosen while looking at graphs 0 to 9.
        networks: rows; `NETWORKS` when None.
        residual: also learn what the quadratic degree fit leaves.
        unseen: also train on other graphs and test on these.
        others: graphs for training and validation of the unseen test, instead of `FAMILIES`'.
        steps: of every training, instead of the recipes'.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        Errors of the scaled target; errors of the residual as a share of its mean square (None without).

    Raises:
        ValueError: an unknown measure, size or network.
    """
    names = list(NETWORKS if networks is None else networks)
    sizes = list(FAMILIES if sizes is None else sizes)
    for size in sizes:
        if size not in FAMILIES:
            raise ValueError(f"centrality: size must be one of {list(FAMILIES)}, got {size}")
    if graphs < 1:
        raise ValueError(f"centrality: graphs must be >= 1, got {graphs}")
    seeds = range(first_seed, first_seed + graphs)
    results = Results(measure, _protocol(measure, sizes, seeds, others), "test MSE, target scaled to [0, 1]")
    rest = Results(f"{measure}_residual", results.protocol, "test MSE / mean square of what degree² leaves")
    plan: list[_Job] = []
    for size in sizes:
        family = FAMILIES[size]
        tested = [measured_graph(measure, size, family.p, seed) for seed in seeds]
        for seed, graph in zip(seeds, tested, strict=True):
            plan += _on_one_graph(results, rest if residual else None, names, graph, seed, steps)
        if unseen:
            count = others or (family.train, family.val)
            made = [measured_graph(measure, size, family.p, OTHERS_SEED + k) for k in range(sum(count))]
            plan += _on_unseen(results, names, made[: count[0]], made[count[0] :], tested, steps)
    jobs = [(job.function, job.arguments) for job in plan]
    outcomes = run_jobs(_call, jobs, workers=workers, title=measure, screen=screen)
    for job, outcome in zip(plan, outcomes, strict=True):
        job.receive(outcome)
    results.notes += _verdicts(results)
    return results, rest if residual else None


class _Job(NamedTuple):
    function: Callable
    arguments: tuple
    receive: Callable


def _on_one_graph(
    results: Results, rest: Results | None, names: list[str], graph: Measured, seed: int, steps: int | None
) -> list[_Job]:
    """The fits of one graph, and jobs for its networks."""
    setting, members = f"N = {graph.nodes}", FAMILIES[graph.nodes].members
    test = split_nodes(graph.nodes, seed=seed)[2]
    predictions = _fits(graph, seed)
    left = graph.y - predictions["fit: degree, degree²"]
    scale = left[test].square().mean()

    def error(values: Tensor, y: Tensor) -> float:
        return float((values - y)[test].square().mean())

    for row, values in predictions.items():
        results.add(setting, row, error(values, graph.y))
        if rest is not None and FITS[row]:
            rest.add(setting, row, error(values, graph.y) / scale)
    jobs, together = [], []

    def receive(name: str, values: Tensor) -> None:
        results.add(setting, name, error(values, graph.y))

    def receive_member(name: str, values: Tensor) -> None:
        together.append(values)
        if len(together) == 1:
            receive(name, values)
        if len(together) == members > 1:
            receive(f"{name}, mean of {members}", torch.stack(together).mean(0))

    def receive_rest(name: str, values: Tensor) -> None:
        rest.add(setting, name, error(values, left) / scale)

    for name in names:
        count, receiver = (members, receive_member) if name == "GOAT-overlap" else (1, receive)
        for member in range(count):
            arguments = name, graph, graph.y, seed, member, steps
            jobs.append(_Job(_one_graph, arguments, partial(receiver, name)))
        if rest is not None and name in RESIDUAL:
            arguments = name, graph, left, seed, 0, steps
            jobs.append(_Job(_one_graph, arguments, partial(receive_rest, name)))
    return jobs


def _on_unseen(
    results: Results,
    names: list[str],
    train: list[Measured],
    val: list[Measured],
    test: list[Measured],
    steps: int | None,
) -> list[_Job]:
    """The fits over other graphs, and jobs for networks trained on those."""
    setting = f"N = {test[0].nodes}, unseen"
    known = [relative_features(g.edge_index, g.nodes) for g in train]
    for row, features in FITS.items():
        line = degree_fit(features, known, [g.y for g in train])
        for graph in test:
            predicted = line(relative_features(graph.edge_index, graph.nodes))
            results.add(setting, row, (predicted - graph.y).square().mean())

    def receive(name: str, errors: list[float]) -> None:
        for error in errors:
            results.add(setting, name, error)

    return [_Job(_unseen, (name, train, val, test, steps), partial(receive, name)) for name in names]


def _call(function, arguments: tuple):
    return function(*arguments)


def _verdicts(results: Results) -> list[str]:
    """For every setting, the degree fits that no network beats, or that the best network beats them all."""
    lines = []
    for setting, rows in results.values.items():
        best = min((m for m in rows if m not in FITS), key=lambda m: results.mean(setting, m))
        ahead = [m for m in rows if m in FITS and results.mean(setting, m) <= results.mean(setting, best)]
        verdict = "is better than every degree fit" if not ahead else f"does not beat: {'; '.join(ahead)}"
        lines.append(f"{setting}: the best network, {best}, {verdict}")
    return lines


def _protocol(measure: str, sizes: list[int], seeds: range, others: tuple[int, int] | None) -> str:
    families = ", ".join(f"({size}, {FAMILIES[size].p})" for size in sizes)
    counts = [others or (FAMILIES[size].train, FAMILIES[size].val) for size in sizes]
    return (
        f"{len(seeds)} Erdos-Renyi graphs (N, p) = {families}, seeds from {seeds[0]}, "
        f"{measure.replace('_', ' ')} min-max scaled per graph, 60/20/20 split of the nodes of a "
        "graph, identity features, best "
        f"validation kept, degree fits on the 60 %. Unseen: trained on "
        f"{', '.join(f'{a} + {b}' for a, b in counts)} other graphs (training + validation), tested on all "
        "nodes of these; features 1, degree, edges among neighbours, degree scaled to [0, 1] in its graph "
        "(GOAT-overlap: degrees and overlaps; fits: that degree too)"
    )

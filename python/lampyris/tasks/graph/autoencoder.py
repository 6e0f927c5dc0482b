"""Coordinates through a pooling layer and back: what a pooled graph keeps of a ring and of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .cluster_sets import GraphSet, grid, ring
from .levels import Flat
from .message_passing import GCS
from .poolers import make_pooler
from .results import Results
from .training import Recipe, fit, run_jobs

__all__ = ["AUTOENCODERS", "PointAutoencoder", "autoencoder_task", "flat_graph"]

AUTOENCODERS = ("mincut", "dmon", "just_balance", "total_variation", "diffpool", "topk", "sagpool")
SHARE = 0.25
"""Nodes after pooling: N / 4."""
PUBLISHED = {
    "ring": {"mincut": 1e-6, "diffpool": 1.8e-5, "topk": 0.132, "sagpool": 0.149},
    "grid": {"mincut": 2e-6, "diffpool": 1e-5, "topk": 0.0189, "sagpool": 0.0166},
}
"""MSE of the authors, Ring(200) and Grid 30 x 30 (Grattarola et al., Understanding Pooling, TNNLS 2022)."""


class PointAutoencoder(nn.Module):
    """Two graph convolutions of 32 tanh, pooling to N / 4, lifting, two more and a linear one.

    Args:
        channels: F, the coordinates.
        nodes: N of the graph it is for.
        pooling: of `AUTOENCODERS`.
        hidden: width.
    """

    def __init__(self, channels: int, nodes: int, pooling: str, hidden: int = 32):
        super().__init__()
        self.encoder = nn.ModuleList([GCS(channels, hidden, torch.tanh), GCS(hidden, hidden, torch.tanh)])
        self.pool = make_pooler(pooling, hidden, max(int(nodes * SHARE), 1), SHARE)
        self.decoder = nn.ModuleList(
            [GCS(hidden, hidden, torch.tanh), GCS(hidden, hidden, torch.tanh), GCS(hidden, channels)]
        )

    def forward(self, graph: Flat) -> tuple[Tensor, Tensor]:
        """(reconstruction [N, F], loss of the pooling layer)."""
        x = graph.x
        for layer in self.encoder:
            x = layer(x, graph.propagate)
        pooled = self.pool(graph.with_x(x))
        x = pooled.lift(pooled.level.x)
        for layer in self.decoder:
            x = layer(x, graph.propagate)
        return x, pooled.loss


def flat_graph(graph: GraphSet) -> Flat:
    """The graph as a batch of one."""
    adjacency = graph.adjacency()
    return Flat(
        graph.features,
        torch.from_numpy(adjacency.indptr).long(),
        torch.from_numpy(adjacency.indices).long(),
        torch.tensor([0, graph.num_nodes]),
    )


@dataclass(frozen=True)
class Reconstruction:
    """MSE over nodes and coordinates, points [N, F], seconds, steps."""

    error: float
    points: Tensor
    seconds: float
    steps: int


def _one(graph: GraphSet, pooling: str, seed: int, recipe: Recipe) -> Reconstruction:
    flat = flat_graph(graph)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PointAutoencoder(flat.x.shape[1], graph.num_nodes, pooling)

    def error() -> Tensor:
        return (model(flat)[0] - flat.x).square().mean()

    def loss() -> Tensor:
        points, extra = model(flat)
        return (points - flat.x).square().mean() + extra

    result = fit(model, loss, score=lambda: float(error()), recipe=recipe)
    with torch.no_grad():
        points, _ = model(flat)
        return Reconstruction(float(error()), points, result.seconds, result.steps)


def autoencoder_task(
    poolings: list[str] | None = None,
    *,
    ring_nodes: int = 200,
    grid_side: int = 30,
    seeds: int = 3,
    steps: int = 3000,
    lr: float = 5e-3,
    patience: int = 1000,
    workers: int | None = None,
    screen=None,
) -> tuple[Results, dict[str, dict[str, tuple[GraphSet, Tensor]]]]:
    """Reconstruction error of ring and grid coordinates after pooling to N / 4.

    Args:
        poolings: of `AUTOENCODERS`; all when None.
        ring_nodes, grid_side: sizes; the published ones are 200 and 30 x 30.
        seeds: runs of each.
        steps, lr, patience: of Adam; the weights of the lowest error stay.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        The results, and for the picture graph -> pooling -> (graph, points [N, 2]) of the first seed.

    Raises:
        ValueError: an unknown pooling, or sizes too small.
    """
    poolings = list(AUTOENCODERS if poolings is None else poolings)
    for name in poolings:
        if name not in AUTOENCODERS:
            raise ValueError(f"autoencoder: pooling must be one of {', '.join(AUTOENCODERS)}, got {name!r}")
    recipe = Recipe(steps=steps, lr=lr, weight_decay=0.0, patience=patience, every=min(10, steps))
    graphs = [ring(ring_nodes), grid(grid_side, grid_side)]
    jobs = [(graph, name, seed, recipe) for graph in graphs for name in poolings for seed in range(seeds)]
    found = run_jobs(_one, jobs, workers=workers, title="autoencoder", screen=screen)
    results = Results(
        "autoencoder",
        f"{seeds} seeds; ring({ring_nodes}) and grid {grid_side} x {grid_side}, features = coordinates; "
        f"2 GCS 32 tanh, pooling to N / 4, lifting, 3 GCS; Adam {lr:g}, at most {steps} steps, patience "
        f"{patience} on the training error (this task has no other split), weights of the lowest error",
        "mean squared error of the coordinates",
    )
    drawn: dict[str, dict[str, tuple[GraphSet, Tensor]]] = {}
    steps_done: dict[str, list[int]] = {}
    for (graph, name, seed, _), run in zip(jobs, found, strict=True):
        results.add(graph.name, name, run.error)
        steps_done.setdefault(f"{graph.name}, {name}", []).append(run.steps)
        if seed == 0:
            drawn.setdefault(graph.name, {})[name] = graph, run.points
    if (ring_nodes, grid_side) == (200, 30):
        for graph, errors in PUBLISHED.items():
            shown = ", ".join(f"{name} {error:g}" for name, error in errors.items())
            results.notes.append(f"published for the {graph}: {shown}")
    results.details |= {"published": PUBLISHED, "steps": steps_done}
    return results, drawn

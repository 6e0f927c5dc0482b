"""The Bench easy / Bench hard graphs: the same three point clouds, in three arrangements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lampyris.data.graphs import knn_graph

__all__ = ["ARRANGEMENTS", "BenchGraph", "Difficulty", "bench_graph", "bench_set"]

# Where moons, Gaussian quantiles and blob lie, for each class: the same three places, turned round.
ARRANGEMENTS = (
    ((4, 0), (0, 0), (2, -2)),
    ((2, -2), (4, 0), (0, 0)),
    ((0, 0), (2, -2), (4, 0)),
)
COLOURS = 5
MOON_NOISE = 0.1


@dataclass(frozen=True)
class Difficulty:
    """Variance of the clouds and neighbours of each point: "easy" 0.4 and 5, "hard" 0.2 and 3."""

    covariance: float
    neighbours: int


DIFFICULTIES = {"easy": Difficulty(0.4, 5), "hard": Difficulty(0.2, 3)}


@dataclass(frozen=True)
class BenchGraph:
    """One graph.

    Attributes:
        x: [N, 5] float32, the colour of each node, one-hot.
        edge_index: [2, E] int64, every edge in both directions, sorted by destination.
        y: class, 0 to 2.
        places: [N, 2] float32, the points; for drawing only.
    """

    x: Tensor
    edge_index: Tensor
    y: int
    places: Tensor


def bench_graph(
    label: int, difficulty: Difficulty, largest: int, random: np.random.RandomState
) -> BenchGraph:
    """One graph of class ``label``: a third of the points each for moons, quantiles and blob.

    Args:
        label: 0 to 2, the arrangement.
        difficulty: of the set.
        largest: n is drawn from [largest / 2, largest), and N = 3 floor(n / 3).
        random: generator, moved on.
    """
    from sklearn.datasets import make_blobs, make_gaussian_quantiles, make_moons

    count = int(random.randint(largest // 2, largest)) // 3
    moons, quantiles, blob = ARRANGEMENTS[label]
    spread = difficulty.covariance
    a, colour_a = make_moons(count, noise=MOON_NOISE, random_state=random)
    b, colour_b = make_gaussian_quantiles(
        n_samples=count, mean=quantiles, cov=spread, n_classes=2, random_state=random
    )
    c, _ = make_blobs(count, centers=[blob], cluster_std=2 * spread, random_state=random)
    points = np.concatenate([a + moons, b, c])
    points = points / points.max(0)
    colour = np.concatenate([colour_a, 2 + colour_b, np.full(count, 4)])
    return BenchGraph(
        torch.from_numpy(np.eye(COLOURS, dtype=np.float32)[colour]),
        knn_graph(points, difficulty.neighbours),
        label,
        torch.from_numpy(points).float(),
    )


def bench_set(
    name: str = "easy", per_class: int = 100, largest: int = 80, *, seed: int = 0
) -> list[BenchGraph]:
    """The whole set, class after class.

    The published sizes are 100 graphs per class of up to 80 nodes ("small") and 600 of up to 200. Classes
    differ only in which cloud lies where, which the edges between clouds and the distortion of the common
    scaling tell; colours alone say nothing.

    Args:
        name: "easy" or "hard".
        per_class: graphs of each of the three classes.
        largest: see `bench_graph`.
        seed: of everything.

    Raises:
        ValueError: an unknown name, or graphs too small for the neighbours.

    Example:
        >>> graphs = bench_set("hard", 2)
        >>> [graph.y for graph in graphs], graphs[0].x.shape[1]
        ([0, 0, 1, 1, 2, 2], 5)

    Source: F. M. Bianchi, Benchmark dataset for graph classification (recipe of make_dataset.py).
    """
    if name not in DIFFICULTIES:
        raise ValueError(f"graph task: set must be one of {', '.join(DIFFICULTIES)}, got {name!r}")
    if per_class < 1 or largest < 24:  # 24: the smallest graph has 12 points
        raise ValueError(
            f"graph task: per_class must be >= 1 and largest >= 24, got {per_class} and {largest}"
        )
    random = np.random.RandomState(seed)
    return [
        bench_graph(label, DIFFICULTIES[name], largest, random)
        for label in range(3)
        for _ in range(per_class)
    ]

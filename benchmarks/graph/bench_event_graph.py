"""event_graph of moving edges, against a radius graph by scipy's k-d tree cut to the newest 16."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks.harness import Case
from lampyris import ops

EVENTS = 200_000
WIDTH, HEIGHT = 304, 240
RADIUS, TIME_RADIUS, CAP = 3, 10_000, 16


def recording(rate: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two bars that move and noise over the frame; ``rate`` events a microsecond."""
    random = np.random.default_rng(0)
    t = np.sort(random.uniform(0, EVENTS / rate, EVENTS)).astype(np.int64)
    bar = random.integers(0, 3, EVENTS)
    x = np.where(bar == 0, 40 + t // 2000, 250 - t // 3000) + random.integers(-1, 2, EVENTS)
    x = np.where(bar == 2, random.integers(0, WIDTH, EVENTS), x) % WIDTH
    y = random.integers(0, HEIGHT, EVENTS)
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(t)


def radius_graph(x: torch.Tensor, y: torch.Tensor, t: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """All pairs in the box |dt| <= TIME_RADIUS, |dx|, |dy| <= RADIUS, then disc, order and cap."""
    from scipy.spatial import cKDTree

    points = np.stack([x.numpy() / RADIUS, y.numpy() / RADIUS, t.numpy() / TIME_RADIUS], 1)
    pairs = cKDTree(points).query_pairs(1 + 1e-9, p=np.inf, output_type="ndarray")
    old, new = pairs.min(1), pairs.max(1)
    near = (x.numpy()[old] - x.numpy()[new]) ** 2 + (y.numpy()[old] - y.numpy()[new]) ** 2 <= RADIUS**2
    old, new = old[near], new[near]
    order = np.lexsort((-old, new))
    old, new = old[order], new[order]
    row_ptr = np.searchsorted(new, np.arange(len(x) + 1))
    kept = np.arange(len(new)) - row_ptr[new] < CAP
    return np.searchsorted(new[kept], np.arange(len(x) + 1)), old[kept]


def cases() -> list[Case]:
    out = []
    for rate in (0.2, 1.0):
        x, y, t = recording(rate)
        options = {"radius": RADIUS, "time_radius": TIME_RADIUS, "max_neighbours": CAP}
        ours = partial(ops.event_graph, x, y, t, width=WIDTH, height=HEIGHT, **options)
        ours_graph, theirs_graph = ours(), radius_graph(x, y, t)
        assert all((a.numpy() == b).all() for a, b in zip(ours_graph, theirs_graph, strict=True))
        degree = len(ours_graph[1]) / EVENTS
        out.append(
            Case(
                f"event_graph {EVENTS // 1000} k events at {rate:g} M/s, {degree:.1f} neighbours",
                ours,
                partial(radius_graph, x, y, t),
                "scipy k-d tree, same edges",
            )
        )
    return out

"""The causal neighbour graph, every pair of events looked at."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

__all__ = ["event_graph"]


def event_graph(
    x: Tensor,
    y: Tensor,
    t: Tensor,
    *,
    width: int,
    height: int,
    radius: float = 3.0,
    time_radius: int = 10_000,
    max_neighbours: int = 16,
    recording_ptr: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Twin of `lampyris.ops.event_graph`: O(E^2), sizes of the sensor are not needed.

    Example:
        >>> import torch
        >>> x = torch.tensor([3, 3])
        >>> event_graph(x, x, torch.tensor([0, 5]), width=8, height=8)
        (tensor([0, 0, 1]), tensor([0]))
    """
    x, y, events = x.long(), y.long(), len(x)
    ptr = [0, events] if recording_ptr is None else recording_ptr.tolist()
    rows: list[Tensor] = []
    for first, last in itertools.pairwise(ptr):
        for i in range(first, last):
            earlier = torch.arange(first, i)
            apart = (x[earlier] - x[i]).double() ** 2 + (y[earlier] - y[i]).double() ** 2
            near = (apart <= radius**2) & (t[i] - t[earlier] <= time_radius)
            rows.append(earlier[near].flip(0)[:max_neighbours])
    degree = torch.tensor([0] + [len(row) for row in rows])
    return degree.cumsum(0), torch.cat(rows) if rows else torch.empty(0, dtype=torch.int64)

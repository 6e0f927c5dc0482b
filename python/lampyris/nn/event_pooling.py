"""Events to voxels, and clusters of voxels to places: the two stages of pooling of an event graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .graph_input import GraphRows, csr_from_edge_index

__all__ = ["ClusterMoments", "Voxels", "cluster_moments", "grid_clusters", "voxel_pool"]

MOMENTS = 6
"""1, x, y, x^2, y^2, t."""


@dataclass
class Voxels:
    """Occupied voxels of a batch of recordings.

    Attributes:
        x: largest feature of the events of each voxel [V, F].
        moments: sums over the events of a voxel of 1, x, y, x^2, y^2, t [V, 6], pixels and microseconds.
        graph_ptr: voxels graph_ptr[b] to graph_ptr[b + 1] belong to recording b.
        rows: voxels that share an edge of the event graph, both directions, without self loops.
        weight: number of such edges [E'].
        voxel: the voxel of each event [N].
    """

    x: Tensor
    moments: Tensor
    graph_ptr: Tensor
    rows: GraphRows
    weight: Tensor
    voxel: Tensor

    @property
    def batch(self) -> Tensor:
        """The recording of each voxel [V]."""
        sizes = self.graph_ptr.diff()
        return torch.repeat_interleave(
            torch.arange(len(sizes), device=sizes.device), sizes, output_size=len(self.x)
        )


def voxel_pool(
    features: Tensor,
    x: Tensor,
    y: Tensor,
    t: Tensor,
    recording_ptr: Tensor,
    rows: GraphRows,
    *,
    size: tuple[int, int, int] = (4, 4, 50_000),
) -> Voxels:
    """Max-pool the events of every occupied voxel and join voxels whose events are joined.

    Args:
        features: [N, F], differentiable.
        x, y, t: pixels and microseconds [N], integers >= 0.
        recording_ptr: [B + 1].
        rows: the event graph.
        size: of a voxel: pixels, pixels, microseconds.

    Returns:
        The voxels, sorted by (recording, t, y, x).

    Raises:
        ValueError: a size below 1.

    Example:
        >>> import torch
        >>> from lampyris.nn import graph_csr
        >>> x = torch.tensor([0, 1, 9])
        >>> rows = graph_csr((torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1])), 3)
        >>> ptr = torch.tensor([0, 3])
        >>> v = voxel_pool(torch.tensor([[1.0], [3.0], [2.0]]), x, x, x, ptr, rows, size=(4, 4, 100))
        >>> v.x.tolist(), v.moments[0].tolist(), v.rows.col.tolist(), v.weight.tolist()
        ([[3.0], [2.0]], [2.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1, 0], [1.0, 1.0])
    """
    if min(size) < 1:
        raise ValueError(f"voxel_pool: size must be >= 1 pixel, pixel, microsecond, got {size}")
    recordings = len(recording_ptr) - 1
    batch = torch.repeat_interleave(
        torch.arange(recordings, device=x.device), recording_ptr.diff(), output_size=len(x)
    )
    cells = [t // size[2], y // size[1], x // size[0]]
    key = batch
    for cell in cells:
        key = key * (int(cell.max()) + 1 if len(cell) else 1) + cell
    keys, voxel = torch.unique(key, return_inverse=True)
    count = len(keys)
    place = voxel[:, None].expand_as(features)
    pooled = features.new_zeros(count, features.shape[1])
    pooled = pooled.scatter_reduce(0, place, features, "amax", include_self=False)
    px, py, pt = (v.to(features.dtype) for v in (x, y, t))
    columns = torch.stack([torch.ones_like(px), px, py, px * px, py * py, pt], 1)
    moments = features.new_zeros(count, MOMENTS).index_add(0, voxel, columns)
    owner = batch.new_zeros(count).scatter(0, voxel, batch)
    graph_ptr = torch.searchsorted(owner, torch.arange(recordings + 1, device=x.device))

    target = torch.repeat_interleave(voxel, rows.row_ptr.diff(), output_size=len(rows.col))
    source = voxel[rows.col]
    apart = source != target
    pairs = torch.cat([target[apart] * count + source[apart], source[apart] * count + target[apart]])
    pairs, weight = torch.unique(pairs, return_counts=True)
    edge_index = torch.stack([pairs % max(count, 1), pairs // max(count, 1)])
    joined = csr_from_edge_index(edge_index, count)
    return Voxels(pooled, moments, graph_ptr, joined, weight[joined.edge].to(features.dtype), voxel)


@dataclass
class ClusterMoments:
    """Where the events of each cluster lie.

    Attributes:
        mass: events [B, K]; soft clusters share them.
        centre: x, y [B, K, 2], pixels; 0 where there is no mass.
        deviation: standard deviation of x, y [B, K, 2], pixels, at least half a pixel.
        time: mean time [B, K], microseconds.
    """

    mass: Tensor
    centre: Tensor
    deviation: Tensor
    time: Tensor


def cluster_moments(s: Tensor, moments: Tensor, batch: Tensor, graphs: int) -> ClusterMoments:
    """Mass, centroid and spread of soft clusters, from S^T [1, x, y, x^2, y^2, t] over the events.

    Args:
        s: assignment of the voxels [V, K], rows adding up to 1; differentiable.
        moments: of the voxels [V, 6], see `Voxels`.
        batch: recording of each voxel [V].
        graphs: B.

    Example:
        >>> import torch
        >>> moments = torch.tensor([[2.0, 2.0, 4.0, 4.0, 8.0, 10.0]])  # events at x 0 and 2, y 2 and 2
        >>> found = cluster_moments(torch.ones(1, 1), moments, torch.tensor([0]), 1)
        >>> found.mass.item(), found.centre.tolist(), found.deviation.tolist(), found.time.item()
        (2.0, [[[1.0, 2.0]]], [[[1.0, 0.5]]], 5.0)
    """
    sums = s.new_zeros(graphs, s.shape[1], MOMENTS)
    sums = sums.index_add(0, batch, s[:, :, None] * moments[:, None, :])
    mass = sums[..., 0]
    mean = sums / mass.clamp(min=1e-6)[..., None]
    centre = mean[..., 1:3]
    least = 0.25  # half a pixel: an event is no point
    variance = (mean[..., 3:5] - centre.square()).clamp(min=least)
    return ClusterMoments(mass, centre, variance.sqrt(), mean[..., 5])


def grid_clusters(
    moments: Tensor, width: int, height: int, columns: int, rows: int, dtype: torch.dtype
) -> Tensor:
    """Assignment [V, rows x columns] of voxels to equal cells of the frame, as coarse voxel pooling has it.

    Example:
        >>> import torch
        >>> moments = torch.tensor([[1.0, 9.0, 1.0, 81.0, 1.0, 0.0]])
        >>> grid_clusters(moments, 10, 10, 2, 2, torch.float32).tolist()
        [[0.0, 1.0, 0.0, 0.0]]
    """
    centre = moments[:, 1:3] / moments[:, :1]
    column = (centre[:, 0] * columns / width).long().clamp(0, columns - 1)
    row = (centre[:, 1] * rows / height).long().clamp(0, rows - 1)
    return torch.nn.functional.one_hot(row * columns + column, rows * columns).to(dtype)

"""A spiking detector on raw events: event graph, ordered spiking layers, voxels, clusters as boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lampyris import nn, ops

__all__ = ["EventBoxes", "EventGraphDetector", "GraphFigures"]

PROPOSALS = ("mincut", "grid")


@dataclass
class GraphFigures:
    """What a forward cost.

    Attributes:
        events, edges, largest_degree: of the event graph.
        messages: that the spiking layers read; fewer than edges x layers with early exit.
        spikes: of all neurons of the spiking layers.
        accumulates: synaptic operations: each message read drives every neuron of its layer once, and each
            input spike adds one column of weights.
        multiplies: products with numbers that are not spikes: offsets, gates, scores, polarity.
        voxels: after the first pooling.
    """

    events: int = 0
    edges: int = 0
    largest_degree: int = 0
    messages: int = 0
    spikes: float = 0.0
    accumulates: float = 0.0
    multiplies: float = 0.0
    voxels: int = 0


@dataclass
class EventBoxes:
    """Proposals of B recordings with K clusters each.

    Attributes:
        boxes: xyxy pixels [B, K, 4].
        logits: of the classes [B, K, nc].
        valid: clusters that hold at least one event [B, K].
        moments: of the clusters.
        voxels: what was clustered; assignment: soft or hard [V, K].
        losses: of the pooling.
        figures: cost of this forward.
    """

    boxes: Tensor
    logits: Tensor
    valid: Tensor
    moments: nn.ClusterMoments
    voxels: nn.Voxels
    assignment: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)
    figures: GraphFigures = field(default_factory=GraphFigures)


class EventGraphDetector(torch.nn.Module):
    """Events in, boxes out, without a frame of zeros in between.

    1. `ops.event_graph` joins each event with the newest before it.
    2. Two `nn.EventGOATBlock` (LIF neurons, GATv2 gates on features and dx, dy, dt, agreement of polarity).
    3. Max pooling to voxels.
    4. minCUT clusters of the voxel graph: mass, centroid and standard deviation make a box for each, kappa
       standard deviations wide. ``proposals="grid"`` has the cells of a grid in their place.
    5. An anchor-free head moves the four sides and scores the classes of each cluster.

    Args:
        num_classes: nc.
        height, width: of the sensor, pixels.
        channels: neurons of each spiking layer.
        clusters: K; a square number for the grid.
        order: of the neighbours, one of `nn.EVENT_ORDERS`.
        proposals: "mincut" or "grid".
        radius, time_radius, max_neighbours: of the event graph.
        voxel: pixels, pixels, microseconds.
        window_us: length of a recording, scales times.
        early_exit: of the spiking layers.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> import torch
        >>> model = EventGraphDetector(2, height=32, width=32, channels=4, clusters=4)
        >>> at = torch.arange(20)
        >>> out = model(at, at, at * 100, at % 2, torch.tensor([0, 10, 20]))
        >>> out.boxes.shape, out.logits.shape, sorted(out.losses)
        (torch.Size([2, 4, 4]), torch.Size([2, 4, 2]), ['cut_loss', 'ortho_loss'])
    """

    kappa = math.sqrt(3)  # half the side of a uniform distribution, in standard deviations

    def __init__(
        self,
        num_classes: int = 2,
        *,
        height: int,
        width: int,
        channels: int = 24,
        clusters: int = 16,
        order: str = "learned",
        proposals: str = "mincut",
        radius: float = 4.0,
        time_radius: int = 50_000,
        max_neighbours: int = 8,
        voxel: tuple[int, int, int] = (4, 4, 50_000),
        window_us: int = 200_000,
        early_exit: bool = False,
    ) -> None:
        super().__init__()
        if proposals not in PROPOSALS:
            raise ValueError(f"EventGraphDetector: proposals must be mincut or grid, got {proposals!r}")
        if clusters < 1 or (proposals == "grid" and math.isqrt(clusters) ** 2 != clusters):
            raise ValueError(
                f"EventGraphDetector: clusters must be >= 1 and a square for the grid, got {clusters}"
            )
        self.num_classes, self.height, self.width = num_classes, height, width
        self.clusters, self.proposals, self.voxel, self.window_us = clusters, proposals, voxel, window_us
        self.graph = {"radius": radius, "time_radius": time_radius, "max_neighbours": max_neighbours}
        first, second = (
            nn.EventGOATBlock(inputs, channels, order=order, early_exit=early_exit)
            for inputs in (1, channels)
        )
        self.blocks = torch.nn.ModuleList([first, second])
        features = 2 * channels
        self.pool = None
        if proposals == "mincut":
            self.pool = nn.MinCutPooling(
                [features + 4, 32], clusters, act="relu", normalize=True, symmetric=True
            )
        self.head = torch.nn.Sequential(
            torch.nn.Linear(features + 6, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4 + num_classes)
        )
        torch.nn.init.zeros_(self.head[-1].weight[:4])
        torch.nn.init.zeros_(self.head[-1].bias)
        with torch.no_grad():
            self.head[-1].bias[4:] = -2.0  # few clusters are objects

    def forward(self, x: Tensor, y: Tensor, t: Tensor, polarity: Tensor, recording_ptr: Tensor) -> EventBoxes:
        """Detect.

        Args:
            x, y, t: events [E] of B recordings, int64 pixels and microseconds from the start of the window.
            polarity: [E], 1 brighter, 0 darker.
            recording_ptr: [B + 1].
        """
        figures = GraphFigures(events=len(t))
        rows, features = self.features(x, y, t, polarity, recording_ptr, figures)
        voxels = nn.voxel_pool(features, x, y, t, recording_ptr, rows, size=self.voxel)
        figures.voxels = len(voxels.x)
        assignment, pooled, losses = self.cluster(voxels)
        graphs = len(recording_ptr) - 1
        found = nn.cluster_moments(assignment, voxels.moments, voxels.batch, graphs)
        return self.boxes(found, pooled, voxels, assignment, losses, figures)

    def features(self, x, y, t, polarity, recording_ptr, figures: GraphFigures):
        """(the event graph, spike rates [E, 2 channels]) with the cost added to ``figures``."""
        row_ptr, col = ops.event_graph(
            x, y, t, width=self.width, height=self.height, recording_ptr=recording_ptr, **self.graph
        )
        rows = nn.GraphRows(row_ptr, col, None)
        degree = row_ptr.diff()
        row = torch.repeat_interleave(torch.arange(len(t), device=t.device), degree, output_size=len(col))
        sign = (2 * polarity - 1).to(self.head[0].weight.dtype)
        offsets = torch.stack(
            [
                (x[col] - x[row]) / self.graph["radius"],
                (y[col] - y[row]) / self.graph["radius"],
                (t[row] - t[col]) / self.graph["time_radius"],
                sign[col] * sign[row],
            ],
            1,
        ).to(sign.dtype)
        figures.edges = len(col)
        figures.largest_degree = int(degree.max()) if len(degree) else 0
        rates, values = [], sign[:, None]
        heard = degree.clamp(min=1)[:, None].to(sign.dtype)
        for block in self.blocks:
            spikes, steps = block(values, rows, offsets)
            inputs, neurons = values.shape[1], spikes.shape[1]
            read = int(steps.sum())
            figures.messages += read
            figures.spikes += float(spikes.detach().sum())
            figures.accumulates += read * neurons
            if rates:  # this layer's inputs are spikes
                figures.accumulates += float((values.detach() > 0).sum(1)[col].sum()) * neurons
            multiplied = offsets.shape[1] + (0 if rates else inputs)
            # Current, score of GATv2 (offsets, a . LeakyReLU) and gate.
            figures.multiplies += len(col) * (2 * multiplied * neurons + neurons + inputs + 4)
            values = spikes / heard
            rates.append(values)
        return rows, torch.cat(rates, 1)

    def cluster(self, voxels: nn.Voxels) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """(assignment [V, K], mean features of the clusters [B, K, F], losses)."""
        graphs = len(voxels.graph_ptr) - 1
        if self.pool is None:
            side = math.isqrt(self.clusters)
            s = nn.grid_clusters(voxels.moments, self.width, self.height, side, side, voxels.x.dtype)
            losses = {}
            pooled = voxels.x.new_zeros(graphs, self.clusters, voxels.x.shape[1])
            pooled = pooled.index_add(0, voxels.batch, s[:, :, None] * voxels.x[:, None, :])
        else:
            out = self.pool(self.selected(voxels), voxels.rows[:2], voxels.weight, graph_ptr=voxels.graph_ptr)
            s, losses, pooled = out.so.s, out.loss, out.x[..., : voxels.x.shape[1]]
        mass = s.new_zeros(graphs, self.clusters).index_add(0, voxels.batch, s)
        return s, pooled / mass.clamp(min=1e-6)[..., None], losses

    def selected(self, voxels: nn.Voxels) -> Tensor:
        """What the clusters are chosen by [V, F + 4]: features, place, time, and number of events."""
        count = voxels.moments[:, :1]
        mean = voxels.moments[:, [1, 2, 5]] / count
        scale = mean.new_tensor([self.width / 4, self.height / 4, self.window_us / 2])
        return torch.cat([voxels.x, mean / scale, torch.log1p(count) / 2], 1)

    def boxes(self, found, pooled, voxels, assignment, losses, figures) -> EventBoxes:
        """The head on the clusters."""
        frame = found.centre.new_tensor([self.width, self.height])
        known = [
            pooled,
            torch.log1p(found.mass)[..., None] / 4,
            found.centre / frame,
            found.deviation / 8,
            found.time[..., None] / self.window_us,
        ]
        out = self.head(torch.cat(known, -1))
        half = self.kappa * found.deviation
        sides = torch.exp(out[..., :4].clamp(-3, 3)) * torch.cat([half, half], -1)
        low, high = found.centre - sides[..., :2], found.centre + sides[..., 2:]
        boxes = torch.cat([low, high], -1)
        valid = found.mass >= 1
        return EventBoxes(boxes, out[..., 4:], valid, found, voxels, assignment, losses, figures)

    @torch.no_grad()
    def break_symmetry(self, *events: Tensor) -> None:
        """Start the clusters apart from each other on one batch of events; nothing for a grid."""
        if self.pool is not None:
            rows, features = self.features(*events, GraphFigures())
            voxels = nn.voxel_pool(features, *events[:3], events[4], rows, size=self.voxel)
            self.pool.break_symmetry(self.selected(voxels), "kmeans", 3.0)

"""Pooling layers to compare: none, minCUT and its relatives, DiffPool, Top-K, SAGPool.

Each maps a level (`Flat` or `Dense`) to a coarser one, and knows the way back for autoencoders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lampyris.nn import AsymCheegerCutPooling, DMoNPooling, JustBalancePooling, MinCutPooling

from .levels import Dense, Flat
from .message_passing import GCS

__all__ = ["CLUSTER_POOLERS", "POOLERS", "Pooled", "make_pooler"]

CLUSTER_POOLERS = {
    "mincut": MinCutPooling,
    "dmon": DMoNPooling,
    "just_balance": JustBalancePooling,
    "total_variation": AsymCheegerCutPooling,
}
POOLERS = ("none", *CLUSTER_POOLERS, "diffpool", "topk", "sagpool")


@dataclass
class Pooled:
    """A coarser level, the loss that trains the clusters (0 where there is none), and the way back:
    features of the coarse nodes -> features of the fine ones."""

    level: Flat | Dense
    loss: Tensor
    lift: Callable[[Tensor], Tensor]


class NoPooling(nn.Module):
    """The same graph again."""

    def forward(self, level: Flat | Dense) -> Pooled:
        return Pooled(level, level.x.new_zeros(()), lambda x: x)


class ClusterPooling(nn.Module):
    """`nn.MinCutPooling` or a relative, with one hidden layer before the assignment.

    Args:
        channels: F.
        clusters: K.
        loss: of `CLUSTER_POOLERS`.
    """

    def __init__(self, channels: int, clusters: int, loss: str):
        super().__init__()
        # Levels hand over normalised adjacencies, symmetric by construction.
        self.pool = CLUSTER_POOLERS[loss]([channels, channels], clusters, "relu", symmetric=True)

    def forward(self, level: Flat | Dense) -> Pooled:
        if isinstance(level, Flat):
            rows = level.row_ptr, level.col
            out = self.pool(level.x, rows, level.weight, graph_ptr=level.graph_ptr)
        else:
            out = self.pool(level.x, level.operator)

        def lift(coarse: Tensor) -> Tensor:
            return self.pool.lift(coarse, out.so).view(*level.x.shape[:-1], -1)

        return Pooled(Dense(out.x, out.adj, normalised=True), sum(out.loss.values()), lift)


class DiffPooling(nn.Module):
    """Ying et al., NeurIPS 2018: assignment and embedding by graph convolutions of their own; link and
    entropy losses. Plain torch, padded where graphs differ in size."""

    def __init__(self, channels: int, clusters: int):
        super().__init__()
        self.assign = GCS(channels, clusters)
        self.embed = GCS(channels, channels, torch.relu)

    def forward(self, level: Flat | Dense) -> Pooled:
        s = torch.softmax(self.assign(level.x, level.propagate), -1)
        z = self.embed(level.x, level.propagate)
        entropy = -(s * torch.log(s + 1e-12)).sum(-1).mean()
        near = level.neighbours(s)
        if isinstance(level, Flat):
            square = level.row_ptr[level.graph_ptr].diff().to(s.dtype)  # |A|^2 of zeros and ones: the edges
            nodes = level.graph_ptr.diff()
            place = torch.arange(s.shape[0]) - level.graph_ptr[level.batch]
            padded = [
                t.new_zeros(len(nodes), int(nodes.max()), t.shape[1]).index_put((level.batch, place), t)
                for t in (s, near, z)
            ]
        else:
            square = level.adj.square().sum((1, 2))
            padded = [s, near, z]
        s_, near_, z_ = padded
        adj = s_.transpose(1, 2) @ near_
        gram = s_.transpose(1, 2) @ s_
        # |A - S S^T|^2 without the N x N matrix
        apart = square - 2 * adj.diagonal(dim1=1, dim2=2).sum(1) + gram.square().sum((1, 2))
        link = apart.clamp(min=1e-12).sqrt().mean()

        def lift(coarse: Tensor) -> Tensor:
            fine = s_ @ coarse
            return fine[level.batch, place] if isinstance(level, Flat) else fine

        return Pooled(Dense(s_.transpose(1, 2) @ z_, adj), link + entropy, lift)


class SelectPooling(nn.Module):
    """The nodes with the largest scores, gated by tanh(score), and the edges between them.

    Top-K (Gao and Ji, ICML 2019) scores by a direction in feature space, SAGPool (Lee et al., ICML 2019) by
    a graph convolution. Plain torch; for flat levels.

    Args:
        channels: F.
        ratio: share of each graph's nodes that stays, rounded up.
        by_graph: SAGPool's score.
    """

    def __init__(self, channels: int, ratio: float, by_graph: bool):
        super().__init__()
        self.ratio = ratio
        self.convolution = GCS(channels, 1) if by_graph else None
        self.direction = None if by_graph else nn.Parameter(torch.randn(channels) / channels**0.5)

    def forward(self, level: Flat) -> Pooled:
        if self.convolution is not None:
            score = self.convolution(level.x, level.propagate)[:, 0]
        else:
            score = level.x @ self.direction / self.direction.norm().clamp(min=1e-12)
        kept = _largest(score.detach(), level, self.ratio)
        x = level.x[kept] * torch.tanh(score[kept])[:, None]
        row_ptr, col = _between(level, kept)
        graph_ptr = torch.searchsorted(level.batch[kept], torch.arange(len(level.graph_ptr)))

        def lift(coarse: Tensor) -> Tensor:
            return coarse.new_zeros(level.x.shape[0], coarse.shape[1]).index_put((kept,), coarse)

        return Pooled(Flat(x, row_ptr, col, graph_ptr), x.new_zeros(()), lift)


def _largest(score: Tensor, level: Flat, ratio: float) -> Tensor:
    """Nodes in rising order: of each graph the ceil(ratio n) with the largest scores; ties: the first."""
    falling = torch.sort(score, descending=True, stable=True).indices
    order = falling[torch.sort(level.batch[falling], stable=True).indices]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order)) - level.graph_ptr[level.batch[order]]
    wanted = (level.graph_ptr.diff() * ratio).ceil().long()
    return (rank < wanted[level.batch]).nonzero()[:, 0]


def _between(level: Flat, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Compressed rows of the edges whose two ends are kept, renumbered."""
    number = torch.full((level.x.shape[0],), -1).index_put((kept,), torch.arange(len(kept)))
    row = torch.repeat_interleave(number, level.row_ptr.diff())
    col = number[level.col]
    stays = (row >= 0) & (col >= 0)
    return torch.searchsorted(row[stays], torch.arange(len(kept) + 1)), col[stays]


def make_pooler(name: str, channels: int, clusters: int, ratio: float) -> nn.Module:
    """A pooler of `POOLERS`.

    Args:
        name: of the pooler.
        channels: F.
        clusters: K of the poolers with a fixed number of clusters.
        ratio: share of the nodes that the others keep.

    Raises:
        ValueError: an unknown name, or a size out of range.

    Example:
        >>> import torch
        >>> square = Flat(torch.rand(4, 8), torch.arange(0, 9, 2), torch.tensor([1, 3, 0, 2, 1, 3, 0, 2]),
        ...               torch.tensor([0, 4]))
        >>> make_pooler("topk", 8, 2, 0.5)(square).level.x.shape
        torch.Size([2, 8])
    """
    if name not in POOLERS:
        raise ValueError(f"graph task: pooling must be one of {', '.join(POOLERS)}, got {name!r}")
    if clusters < 1 or not 0 < ratio <= 1:
        raise ValueError(f"graph task: clusters must be >= 1 and ratio in (0, 1], got {clusters} and {ratio}")
    if name == "none":
        return NoPooling()
    if name == "diffpool":
        return DiffPooling(channels, clusters)
    if name in ("topk", "sagpool"):
        return SelectPooling(channels, ratio, by_graph=name == "sagpool")
    return ClusterPooling(channels, clusters, name)

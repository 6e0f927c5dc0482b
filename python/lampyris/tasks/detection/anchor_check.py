"""Do the anchors fit the boxes of a data set, and which would."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .anchors import MATCH_RATIO

__all__ = ["best_possible_recall", "box_sizes", "propose_anchors"]

ENOUGH = 0.98
"""Recall above which the published runs keep their anchors."""
SAMPLES = 512
GENERATIONS = 300
MUTATION = 0.1
"""Standard deviation of the factors by which evolution changes anchors."""


def box_sizes(dataset: Any, limit: int = SAMPLES) -> Tensor:
    """Widths and heights in pixels of the boxes [n, 2] of up to ``limit`` samples, spread over the set."""
    count = len(dataset)
    places = np.linspace(0, count - 1, min(count, limit)).round().astype(int) if count else []
    boxes = [dataset[int(i)][1]["boxes"].reshape(-1, 4) for i in places]
    joined = torch.cat(boxes) if boxes else torch.zeros(0, 4)
    sizes = joined[:, 2:] - joined[:, :2]
    return sizes[(sizes > 0).all(1)].float()


def _fit(sizes: Tensor, anchors: Tensor) -> Tensor:
    """Of each box, how well the best anchor fits: the worst ratio of sides, in (0, 1]."""
    ratio = sizes.unsqueeze(1) / anchors.reshape(-1, 2)
    return torch.minimum(ratio, 1 / ratio).amin(-1).amax(-1)


def best_possible_recall(sizes: Tensor, anchors: Tensor) -> float:
    """Share of boxes that some anchor may learn: no side differs by the factor `MATCH_RATIO`.

    Args:
        sizes: width and height of the boxes [n, 2].
        anchors: [..., 2], pixels.

    Example:
        >>> import torch
        >>> best_possible_recall(torch.tensor([[10., 10.], [50., 10.]]), torch.tensor([[12., 12.]]))
        0.5
    """
    if not len(sizes):
        return 1.0
    return (_fit(sizes, anchors) > 1 / MATCH_RATIO).float().mean().item()


def propose_anchors(sizes: Tensor, scales: int, per_scale: int = 3, seed: int = 0) -> Tensor:
    """Anchors for boxes of these sizes: k-means, then evolution of their mean fit.

    Args:
        sizes: [n, 2], pixels, n >= scales * per_scale.
        scales, per_scale: how many.
        seed: of both searches.

    Returns:
        [scales, per_scale, 2], by ascending area.

    Raises:
        ValueError: fewer boxes than anchors.

    Example:
        >>> import torch
        >>> sizes = torch.tensor([[8., 8.], [9., 9.], [40., 20.], [42., 20.]]).repeat(3, 1)
        >>> anchors = propose_anchors(sizes, 2, 1)
        >>> anchors.shape, best_possible_recall(sizes, anchors)
        (torch.Size([2, 1, 2]), 1.0)
    """
    count = scales * per_scale
    if len(sizes) < count:
        raise ValueError(f"propose_anchors: sizes must be at least {count} boxes, got {len(sizes)}")
    rng = np.random.default_rng(seed)
    points = sizes.double().numpy()
    centres = _k_means(points, count, rng)
    boxes = torch.from_numpy(points).float()

    def value(anchors: np.ndarray) -> float:
        fit = _fit(boxes, torch.from_numpy(anchors).float())
        return float((fit * (fit > 1 / MATCH_RATIO)).mean())

    best = value(centres)
    for _ in range(GENERATIONS):
        factor = np.exp(rng.normal(0.0, MUTATION, centres.shape) * (rng.random(centres.shape) < 0.5))
        other = np.maximum(centres * factor, 1.0)
        if (found := value(other)) > best:
            centres, best = other, found
    order = centres.prod(1).argsort(kind="stable")
    return torch.from_numpy(centres[order]).float().reshape(scales, per_scale, 2)


def _k_means(points: np.ndarray, count: int, rng: np.random.Generator, rounds: int = 30) -> np.ndarray:
    """Lloyd's algorithm on sides in units of their spread, from k-means++ starts."""
    spread = np.maximum(points.std(0), 1e-3)
    scaled = points / spread
    centres = scaled[rng.integers(len(scaled))][None]
    while len(centres) < count:
        distance = ((scaled[:, None] - centres) ** 2).sum(-1).min(1)
        total = distance.sum()
        chance = distance / total if total > 0 else None
        centres = np.vstack((centres, scaled[rng.choice(len(scaled), p=chance)]))
    for _ in range(rounds):
        nearest = ((scaled[:, None] - centres) ** 2).sum(-1).argmin(1)
        for k in range(count):
            if (nearest == k).any():
                centres[k] = scaled[nearest == k].mean(0)
    return centres * spread

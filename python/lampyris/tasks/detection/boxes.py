"""Box geometry on tensors [..., 4] holding x1, y1, x2, y2 in pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["complete_iou", "pairwise_iou"]

TINY = 1e-7
"""Keeps quotients finite; boxes are at least a fraction of a pixel wide."""


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    size = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp_(min=0)
    intersection = size[..., 0] * size[..., 1]
    wh_a, wh_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    union = wh_a[..., 0] * wh_a[..., 1] + wh_b[..., 0] * wh_b[..., 1] - intersection
    return intersection, union + TINY


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of every box of a [..., M, 4] with every box of b [..., N, 4].

    Returns:
        [..., M, N] in [0, 1].

    Example:
        >>> import torch
        >>> pairwise_iou(torch.tensor([[0., 0., 2., 2.]]), torch.tensor([[0., 0., 2., 1.]])).tolist()
        [[0.5]]
    """
    intersection, union = _overlap(a.unsqueeze(-2), b.unsqueeze(-3))
    return intersection / union


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """CIoU of boxes a and b, both [..., 4]: IoU less the centre distance and the aspect-ratio penalty.

    Source: Zheng et al., AAAI 2020. The trade-off factor carries no gradient.

    Returns:
        [...] in (-2, 1].

    Example:
        >>> import torch
        >>> box = torch.tensor([0., 0., 4., 2.])
        >>> round(complete_iou(box, box).item(), 5)
        1.0
    """
    intersection, union = _overlap(a, b)
    iou = intersection / union
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    offset = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    distance = offset.square().sum(-1) / (hull.square().sum(-1) + TINY)
    wh_a, wh_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    angle = torch.atan2(wh_a[..., 0], wh_a[..., 1]) - torch.atan2(wh_b[..., 0], wh_b[..., 1])
    aspect = (4 / math.pi**2) * angle.square()
    with torch.no_grad():
        weight = aspect / (1 - iou + aspect + TINY)
    return iou - distance - weight * aspect

"""The anchor-free head of several scales: decoding and the task-aligned loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .assignment import assign, pad_targets
from .boxes import complete_iou
from .decoding import cell_centres
from .totals import shared_total

__all__ = ["anchor_free_loss", "decode_anchor_free"]

CELLS_PER_BOX = 10


def _cells(maps: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Centres [N, 2] in pixels and strides [N] of the cells of all scales."""
    device = maps[0].device
    centres = [cell_centres(*m.shape[2:], s, device) for m, s in zip(maps, strides, strict=True)]
    pixels = [c.new_full((len(c),), float(s)) for c, s in zip(centres, strides, strict=True)]
    return torch.cat(centres), torch.cat(pixels)


def decode_anchor_free(maps: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Boxes and class logits of every cell, scales one after the other.

    Distances from the cell's centre to the left, upper, right and lower side: softplus(output) * stride.

    Args:
        maps: per scale [B, 4 + classes, H, W].
        strides: pixels per cell of each scale.

    Returns:
        boxes [B, N, 4] (x1, y1, x2, y2 in pixels) and logits [B, N, classes].

    Example:
        >>> import torch
        >>> boxes, logits = decode_anchor_free([torch.full((1, 5, 1, 1), 50.0)], [8])
        >>> boxes.tolist(), tuple(logits.shape)
        ([[[-396.0, -396.0, 404.0, 404.0]]], (1, 1, 1))
    """
    for scale in maps:
        if scale.dim() != 4 or scale.shape[1] < 5:
            got = list(scale.shape)
            raise ValueError(f"anchor_free: maps must have shape [B, 4 + classes, H, W], got {got}")
    centres, pixels = _cells(maps, strides)
    values = torch.cat([m.flatten(2) for m in maps], 2).transpose(1, 2)
    distance = F.softplus(values[..., :4]) * pixels.unsqueeze(1)
    return torch.cat((centres - distance[..., :2], centres + distance[..., 2:]), -1), values[..., 4:]


def anchor_free_loss(
    maps: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]],
    strides: Sequence[int],
    gains: Mapping[str, float],
) -> dict[str, Tensor]:
    """Task-aligned assignment over all scales; BCE of soft class scores plus 1 - CIoU, over the sum of goals.

    Args:
        maps, strides: as in `decode_anchor_free`.
        targets: one dict per image: boxes [n, 4] in pixels, labels [n].
        gains: of "box" and "class".

    Returns:
        Scalars ``loss``, and without gains ``box_loss`` and ``class_loss``.

    Source:
        Feng et al., "TOOD", ICCV 2021 (`lampyris.tasks.detection.assign`).

    Example:
        >>> import torch
        >>> target = {"boxes": torch.tensor([[4., 4., 12., 12.]]), "labels": torch.tensor([0])}
        >>> maps = [torch.zeros(1, 6, 2, 2), torch.zeros(1, 6, 1, 1)]
        >>> sorted(anchor_free_loss(maps, [target], [8, 16], {"box": 7.5, "class": 0.5}))
        ['box_loss', 'class_loss', 'loss']
    """
    maps = [m.float() for m in maps]
    boxes, logits = decode_anchor_free(maps, strides)
    centres, pixels = _cells(maps, strides)
    padded = pad_targets(targets, boxes.device)
    goal = assign(boxes, logits, centres, *padded, pixels, cells_per_box=CELLS_PER_BOX)
    total = shared_total(goal.weights.sum())
    class_loss = F.binary_cross_entropy_with_logits(logits, goal.scores, reduction="sum") / total
    box_loss = ((1 - complete_iou(boxes, goal.boxes)) * goal.weights).sum() / total
    loss = gains["class"] * class_loss + gains["box"] * box_loss
    return {"loss": loss, "class_loss": class_loss, "box_loss": box_loss}

"""The detection loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from .assignment import assign, pad_targets
from .boxes import complete_iou
from .decoding import BOX_SCALE, STRIDE, cell_centres, decode
from .totals import shared_total

__all__ = ["detection_loss"]


def detection_loss(
    maps: Tensor,
    targets: Sequence[dict[str, Tensor]],
    *,
    box_weight: float = 4.0,
    stride: int = STRIDE,
    box_scale: float = BOX_SCALE,
) -> dict[str, Tensor]:
    """Binary cross entropy of the classes plus ``box_weight`` times 1 - CIoU, both over the sum of targets.

    Args:
        maps: prediction maps [B, 4 + classes, H, W].
        targets: one dict per image: boxes [n, 4] (x1, y1, x2, y2 in pixels), labels [n] in 0..classes-1.
        box_weight: of the box term.
        stride, box_scale: as in `lampyris.tasks.detection.decode`.

    Returns:
        Scalars ``loss``, ``class_loss`` and ``box_loss`` (unweighted).

    Example:
        >>> import torch
        >>> target = {"boxes": torch.tensor([[0., 0., 18., 18.]]), "labels": torch.tensor([0])}
        >>> sorted(detection_loss(torch.zeros(1, 6, 2, 2), [target]))
        ['box_loss', 'class_loss', 'loss']
    """
    maps = maps.float()
    boxes, logits = decode(maps, stride=stride, box_scale=box_scale)
    target_boxes, target_labels = pad_targets(targets, maps.device)
    centres = cell_centres(maps.shape[2], maps.shape[3], stride, maps.device)
    goal = assign(boxes, logits, centres, target_boxes, target_labels, stride)
    total = shared_total(goal.weights.sum())
    class_loss = F.binary_cross_entropy_with_logits(logits, goal.scores, reduction="sum") / total
    box_loss = ((1 - complete_iou(boxes, goal.boxes)) * goal.weights).sum() / total
    return {"loss": class_loss + box_weight * box_loss, "class_loss": class_loss, "box_loss": box_loss}

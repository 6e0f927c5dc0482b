"""Task-aligned assignment of cells to ground-truth boxes, for a whole batch at once.

Source: Feng et al., "TOOD: Task-aligned One-stage Object Detection", ICCV 2021; here
``alignment = sqrt(class score) * IoU^6``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .boxes import pairwise_iou

__all__ = ["Assignment", "assign", "pad_targets"]

IOU_POWER = 6
CELLS_PER_BOX = 6
SMALLEST = torch.finfo(torch.float32).tiny


class Assignment(NamedTuple):
    """What each of N cells learns: box [B, N, 4], class scores [B, N, classes], weight [B, N]."""

    boxes: Tensor
    scores: Tensor
    weights: Tensor


def pad_targets(targets: Sequence[dict[str, Tensor]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Targets of a batch as boxes [B, M, 4] and labels [B, M], padded with zeros and with -1; M >= 1."""
    boxes = pad_sequence([t["boxes"].reshape(-1, 4) for t in targets], batch_first=True)
    labels = pad_sequence([t["labels"] for t in targets], batch_first=True, padding_value=-1)
    if boxes.shape[1] == 0:
        boxes, labels = F.pad(boxes, (0, 0, 0, 1)), F.pad(labels, (0, 1), value=-1)
    return boxes.to(device, torch.float32), labels.to(device)


@torch.no_grad()
def assign(
    boxes: Tensor,
    logits: Tensor,
    centres: Tensor,
    target_boxes: Tensor,
    target_labels: Tensor,
    stride: int | Tensor,
    cells_per_box: int = CELLS_PER_BOX,
) -> Assignment:
    """Choose up to ``cells_per_box`` cells per target.

    Candidates are cells whose centre lies in the box, or at most half a stride from its centre; the best
    by alignment are taken. A cell claimed twice goes to the box of higher IoU, a box left without cells takes
    the nearest one. A cell's class score is alignment / max(alignment) * max(IoU) over its box's cells.

    Args:
        boxes: decoded [B, N, 4].
        logits: [B, N, classes].
        centres: of the cells, [N, 2] in pixels.
        target_boxes, target_labels: [B, M, 4] and [B, M], label -1 where padded (`pad_targets`).
        stride: pixels per cell, one number or one per cell [N].
        cells_per_box: at most so many cells learn a box.

    Returns:
        `Assignment`; weight is the cell's class score, 0 for background.
    """
    cells, classes = logits.shape[1:]
    valid = (target_labels >= 0).unsqueeze(-1)
    iou = pairwise_iou(target_boxes, boxes)
    index = target_labels.clamp(min=0)
    score = logits.transpose(1, 2).gather(1, index.unsqueeze(-1).expand(-1, -1, cells)).sigmoid()
    alignment = score.sqrt() * iou**IOU_POWER

    middle = (target_boxes[..., :2] + target_boxes[..., 2:]).unsqueeze(2) / 2
    half = (target_boxes[..., 2:] - target_boxes[..., :2]).unsqueeze(2) / 2
    offset = (centres - middle).abs()
    reach = stride.unsqueeze(-1) / 2 if isinstance(stride, Tensor) else stride / 2
    inside = (offset < half).all(-1) | (offset <= reach).all(-1)
    candidate = inside & valid
    best = alignment.masked_fill(~candidate, -1.0).topk(min(cells_per_box, cells), dim=-1)
    chosen = torch.zeros_like(candidate).scatter_(-1, best.indices, best.values >= 0)

    winner = (iou + 1).mul_(chosen).argmax(1, keepdim=True)
    chosen &= torch.zeros_like(chosen).scatter_(1, winner, True)
    alone = valid & ~chosen.any(-1, keepdim=True)
    nearest = torch.zeros_like(chosen).scatter_(-1, offset.square().sum(-1).argmin(-1, keepdim=True), True)
    rescued = nearest & alone
    chosen = torch.where(rescued.any(1, keepdim=True), rescued, chosen)

    owner = chosen.to(torch.uint8).argmax(1)
    positive = chosen.any(1)
    alignment = alignment * chosen
    peak = alignment.amax(-1, keepdim=True)
    soft = torch.where(peak > 0, alignment / peak.clamp(min=SMALLEST), chosen.to(iou.dtype))
    soft = soft * (iou * chosen).amax(-1, keepdim=True)
    weights = soft.gather(1, owner.unsqueeze(1)).squeeze(1) * positive
    labels = index.gather(1, owner).unsqueeze(-1)
    scores = logits.new_zeros(logits.shape[0], cells, classes).scatter_(-1, labels, weights.unsqueeze(-1))
    return Assignment(target_boxes.gather(1, owner.unsqueeze(-1).expand(-1, -1, 4)), scores, weights)

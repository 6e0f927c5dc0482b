"""The anchor head: decoding and the CIoU + BCE loss of the published EMS-YOLO runs.

Source: Su et al., ICCV 2023, trained with the loss of YOLOv5 (Ultralytics, releases 5 and 6): anchors matched
by the ratio of sides, each target also given to its nearest neighbour cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .boxes import complete_iou
from .totals import shared_total

__all__ = ["MATCH_RATIO", "Matches", "anchors_loss", "decode_anchors", "match_anchors"]

MATCH_RATIO = 4.0
"""A target belongs to an anchor if neither side differs by this factor or more."""
OBJECTNESS_BALANCE = {2: (4.0, 1.0), 3: (4.0, 1.0, 0.4)}
"""Weight of each scale's objectness, finest first; other numbers of scales: all 1."""
REFERENCE_SCALES, REFERENCE_CLASSES, REFERENCE_SIZE = 3, 80, 640
"""The gains are meant for three scales, 80 classes and 640 pixels; they are scaled to what there is."""
SHIFTS = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (-0.5, 0.0), (0.0, -0.5))
"""A target's own cell, then left, upper, right and lower neighbour: floor(position - shift)."""


class Matches(NamedTuple):
    """Cells that learn a target, k of them: indices of image, anchor, row, column and target, each [k]."""

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    target: Tensor


def _split(maps: Tensor, anchors: int, num_classes: int) -> Tensor:
    """[B, A (5 + classes), H, W] -> [B, A, H, W, 5 + classes]."""
    values = 5 + num_classes
    if maps.dim() != 4 or maps.shape[1] != anchors * values:
        contract = f"[B, {anchors} * (5 + {num_classes}), H, W]"
        raise ValueError(f"anchors: maps must have shape {contract}, got {list(maps.shape)}")
    return maps.unflatten(1, (anchors, values)).permute(0, 1, 3, 4, 2)


def _boxes(values: Tensor, column: Tensor, row: Tensor, anchor: Tensor, stride: int) -> Tensor:
    """Raw x, y, w, h [..., 4] -> x1, y1, x2, y2 in pixels."""
    part = values.sigmoid() * 2
    centre = (part[..., :2] - 0.5 + torch.stack((column, row), -1)) * stride
    half = part[..., 2:].square() * anchor / 2
    return torch.cat((centre - half, centre + half), -1)


def decode_anchors(
    maps: Sequence[Tensor], anchors: Tensor, strides: Sequence[int], num_classes: int
) -> tuple[Tensor, Tensor]:
    """Boxes and scores of every anchor of every cell, scales one after the other.

    Centre = (2 sigmoid(xy) - 0.5 + cell) * stride, size = (2 sigmoid(wh))^2 * anchor, score of a class =
    sigmoid(objectness) * sigmoid(class).

    Args:
        maps: per scale [B, A (5 + classes), H, W]; channel = anchor (5 + classes) + (x, y, w, h, objectness,
            classes).
        anchors: [scales, A, 2], width and height in pixels.
        strides: pixels per cell of each scale.
        num_classes: number of classes.

    Returns:
        boxes [B, N, 4] (x1, y1, x2, y2 in pixels) and scores [B, N, classes] in [0, 1].

    Example:
        >>> import torch
        >>> boxes, scores = decode_anchors([torch.zeros(1, 6, 1, 1)], torch.tensor([[[8., 4.]]]), [16], 1)
        >>> boxes.tolist(), scores.tolist()
        ([[[4.0, 6.0, 12.0, 10.0]]], [[[0.25]]])
    """
    boxes, scores = [], []
    for scale, stride, sizes in zip(maps, strides, anchors, strict=True):
        values = _split(scale, len(sizes), num_classes)
        rows = torch.arange(values.shape[2], device=values.device, dtype=values.dtype).view(-1, 1)
        columns = torch.arange(values.shape[3], device=values.device, dtype=values.dtype)
        row, column = torch.broadcast_tensors(rows, columns)
        box = _boxes(values[..., :4], column, row, sizes.view(-1, 1, 1, 2), stride)
        boxes.append(box.flatten(1, 3))
        scores.append((values[..., 4:5].sigmoid() * values[..., 5:].sigmoid()).flatten(1, 3))
    return torch.cat(boxes, 1), torch.cat(scores, 1)


def match_anchors(
    boxes: Tensor, images: Tensor, anchors: Tensor, stride: int, height: int, width: int
) -> Matches:
    """Which anchors of which cells of one scale learn which target.

    Every anchor whose sides differ from the target's by less than `MATCH_RATIO` takes it, in the cell that
    holds its centre and in the two neighbour cells nearest to it (one at the border of the map).

    Args:
        boxes: all targets of the batch [n, 4], x1, y1, x2, y2 in pixels.
        images: the image of each target [n].
        anchors: of this scale [A, 2], pixels.
        stride: pixels per cell.
        height, width: of the map, cells.

    Returns:
        `Matches`.

    Example:
        >>> import torch
        >>> box, image = torch.tensor([[14., 20., 26., 32.]]), torch.tensor([0])
        >>> found = match_anchors(box, image, torch.tensor([[10., 13.]]), 16, 4, 4)
        >>> sorted(zip(found.row.tolist(), found.column.tolist()))
        [(1, 0), (1, 1), (2, 1)]
    """
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)  # a box without extent still has a place
    ratio = size / anchors.unsqueeze(1)
    anchor, target = (torch.maximum(ratio, 1 / ratio).amax(-1) < MATCH_RATIO).nonzero(as_tuple=True)
    position = (boxes[target, :2] + boxes[target, 2:]) / (2 * stride)
    extent = position.new_tensor((width, height))
    near = (position % 1 < 0.5) & (position > 1)
    mirrored = extent - position
    far = (mirrored % 1 < 0.5) & (mirrored > 1)
    taken = torch.stack((torch.ones_like(near[:, 0]), near[:, 0], near[:, 1], far[:, 0], far[:, 1]))
    shift, which = taken.nonzero(as_tuple=True)
    cell = (position[which] - position.new_tensor(SHIFTS)[shift]).floor().long()
    column, row = cell[:, 0].clamp(0, width - 1), cell[:, 1].clamp(0, height - 1)
    target = target[which]
    return Matches(images[target], anchor[which], row, column, target)


def anchors_loss(
    maps: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]],
    anchors: Tensor,
    strides: Sequence[int],
    num_classes: int,
    gains: Mapping[str, float],
) -> dict[str, Tensor]:
    """CIoU of matched boxes, BCE of objectness (goal: the box's CIoU) and BCE of classes.

    The gains are scaled as in the published runs: all by 3 / scales, class by classes / 80, objectness by
    (image side / 640)^2. An anchor matched twice learns the higher CIoU as objectness.

    Args:
        maps: per scale, as in `decode_anchors`.
        targets: one dict per image: boxes [n, 4] in pixels, labels [n].
        anchors, strides, num_classes: as in `decode_anchors`.
        gains: of "box", "objectness" and "class" (the published runs: 0.05, 1.0, 0.5).

    Returns:
        Scalars ``loss``, and without gains ``box_loss``, ``objectness_loss``, ``class_loss``.

    Example:
        >>> import torch
        >>> gains = {"box": 0.05, "objectness": 1.0, "class": 0.5}
        >>> target = {"boxes": torch.tensor([[4., 4., 12., 12.]]), "labels": torch.tensor([0])}
        >>> maps, anchors = [torch.zeros(1, 7, 2, 2)], torch.full((1, 1, 2), 8.)
        >>> losses = anchors_loss(maps, [target], anchors, [16], 2, gains)
        >>> sorted(losses)
        ['box_loss', 'class_loss', 'loss', 'objectness_loss']
    """
    device = maps[0].device
    boxes = torch.cat([t["boxes"].reshape(-1, 4) for t in targets]).to(device, torch.float32)
    labels = torch.cat([t["labels"].reshape(-1) for t in targets]).to(device)
    counts = torch.tensor([len(t["labels"]) for t in targets], device=device)
    images = torch.arange(len(targets), device=device).repeat_interleave(counts)

    scales = len(maps)
    balance = OBJECTNESS_BALANCE.get(scales, (1.0,) * scales)
    box_loss = objectness_loss = class_loss = maps[0].new_zeros((), dtype=torch.float32)
    for scale, stride, sizes, weight in zip(maps, strides, anchors, balance, strict=True):
        values = _split(scale.float(), len(sizes), num_classes)
        goal = values.new_zeros(values.shape[:-1])
        found = match_anchors(boxes, images, sizes, stride, values.shape[2], values.shape[3])
        cells = values[found.image, found.anchor, found.row, found.column]
        count = shared_total(cells.new_tensor(float(len(cells))))
        box = _boxes(cells[:, :4], found.column, found.row, sizes[found.anchor], stride)
        iou = complete_iou(box, boxes[found.target])
        box_loss = box_loss + (1 - iou).sum() / count
        place = torch.stack(found[:4])
        flat = ((place[0] * len(sizes) + place[1]) * goal.shape[2] + place[2]) * goal.shape[3] + place[3]
        goal.view(-1).scatter_reduce_(0, flat, iou.detach().clamp(min=0).to(goal.dtype), "amax")
        objectness_loss = objectness_loss + weight * F.binary_cross_entropy_with_logits(values[..., 4], goal)
        if num_classes > 1:
            wanted = F.one_hot(labels[found.target], num_classes).to(cells.dtype)
            entropy = F.binary_cross_entropy_with_logits(cells[:, 5:], wanted, reduction="sum")
            class_loss = class_loss + entropy / (count * num_classes)
    side = max(maps[0].shape[2:]) * strides[0]
    share = REFERENCE_SCALES / scales
    loss = share * (
        gains["box"] * box_loss
        + gains["objectness"] * (side / REFERENCE_SIZE) ** 2 * objectness_loss
        + gains["class"] * (num_classes / REFERENCE_CLASSES) * class_loss
    )
    return {"loss": loss, "box_loss": box_loss, "objectness_loss": objectness_loss, "class_loss": class_loss}

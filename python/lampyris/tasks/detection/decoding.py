"""From prediction maps to boxes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import nms

__all__ = ["BOX_SCALE", "cell_centres", "decode", "predict", "suppress"]

STRIDE = 8
BOX_SCALE = 18.0
"""Width and height in pixels that a zero output stands for: about the median object."""
LOG_SIZE_LIMIT = 4.0
NMS_CANDIDATES = 1000


@lru_cache(maxsize=16)
def cell_centres(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """Centres x, y in pixels of the cells of a map, row by row: [height * width, 2]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return ((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride).to(device)


def decode(maps: Tensor, *, stride: int = STRIDE, box_scale: float = BOX_SCALE) -> tuple[Tensor, Tensor]:
    """Boxes and class logits of every cell.

    Per cell: centre = cell centre + stride * p_xy, size = box_scale * exp(clamp(p_wh, -4, 4)).

    Args:
        maps: prediction maps [B, 4 + classes, H, W].
        stride: pixels per cell.
        box_scale: pixels.

    Returns:
        boxes [B, H * W, 4] (x1, y1, x2, y2 in pixels) and logits [B, H * W, classes].

    Example:
        >>> import torch
        >>> decode(torch.zeros(1, 5, 1, 1))[0].tolist()
        [[[-5.0, -5.0, 13.0, 13.0]]]
    """
    if maps.dim() != 4 or maps.shape[1] < 5:
        raise ValueError(f"decode: maps must have shape [B, 4 + classes, H, W], got {list(maps.shape)}")
    cells = maps.flatten(2).transpose(1, 2)
    centres = cell_centres(maps.shape[2], maps.shape[3], stride, maps.device) + stride * cells[..., :2]
    half = (box_scale / 2) * cells[..., 2:4].clamp(-LOG_SIZE_LIMIT, LOG_SIZE_LIMIT).exp()
    return torch.cat((centres - half, centres + half), -1), cells[..., 4:]


@torch.no_grad()
def predict(
    maps: Any,
    *,
    stride: int = STRIDE,
    box_scale: float = BOX_SCALE,
    score_threshold: float = 0.02,
    iou_threshold: float = 0.6,
    max_detections: int = 50,
) -> list[dict[str, Tensor]]:
    """Detections of a batch of prediction maps: decoding, then non-maximum suppression per class.

    Args:
        maps: [B, 4 + classes, H, W], a tensor or anything numpy reads (an integer network's read-out).
        stride, box_scale: as in `decode`.
        score_threshold: lower scores are dropped.
        iou_threshold: of two boxes of one class that overlap more, the higher score stays.
        max_detections: kept per image.

    Returns:
        One dict per image: boxes float32 [n, 4] in pixels inside the image, scores float32 [n] descending,
        labels int64 [n].

    Example:
        >>> import numpy
        >>> maps = numpy.zeros((1, 6, 2, 2)); maps[0, 4:] = -9; maps[0, 5, 1, 0] = 3
        >>> found, = predict(maps)
        >>> found["labels"].tolist(), found["boxes"].tolist()
        ([1], [[0.0, 3.0, 13.0, 16.0]])
    """
    maps = torch.as_tensor(maps).to(torch.float32)
    boxes, logits = decode(maps, stride=stride, box_scale=box_scale)
    size = (maps.shape[2] * stride, maps.shape[3] * stride)
    return suppress(boxes, logits.sigmoid(), size, score_threshold, iou_threshold, max_detections)


@torch.no_grad()
def suppress(
    boxes: Tensor,
    scores: Tensor,
    size: tuple[int, int],
    score_threshold: float,
    iou_threshold: float,
    max_detections: int,
    candidates: int = NMS_CANDIDATES,
) -> list[dict[str, Tensor]]:
    """Non-maximum suppression per class and image; a box counts for every class it scores in.

    Args:
        boxes: [B, N, 4] in pixels, clamped to the image here.
        scores: [B, N, classes].
        size: height and width of the image.
        score_threshold, iou_threshold, max_detections: as in `predict`.
        candidates: of more, those of the highest scores are taken.

    Returns:
        As `predict`.
    """
    height, width = size
    limit = boxes.new_tensor((width, height, width, height))
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    options = (score_threshold, iou_threshold, max_detections, float(max(height, width)), candidates)
    return [_suppress(b, s, *options) for b, s in zip(boxes, scores, strict=True)]


def _suppress(
    boxes: Tensor,
    scores: Tensor,
    score_threshold: float,
    iou_threshold: float,
    limit: int,
    extent: float,
    candidates: int,
) -> dict[str, Tensor]:
    cell, label = (scores > score_threshold).nonzero(as_tuple=True)
    score = scores[cell, label]
    if score.numel() > candidates:
        score, best = score.topk(candidates)
        cell, label = cell[best], label[best]
    box = boxes[cell]
    # Classes are moved apart so that one call suppresses each alone; float64 keeps the offsets harmless.
    apart = box.double() + (label * (extent + 1.0)).double().unsqueeze(1)
    kept = nms(apart, score.double(), iou_threshold)[:limit]
    return {"boxes": box[kept], "scores": score[kept], "labels": label[kept]}

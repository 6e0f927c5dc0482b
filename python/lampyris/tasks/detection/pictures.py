"""Pictures of detections beside ground truth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.utils import draw_bounding_boxes

__all__ = ["draw_samples", "to_rgb"]

SCALE = 3
"""Enlargement, so that labels are readable on small images."""
BORDER = 4
EVENT_LEVEL = 60
"""Brightness of one event."""
TRUTH_COLOUR = (80, 220, 100)
FOUND_COLOUR = (255, 190, 60)


def to_rgb(images: Tensor) -> Tensor:
    """Images [B, 3, H, W], grey images [B, 1, H, W], or events [T, B, 2, H, W] as uint8 [B, 3, H, W].

    Events are summed over T: first polarity red, second blue.
    """
    if images.dim() == 5:
        images = images.sum(0, dtype=torch.int64)
    if images.shape[1] == 2:
        bright = (images.to(torch.int64) * EVENT_LEVEL).clamp(max=255).to(torch.uint8)
        return torch.stack((bright[:, 0], torch.zeros_like(bright[:, 0]), bright[:, 1]), 1)
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    if images.shape[1] != 3:
        got = list(images.shape)
        raise ValueError(f"to_rgb: images must have shape [B, 1, 2 or 3, H, W], got {got}")
    return images.clamp(0, 255).to(torch.uint8)


def draw_samples(
    images: Tensor,
    detections: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    class_names: Sequence[str],
    *,
    score_threshold: float = 0.3,
    columns: int = 4,
) -> Tensor:
    """One picture: each image twice, with its ground truth (green) and with its detections (orange).

    Args:
        images: as in `to_rgb`, B images.
        detections, targets: one dict per image (boxes, labels, detections also scores).
        class_names: names of the classes.
        score_threshold: lower detections are not drawn.
        columns: pairs per row.

    Returns:
        uint8 [3, H', W'].
    """
    tiles = []
    for image, found, truth in zip(to_rgb(images.cpu()), detections, targets, strict=True):
        large = image.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)
        shown = found["scores"] >= score_threshold
        scores, labels = found["scores"][shown].tolist(), found["labels"][shown].tolist()
        captions = [f"{class_names[c]} {s:.2f}" for c, s in zip(labels, scores, strict=True)]
        left = _boxes(large, truth["boxes"], [class_names[c] for c in truth["labels"].tolist()], TRUTH_COLOUR)
        right = _boxes(large, found["boxes"][shown], captions, FOUND_COLOUR)
        tiles.append(torch.nn.functional.pad(torch.cat((left, right), 2), (BORDER,) * 4, value=255))
    while len(tiles) % columns and len(tiles) > columns:
        tiles.append(torch.full_like(tiles[0], 255))
    rows = [torch.cat(tiles[i : i + columns], 2) for i in range(0, len(tiles), columns)]
    return torch.cat(rows, 1)


def _boxes(image: Tensor, boxes: Tensor, captions: list[str], colour: tuple[int, int, int]) -> Tensor:
    if boxes.numel() == 0:
        return image
    high = boxes.cpu() * SCALE
    text = {"label_colors": "black", "label_background_colors": colour, "fill_labels": True}
    return draw_bounding_boxes(image, high, captions, colors=colour, width=2, **text)

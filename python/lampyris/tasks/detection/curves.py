"""Where a detector is right and wrong: precision-recall curves, confusion, object sizes, worst samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from .matching import by_class, match_greedily

__all__ = ["SIZES", "Curve", "confusion", "precision_recall", "size_table", "worst_samples"]

SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, float("inf"))}
"""COCO's areas in square pixels."""

Boxes = dict[str, Tensor]


@dataclass(frozen=True)
class Curve:
    """One class at one overlap: arrays [n] over its detections by falling score, and its objects' number."""

    recall: np.ndarray
    precision: np.ndarray
    scores: np.ndarray
    objects: int

    @property
    def best(self) -> tuple[float, float]:
        """Highest F1 and its score threshold; (0, 1) without a hit."""
        total = self.precision + self.recall
        if not len(total) or not total.max() > 0:
            return 0.0, 1.0
        f1 = 2 * self.precision * self.recall / np.maximum(total, 1e-12)
        place = int(f1.argmax())
        return float(f1[place]), float(self.scores[place])


def precision_recall(
    detections: Sequence[Boxes], targets: Sequence[Boxes], iou_threshold: float = 0.5
) -> dict[int, Curve]:
    """Precision against recall of every class that has objects.

    Args:
        detections: per sample boxes [n, 4], scores [n], labels [n].
        targets: per sample boxes [m, 4], labels [m].
        iou_threshold: smallest overlap of a hit.

    Returns:
        {class: `Curve`}.

    Example:
        >>> box = {"boxes": torch.tensor([[0.0, 0.0, 8.0, 8.0]]), "labels": torch.tensor([3])}
        >>> curve = precision_recall([{**box, "scores": torch.tensor([0.7])}], [box])[3]
        >>> curve.recall.tolist(), curve.precision.tolist(), curve.best[0]
        ([1.0], [1.0], 1.0)
    """
    pairs = list(zip(detections, targets, strict=True))
    if not pairs:
        return {}
    hits = torch.cat([match_greedily(found, truth, iou_threshold) >= 0 for found, truth in pairs])
    curves = {}
    for label, ranked, scores, objects in by_class(detections, targets, hits):
        right = ranked.double().numpy().cumsum()
        counts = np.arange(1, len(right) + 1)
        curves[label] = Curve(right / objects, right / counts, scores.numpy(), objects)
    return curves


def confusion(
    detections: Sequence[Boxes],
    targets: Sequence[Boxes],
    num_classes: int,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.3,
) -> np.ndarray:
    """Which class was taken for which: int64 [classes + 1, classes + 1], rows true, columns found.

    Objects and detections are paired by falling overlap whatever their classes; the last column counts
    objects that were missed, the last row detections of nothing.

    Example:
        >>> box = {"boxes": torch.tensor([[0.0, 0.0, 8.0, 8.0]])}
        >>> found = {**box, "scores": torch.tensor([0.9]), "labels": torch.tensor([1])}
        >>> confusion([found], [{**box, "labels": torch.tensor([0])}], 2).tolist()
        [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    """
    table = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for found, truth in zip(detections, targets, strict=True):
        shown = found["scores"] >= score_threshold
        labels, true = found["labels"][shown].tolist(), truth["labels"].tolist()
        overlap = box_iou(found["boxes"][shown].double(), truth["boxes"].double())
        rows, columns = (overlap >= iou_threshold).nonzero(as_tuple=True)
        free, missed = set(range(len(labels))), set(range(len(true)))
        for pair in overlap[rows, columns].argsort(descending=True, stable=True).tolist():
            row, column = int(rows[pair]), int(columns[pair])
            if row in free and column in missed:
                free.discard(row)
                missed.discard(column)
                table[true[column], labels[row]] += 1
        for column in missed:
            table[true[column], num_classes] += 1
        for row in free:
            table[num_classes, labels[row]] += 1
    return table


def size_table(
    detections: Sequence[Boxes],
    targets: Sequence[Boxes],
    *,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.3,
) -> dict[str, tuple[int, int]]:
    """Objects and found objects by COCO's sizes: {"small": (objects, found), ...}."""
    counts = {name: [0, 0] for name in SIZES}
    for found, truth in zip(detections, targets, strict=True):
        shown = {key: value[found["scores"] >= score_threshold] for key, value in found.items()}
        reached = set(match_greedily(shown, truth, iou_threshold).tolist())
        boxes = truth["boxes"]
        areas = truth.get("area", (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).tolist()
        for index, area in enumerate(areas):
            name = next(name for name, (low, high) in SIZES.items() if low <= area < high)
            counts[name][0] += 1
            counts[name][1] += index in reached
    return {name: (objects, right) for name, (objects, right) in counts.items()}


def worst_samples(
    detections: Sequence[Boxes],
    targets: Sequence[Boxes],
    count: int = 8,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.3,
) -> list[tuple[int, int, int]]:
    """Samples with errors, worst first: (index, missed objects, false detections)."""
    rows = []
    for index, (found, truth) in enumerate(zip(detections, targets, strict=True)):
        shown = {key: value[found["scores"] >= score_threshold] for key, value in found.items()}
        hits = match_greedily(shown, truth, iou_threshold)
        right = int((hits >= 0).sum())
        missed, false = len(truth["boxes"]) - right, len(hits) - right
        if missed or false:
            rows.append((index, missed, false))
    return sorted(rows, key=lambda row: (-(row[1] + row[2]), row[0]))[:count]

"""Which detections hit which objects: the two matching rules in use, per image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

__all__ = ["by_class", "match_greedily", "match_pairs"]


def match_greedily(found: dict[str, Tensor], truth: dict[str, Tensor], iou_threshold: float) -> Tensor:
    """Object that each detection hits by COCO's rule.

    By falling score, each takes the free object of its class that it overlaps most.

    Args:
        found: boxes float [n, 4] (x1, y1, x2, y2 in pixels), scores [n], labels [n].
        truth: boxes [m, 4], labels [m].
        iou_threshold: smallest overlap of a hit.

    Returns:
        int64 [n]: index of the object, -1 for none.

    Example:
        >>> box = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
        >>> labels = torch.tensor([1, 1])
        >>> found = {"boxes": box.repeat(2, 1), "scores": torch.tensor([0.4, 0.9]), "labels": labels}
        >>> match_greedily(found, {"boxes": box, "labels": labels[:1]}, 0.5).tolist()
        [-1, 0]
    """
    overlap = _overlaps(found, truth)
    hits = torch.full((overlap.shape[0],), -1, dtype=torch.int64)
    if not overlap.numel():
        return hits
    for index in found["scores"].argsort(descending=True, stable=True).tolist():
        best, place = overlap[index].max(0)
        if best >= iou_threshold:
            hits[index] = place
            overlap[:, place] = -1.0
    return hits


def match_pairs(found: dict[str, Tensor], truth: dict[str, Tensor], iou_threshold: float) -> Tensor:
    """Object that each detection hits, YOLOv5's rule: pairs by falling overlap, whatever their scores.

    Arguments and result as for `match_greedily`.
    """
    overlap = _overlaps(found, truth)
    hits = torch.full((overlap.shape[0],), -1, dtype=torch.int64)
    rows, columns = (overlap >= iou_threshold).nonzero(as_tuple=True)
    taken: set[int] = set()
    for pair in overlap[rows, columns].argsort(descending=True, stable=True).tolist():
        row, column = int(rows[pair]), int(columns[pair])
        if hits[row] < 0 and column not in taken:
            hits[row] = column
            taken.add(column)
    return hits


def by_class(
    detections: Sequence[dict[str, Tensor]], targets: Sequence[dict[str, Tensor]], hits: Tensor
) -> Iterator[tuple[int, Tensor, Tensor, int]]:
    """Every class that has objects: (class, hits by falling score, scores, number of objects).

    Args:
        detections, targets: per sample, as in `match_greedily`.
        hits: [n, ...], a row for every detection of all samples, in their order.
    """
    scores = torch.cat([found["scores"] for found in detections])
    labels = torch.cat([found["labels"] for found in detections])
    truths = torch.cat([truth["labels"] for truth in targets])
    for label in truths.unique().tolist():
        mine = labels == label
        order = scores[mine].argsort(descending=True, stable=True)
        yield label, hits[mine][order], scores[mine][order], int((truths == label).sum())


def _overlaps(found: dict[str, Tensor], truth: dict[str, Tensor]) -> Tensor:
    """IoU [n, m], -1 between classes."""
    overlap = box_iou(found["boxes"].double(), truth["boxes"].double())
    return overlap.masked_fill(found["labels"][:, None] != truth["labels"][None], -1.0)

"""Samples written by hand: boxes, classes, scores."""

import torch


def sample(rows, labels, scores=None, t=1_000_000):
    """A target, or with ``scores`` a detection: rows (x1, y1, x2, y2)."""
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    result = {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64)}
    return {**result, "t": t} if scores is None else {**result, "scores": torch.tensor(scores)}

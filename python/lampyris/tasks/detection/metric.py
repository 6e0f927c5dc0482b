"""COCO average precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from lampyris import nn

from .decoding import BOX_SCALE
from .heads import HeadSpec

__all__ = ["DetectionMetric", "evaluate", "score"]

TRUTH_KEYS = ("boxes", "labels", "iscrowd", "area")


class DetectionMetric(torch.nn.Module):
    """AP over IoU .5:.95, AP50, AP75 and AP per class, by torchmetrics with faster-coco-eval.

    Args:
        class_names: names of classes 0..n-1; None names them by number.

    Example:
        >>> import torch
        >>> box = {"boxes": torch.tensor([[0., 0., 9., 9.]]), "labels": torch.tensor([0])}
        >>> metric = DetectionMetric(["zero"])
        >>> metric.update([{**box, "scores": torch.tensor([0.9])}], [box])
        >>> metric.compute()
        {'ap': 1.0, 'ap50': 1.0, 'ap75': 1.0, 'per_class': {'zero': 1.0}}
    """

    def __init__(self, class_names: Sequence[str] | None = None) -> None:
        super().__init__()
        self.class_names = None if class_names is None else list(class_names)
        # COCO's own float64 thresholds: torchmetrics' float32 ones lie above some recalls such as 0.6.
        self.average_precision = MeanAveragePrecision(
            class_metrics=True,
            backend="faster_coco_eval",
            iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(),
            rec_thresholds=np.linspace(0.0, 1.0, 101).tolist(),
        )
        self.average_precision.warn_on_many_detections = False

    def update(self, detections: Sequence[dict[str, Tensor]], targets: Sequence[dict[str, Tensor]]) -> None:
        """Add a batch: detections of `predict`, and targets with boxes, labels, perhaps iscrowd and area."""
        truth = [{key: t[key] for key in TRUTH_KEYS if key in t} for t in targets]
        self.average_precision.update(list(detections), truth)

    def compute(self) -> dict[str, Any]:
        """``ap``, ``ap50``, ``ap75`` and ``per_class`` (name -> AP) of everything since the last reset."""
        result = self.average_precision.compute()
        classes = result["classes"].reshape(-1).tolist()
        values = result["map_per_class"].reshape(-1).tolist()
        names = [str(c) if self.class_names is None else self.class_names[c] for c in classes]
        return {
            "ap": result["map"].item(),
            "ap50": result["map_50"].item(),
            "ap75": result["map_75"].item(),
            "per_class": dict(zip(names, values, strict=True)) if values != [-1.0] else {},
        }

    def reset(self) -> None:
        self.average_precision.reset()


def score(
    detections: Iterable[dict[str, Tensor]],
    targets: Iterable[dict[str, Tensor]],
    class_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """AP of ready detections: dict(ap, ap50, ap75, per_class), as `DetectionMetric.compute`."""
    metric = DetectionMetric(class_names)
    metric.update(list(detections), list(targets))
    return metric.compute()


@torch.no_grad()
def evaluate(
    model: torch.nn.Module,
    batches: Iterable[tuple[Tensor, Sequence[dict[str, Tensor]]]],
    time_steps: int | None = None,
    *,
    class_names: Sequence[str] | None = None,
    stride: int | None = None,
    box_scale: float = BOX_SCALE,
    limit: int | None = None,
) -> dict[str, Any]:
    """AP of a model over batches (images, targets), at T = ``time_steps``.

    Args:
        model: a module giving prediction maps; its mode and T are restored afterwards.
        batches: a DataLoader, or any iterable of batches.
        time_steps: T; None leaves the model's.
        class_names: for ``per_class``.
        stride: pixels per cell of a model that does not state it; else `HeadSpec.of` reads the model.
        box_scale: as in `lampyris.tasks.detection.decode`.
        limit: number of batches; None takes all.

    Returns:
        dict(ap, ap50, ap75, per_class); values in [0, 1], -1 where nothing was to be found.
    """
    metric = DetectionMetric(class_names)
    training = model.training
    stems = [(m, m.time_steps) for m in model.modules() if isinstance(m, nn.Stem)]
    device = next(model.parameters()).device
    spec = HeadSpec.of(model, box_scale=box_scale)
    if stride is not None and spec.format == "cells":
        spec = replace(spec, strides=(stride,))
    model.eval()
    try:
        if time_steps is not None:
            nn.set_time_steps(model, time_steps)
        for index, (images, targets) in enumerate(batches):
            if index == limit:
                break
            detections = spec.predict(model(images.to(device)))
            metric.update([{k: v.cpu() for k, v in found.items()} for found in detections], targets)
    finally:
        model.train(training)
        for stem, steps in stems:
            stem.time_steps = steps
    return metric.compute()

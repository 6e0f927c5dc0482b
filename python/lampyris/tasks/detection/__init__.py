"""Detection: targets, losses, decoding, average precision, and training with Lightning.

Example:
    >>> import torch
    >>> from lampyris.tasks import detection
    >>> detections = detection.predict(torch.zeros(1, 14, 10, 10))
    >>> sorted(detections[0])
    ['boxes', 'labels', 'scores']
"""

from __future__ import annotations

import importlib

_HOME = {
    "Assignment": "assignment",
    "CurvePlot": "history",
    "DetectionMetric": "metric",
    "DetectionTask": "module",
    "ExactResume": "callbacks",
    "FirstBatch": "start",
    "HEADS": "heads",
    "HeadSpec": "heads",
    "MovingAverage": "averaging",
    "NonFiniteLoss": "guard",
    "ResultsTable": "callbacks",
    "SgdCycle": "optimizers",
    "DetectionWriter": "writing",
    "EvaluationReport": "evaluation",
    "PROTOCOLS": "protocols",
    "SamplePictures": "callbacks",
    "anchor_free_loss": "anchor_free",
    "anchors_loss": "anchors",
    "assign": "assignment",
    "best_possible_recall": "anchor_check",
    "cell_centres": "decoding",
    "check_anchors": "start",
    "check_state": "checkpoint",
    "complete_iou": "boxes",
    "confusion": "curves",
    "decode": "decoding",
    "decode_anchor_free": "anchor_free",
    "decode_anchors": "anchors",
    "detection_loss": "loss",
    "draw_samples": "pictures",
    "evaluate": "metric",
    "find_batch": "start",
    "evaluate_protocols": "protocols",
    "evaluation_figures": "evaluation",
    "interpolated_ap": "protocols",
    "load_checkpoint": "checkpoint",
    "load_matching": "checkpoint",
    "match_anchors": "anchors",
    "load_model": "checkpoint",
    "pad_targets": "assignment",
    "pairwise_iou": "boxes",
    "propose_anchors": "anchor_check",
    "precision_recall": "curves",
    "predict": "decoding",
    "read_checkpoint": "checkpoint",
    "recompute_blocks": "recompute",
    "save_model": "checkpoint",
    "step_cost": "start",
    "score": "metric",
    "to_rgb": "pictures",
    "train_detector": "train",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'lampyris.tasks.detection' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # replaces the submodule of the same name
    return value


def __dir__() -> list[str]:
    return __all__

"""Named evaluation protocols: published Gen1 figures differ in which boxes count and in the metric.

Figures under different names must not be compared. Sources: the Prophesee toolbox, RVT (Gehrig and
Scaramuzza, CVPR 2023), SFOD (Fan et al., CVPR 2024), EMS-YOLO (Su et al., ICCV 2023), as their evaluation
code does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lampyris.data.gen1 import BoxFilter

from .matching import by_class, match_pairs
from .metric import score

__all__ = ["PROTOCOLS", "Protocol", "chosen_protocols", "evaluate_protocols", "interpolated_ap"]

IOU_THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
RECALL_POINTS = 101
EPSILON = 1e-16
"""Of recall and precision in the YOLO-style metric."""

Boxes = dict[str, Tensor]


@dataclass(frozen=True)
class Protocol:
    """What counts and how.

    Attributes:
        boxes: objects and detections that count; both are filtered alike.
        metric: "coco" (COCO AP) or "interpolated" (YOLOv5's 101-point AP, slightly different figures).
        labelled_only: samples whose objects are all filtered out are left out, with their false alarms.
        text: one line for tables.
    """

    boxes: BoxFilter
    metric: str
    labelled_only: bool
    text: str


PROTOCOLS: dict[str, Protocol] = {
    "coco": Protocol(BoxFilter(), "coco", False, "COCO AP, every box"),
    "gen1": Protocol(
        BoxFilter(30, 10, 500_000), "coco", True, "RVT, S5, EAS-SNN: diagonal >= 30, side >= 10, t > 0.5 s"
    ),
    "1mpx": Protocol(
        BoxFilter(60, 20, 500_000), "coco", True, "RVT on 1 Mpx: diagonal >= 60, side >= 20, t > 0.5 s"
    ),
    "prophesee": Protocol(
        BoxFilter(30, 20, 100_000),
        "coco",
        True,
        "toolbox evaluator as released: side >= 20 (meant 10), t > 0.1 s",
    ),
    "sfod": Protocol(BoxFilter(30, 20), "coco", True, "SFOD, SpikSSD: diagonal >= 30, side >= 20"),
    "ems_yolo": Protocol(BoxFilter(), "interpolated", False, "EMS-YOLO, SpikeYOLO: every box, YOLOv5's AP"),
}


def chosen_protocols(names: str | Sequence[str]) -> dict[str, Protocol]:
    """Protocols by name, one or several; "all" gives all.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> list(chosen_protocols(["gen1"]))
        ['gen1']
    """
    names = [names] if isinstance(names, str) else list(names)
    if names == ["all"]:
        return dict(PROTOCOLS)
    for name in names:
        if name not in PROTOCOLS:
            raise ValueError(f"protocol must be one of all, {', '.join(PROTOCOLS)}, got {name!r}")
    return {name: PROTOCOLS[name] for name in names}


def evaluate_protocols(
    detections: Sequence[Boxes],
    targets: Sequence[dict[str, Any]],
    protocols: str | Sequence[str] = ("coco",),
    class_names: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures of ready detections under several protocols.

    Args:
        detections: per sample boxes float [n, 4] (x1, y1, x2, y2 in sensor or image pixels), scores, labels.
        targets: per sample boxes, labels, "t" (label time in us, [m]) where a protocol skips
            early labels, "stretch" [m, 2] (pixels per sensor pixel) where frames were stretched.
        protocols: one name or several; "all" takes those that the targets allow.
        class_names: for ``per_class``.

    Returns:
        {name: dict(ap, ap50, ap75, per_class, samples, objects)}; AP is -1 where no object counts.

    Raises:
        ValueError: an unknown protocol, numbers of samples that differ, or no "t" where it is needed.

    Example:
        >>> box = {"boxes": torch.tensor([[0.0, 0.0, 40.0, 40.0]]), "labels": torch.tensor([0])}
        >>> found = [{**box, "scores": torch.tensor([0.9])}]
        >>> figures = evaluate_protocols(found, [{**box, "t": 600_000}], ["gen1", "coco"], ["car"])
        >>> figures["gen1"]["ap50"], figures["gen1"]["objects"]
        (1.0, 1)
    """
    if len(detections) != len(targets):
        raise ValueError(f"evaluation: detections must be {len(targets)} samples, got {len(detections)}")
    chosen = chosen_protocols(protocols)
    if protocols == "all" and not all("t" in target for target in targets):
        chosen = {name: p for name, p in chosen.items() if p.boxes.skip_us < 0}
    result = {}
    for name, protocol in chosen.items():
        pairs = [
            (_filtered(found, target, protocol, name), _filtered(target, target, protocol, name))
            for found, target in zip(detections, targets, strict=True)
        ]
        if protocol.labelled_only:
            pairs = [(found, truth) for found, truth in pairs if len(truth["boxes"])]
        objects = sum(len(truth["boxes"]) for _, truth in pairs)
        if not objects:
            figures: dict[str, Any] = {"ap": -1.0, "ap50": -1.0, "ap75": -1.0, "per_class": {}}
        else:
            compute = score if protocol.metric == "coco" else interpolated_ap
            figures = compute([p[0] for p in pairs], [p[1] for p in pairs], class_names)
        result[name] = {**figures, "samples": len(pairs), "objects": objects}
    return result


def _filtered(boxes: dict[str, Any], target: dict[str, Any], protocol: Protocol, name: str) -> dict[str, Any]:
    tensors = {key: value for key, value in boxes.items() if isinstance(value, Tensor) and value.dim() > 0}
    if protocol.boxes == BoxFilter():
        return tensors
    if protocol.boxes.skip_us >= 0 and "t" not in target:
        raise ValueError(f'evaluation: protocol {name} needs the label time "t" of every target, got none')
    xyxy = tensors["boxes"].numpy()
    if len(target.get("stretch", ())):
        xyxy = xyxy / target["stretch"][0].repeat(2).numpy()
    times = torch.as_tensor(target.get("t", 0)).flatten()
    time = np.full(len(xyxy), int(times[0]) if len(times) else 0)
    keep = torch.from_numpy(protocol.boxes.keep(time, xyxy))
    return {key: value[keep] for key, value in tensors.items()}


def interpolated_ap(
    detections: Sequence[Boxes], targets: Sequence[Boxes], class_names: Sequence[str] | None = None
) -> dict[str, Any]:
    """YOLOv5's AP: per class the area under the precision envelope, linearly interpolated at 101 recalls.

    Differs from COCO's by the matching (pairs by overlap), the interpolation (trapezoids) and crowds (none).

    Returns:
        dict(ap, ap50, ap75, per_class) as `lampyris.tasks.detection.score`.
    """
    hits = torch.cat(
        [
            torch.stack([match_pairs(found, truth, t) >= 0 for t in IOU_THRESHOLDS], 1)
            for found, truth in zip(detections, targets, strict=True)
        ]
    )
    table = {
        label: _areas(ranked.double().numpy(), objects)
        for label, ranked, _, objects in by_class(detections, targets, hits)
    }
    means = np.mean(list(table.values()), 0)
    names = {c: str(c) if class_names is None else class_names[c] for c in table}
    return {
        "ap": float(means.mean()),
        "ap50": float(means[0]),
        "ap75": float(means[5]),
        "per_class": {names[label]: float(row.mean()) for label, row in table.items()},
    }


def _areas(hits: np.ndarray, objects: int) -> np.ndarray:
    """AP of one class at every IoU threshold: hits 0/1 [n, thresholds] by falling score."""
    right = hits.cumsum(0)
    recall = right / (objects + EPSILON)
    precision = right / np.maximum(np.arange(1, len(hits) + 1)[:, None], 1)
    grid = np.linspace(0, 1, RECALL_POINTS)
    areas = []
    for r, p in zip(recall.T, precision.T, strict=True):
        envelope = np.maximum.accumulate(np.concatenate(([1.0], p, [0.0]))[::-1])[::-1]
        heights = np.interp(grid, np.concatenate(([0.0], r, [1.0])), envelope)
        areas.append(((heights[1:] + heights[:-1]) / 2).mean())  # trapezoids of equal width
    return np.array(areas)

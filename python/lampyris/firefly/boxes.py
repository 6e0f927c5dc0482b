"""From a detection map to boxes on a processor without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Boxes", "find_boxes"]


@dataclass(frozen=True)
class Boxes:
    """Detections of one image, highest score first.

    Attributes:
        boxes: float64 [n, 4], x1, y1, x2, y2 in pixels inside the image.
        scores: float64 [n]; labels: int64 [n].
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


def find_boxes(
    maps: np.ndarray,
    *,
    stride: float = 8,
    box_scale: float = 18.0,
    score_threshold: float = 0.02,
    iou_threshold: float = 0.6,
    max_detections: int = 50,
) -> Boxes:
    """Decoding and non-maximum suppression, as the detection task does them, in C++ and float64.

    Args:
        maps: one prediction map [4 + classes, H, W], for instance ``result.readout(name)``.
        stride: pixels per cell; box_scale: pixels of a zero output.
        score_threshold: lower scores are dropped.
        iou_threshold: of two boxes of one class that overlap more, the higher score stays.
        max_detections: kept at most.

    Raises:
        ValueError: a map of another shape.

    Example:
        >>> import numpy as np
        >>> maps = np.zeros((6, 2, 2)); maps[4:] = -9; maps[5, 1, 0] = 3
        >>> found = find_boxes(maps)
        >>> found.labels.tolist(), found.boxes.tolist()
        ([1], [[0.0, 3.0, 13.0, 16.0]])
    """
    from lampyris import _native

    array = np.ascontiguousarray(maps, dtype=np.float64)
    return Boxes(
        *_native.firefly.boxes(array, stride, box_scale, score_threshold, iou_threshold, max_detections)
    )

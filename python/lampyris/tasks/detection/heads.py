"""What the prediction maps of each head format mean: one loss and one decoding per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .anchor_free import anchor_free_loss, decode_anchor_free
from .anchors import anchors_loss, decode_anchors
from .decoding import BOX_SCALE, STRIDE, decode, suppress
from .loss import detection_loss

__all__ = ["HEADS", "Format", "HeadSpec", "Suppression"]

Maps = tuple[Tensor, ...]
Targets = Sequence[dict[str, Tensor]]


class Suppression(NamedTuple):
    """Which detections stay: as the arguments of `lampyris.tasks.detection.predict`."""

    score_threshold: float = 0.02
    iou_threshold: float = 0.6
    max_detections: int = 50
    candidates: int = 1000


class Format(NamedTuple):
    """loss(maps, targets, spec, gains) -> scalars; decode(maps, spec) -> boxes [B, N, 4] and scores."""

    loss: Callable[[Maps, Targets, HeadSpec, Mapping[str, float]], dict[str, Tensor]]
    decode: Callable[[Maps, HeadSpec], tuple[Tensor, Tensor]]
    gains: Mapping[str, float]
    suppression: Suppression


PUBLISHED = Suppression(0.001, 0.6, 300, 10_000)
"""The published evaluation: nearly every box counts. Of more than 10,000 candidates the best are taken."""


def _cells_loss(
    maps: Maps, targets: Targets, spec: HeadSpec, gains: Mapping[str, float]
) -> dict[str, Tensor]:
    place = {"stride": spec.strides[0], "box_scale": spec.box_scale}
    return detection_loss(maps[0], targets, box_weight=gains["box"], **place)


def _cells_decode(maps: Maps, spec: HeadSpec) -> tuple[Tensor, Tensor]:
    boxes, logits = decode(maps[0], stride=spec.strides[0], box_scale=spec.box_scale)
    return boxes, logits.sigmoid()


def _anchors_loss(
    maps: Maps, targets: Targets, spec: HeadSpec, gains: Mapping[str, float]
) -> dict[str, Tensor]:
    return anchors_loss(maps, targets, spec.sizes(maps[0]), spec.strides, spec.num_classes, gains)


def _anchors_decode(maps: Maps, spec: HeadSpec) -> tuple[Tensor, Tensor]:
    return decode_anchors(maps, spec.sizes(maps[0]), spec.strides, spec.num_classes)


def _free_loss(maps: Maps, targets: Targets, spec: HeadSpec, gains: Mapping[str, float]) -> dict[str, Tensor]:
    return anchor_free_loss(maps, targets, spec.strides, gains)


def _free_decode(maps: Maps, spec: HeadSpec) -> tuple[Tensor, Tensor]:
    boxes, logits = decode_anchor_free(maps, spec.strides)
    return boxes, logits.sigmoid()


HEADS: dict[str, Format] = {
    "cells": Format(_cells_loss, _cells_decode, {"box": 4.0}, Suppression()),
    "anchors": Format(
        _anchors_loss, _anchors_decode, {"box": 0.05, "objectness": 1.0, "class": 0.5}, PUBLISHED
    ),
    "anchor_free": Format(_free_loss, _free_decode, {"box": 7.5, "class": 0.5}, PUBLISHED),
}
"""By the ``head_format`` of a detector. Gains of anchors: Su et al. 2023; of anchor_free: SpikeYOLO 2024."""


@dataclass(frozen=True, eq=False)
class HeadSpec:
    """How to read a detector's maps.

    Args:
        format: a key of `HEADS`.
        strides: pixels per cell of each map.
        num_classes: number of classes; None: from the maps (not for anchors).
        anchors: [scales, A, 2], width and height in pixels; anchors only.
        box_scale: pixels that a zero size output stands for; cells only.
        gains: of the loss, over the format's defaults.

    Raises:
        ValueError: an unknown format or gain, or a format without what it needs.

    Example:
        >>> import torch
        >>> spec = HeadSpec("anchor_free", (8, 16))
        >>> found, = spec.predict((torch.zeros(1, 5, 2, 2), torch.zeros(1, 5, 1, 1)))
        >>> found["scores"].tolist()
        [0.5, 0.5, 0.5, 0.5, 0.5]
    """

    format: str = "cells"
    strides: tuple[int, ...] = (STRIDE,)
    num_classes: int | None = None
    anchors: Tensor | None = None
    box_scale: float = BOX_SCALE
    gains: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.format not in HEADS:
            known = ", ".join(HEADS)
            raise ValueError(f"HeadSpec: format must be one of {known}, got {self.format!r}")
        for name in self.gains:
            if name not in HEADS[self.format].gains:
                known = ", ".join(HEADS[self.format].gains)
                raise ValueError(f"HeadSpec: gains of {self.format} must be of {known}, got {name!r}")
        if self.format == "anchors" and (self.anchors is None or self.num_classes is None):
            raise ValueError("HeadSpec: format anchors must have anchors and num_classes, got none")

    @classmethod
    def of(cls, model: torch.nn.Module, **options: Any) -> HeadSpec:
        """The spec that a detector's attributes state: head_format, strides, anchors, num_classes.

        A model without ``head_format`` has cells of its ``stride``.
        """
        form = getattr(model, "head_format", "cells")
        strides = getattr(model, "strides", None) or (getattr(model, "stride", STRIDE),)
        classes = getattr(model, "num_classes", None)
        anchors = getattr(model, "anchors", None) if form == "anchors" else None
        return cls(form, tuple(int(s) for s in strides), classes, anchors, **options)

    def sizes(self, like: Tensor) -> Tensor:
        """The anchors on the device of ``like``, float32."""
        return self.anchors.to(like.device, torch.float32)

    def maps(self, outputs: Any) -> Maps:
        """A detector's outputs as a tuple of float32 maps, one per stride."""
        if not isinstance(outputs, (tuple, list)):
            outputs = (outputs,)
        if len(outputs) != len(self.strides):
            raise ValueError(
                f"HeadSpec: maps must be {len(self.strides)}, one per stride, got {len(outputs)}"
            )
        return tuple(torch.as_tensor(m).to(torch.float32) for m in outputs)

    def loss(self, outputs: Any, targets: Targets) -> dict[str, Tensor]:
        """The format's loss: ``loss`` and its parts, scalars."""
        form = HEADS[self.format]
        return form.loss(self.maps(outputs), targets, self, {**form.gains, **self.gains})

    @torch.no_grad()
    def predict(self, outputs: Any, **options: Any) -> list[dict[str, Tensor]]:
        """Detections of a batch, suppressed per class; as `lampyris.tasks.detection.predict`.

        Args:
            outputs: of the detector, tensors or anything that numpy reads.
            **options: fields of `Suppression` over the format's.

        Returns:
            One dict per image: boxes float32 [n, 4] in pixels inside the image, scores [n] descending,
            labels int64 [n].
        """
        maps = self.maps(outputs)
        form = HEADS[self.format]
        boxes, scores = form.decode(maps, self)
        stride = self.strides[0]
        size = (maps[0].shape[2] * stride, maps[0].shape[3] * stride)
        return suppress(boxes, scores, size, *form.suppression._replace(**options))

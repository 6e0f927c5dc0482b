"""Writing what `lampyris predict` finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from torchvision.io import encode_png

from lampyris.files import atomic_write

from .pictures import draw_samples

__all__ = ["DetectionWriter"]

DIGITS = 4


class DetectionWriter(lightning.Callback):
    """Write ``detections.json`` and one picture per batch into ``folder``.

    The JSON is a list with, per detection: image_id, class (name), label (0..n-1), score, and box
    [x1, y1, x2, y2] in pixels of the network's input.

    Args:
        folder: created when missing.
        pictures: number of batches to draw.
        score_threshold: lower detections are neither listed nor drawn.
    """

    def __init__(self, folder: Path, pictures: int = 4, score_threshold: float = 0.3) -> None:
        self.folder = Path(folder)
        self.pictures = pictures
        self.score_threshold = score_threshold
        self.found: list[dict[str, Any]] = []

    def on_predict_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        images, targets = batch
        names = pl_module.class_names
        for detections, target in zip(outputs, targets, strict=True):
            shown = detections["scores"] >= self.score_threshold
            columns = (detections[key][shown].tolist() for key in ("boxes", "scores", "labels"))
            for box, score, label in zip(*columns, strict=True):
                found = {"image_id": int(target["image_id"]), "class": names[label], "label": label}
                found |= {"score": round(score, DIGITS), "box": [round(v, DIGITS) for v in box]}
                self.found.append(found)
        if batch_idx < self.pictures:
            picture = draw_samples(images, outputs, targets, names, score_threshold=self.score_threshold)
            atomic_write(self.folder / f"batch_{batch_idx:03d}.png", encode_png(picture).numpy().tobytes())

    def on_predict_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        atomic_write(self.folder / "detections.json", json.dumps(self.found, indent=1) + "\n")

"""COCO samples as tensors: decoded, letterboxed to one size, crowd regions left out."""

from __future__ import annotations

import zlib

import torch

from lampyris.data.coco import CocoFolder, open_image
from lampyris.data.detection_set import Target
from lampyris.data.letterboxing import FILL, letterbox, placement

__all__ = ["CocoSource"]


class CocoSource:
    """Source of a DetectionSet over one CocoFolder.

    Targets hold "boxes", "labels", "image_id"; with ``keep_crowd`` also the crowd regions, told apart by
    "iscrowd" int64 [n], and "area" float32 [n] (square pixels of the letterboxed image), as COCO's
    evaluation wants them.

    Args:
        folder: the split.
        image_size: height and width of every sample.
        upscale: False: smaller images are only padded.
        keep_crowd: keep crowd regions (evaluation only).
    """

    background = FILL

    def __init__(
        self, folder: CocoFolder, image_size: tuple[int, int], upscale: bool = True, keep_crowd: bool = False
    ) -> None:
        self.folder = folder
        self.image_size = image_size
        self.upscale = upscale
        self.keep_crowd = keep_crowd
        self.sample_shape = (3, *image_size)

    def __len__(self) -> int:
        return len(self.folder.images)

    def content(self, index: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the picture within its letterboxed sample, pixels."""
        entry = self.folder.images[index]
        height, width, left, top = placement(entry.height, entry.width, self.image_size, self.upscale)
        return left, top, left + width, top + height

    def recipe(self) -> dict:
        """Everything the samples depend on: images by name and size, their boxes, the options."""
        checksum = 0
        for image in self.folder.images:
            entry = (str(image.path), image.height, image.width, image.boxes, image.labels, image.crowd)
            checksum = zlib.crc32(repr((image.id, *entry, image.areas)).encode(), checksum)
        options = {"size": self.image_size, "upscale": self.upscale, "keep_crowd": self.keep_crowd}
        return {"kind": "images", "images": len(self), "checksum": checksum, **options}

    def load(self, index: int) -> tuple[torch.Tensor, Target]:
        """Sample uint8 [3, H, W] and target of one image."""
        entry = self.folder.images[index]
        pixels = torch.from_numpy(open_image(entry.path, entry.height, entry.width).copy())
        image, place = letterbox(pixels.permute(2, 0, 1), self.image_size, upscale=self.upscale)
        boxes = place.boxes(torch.tensor(entry.boxes, dtype=torch.float32).reshape(-1, 4))
        labels = torch.tensor(entry.labels, dtype=torch.int64)
        crowd = torch.tensor(entry.crowd, dtype=torch.int64)
        target: Target = {"boxes": boxes, "labels": labels, "image_id": entry.id}
        if self.keep_crowd:
            area = torch.tensor(entry.areas, dtype=torch.float32) * (place.scale[0] * place.scale[1])
            return image, {**target, "iscrowd": crowd, "area": area}
        if entry.crowd and any(entry.crowd):
            target["boxes"], target["labels"] = boxes[crowd == 0], labels[crowd == 0]
        return image, target

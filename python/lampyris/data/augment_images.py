"""Augmentation of image samples: mosaic, affine, HSV; every choice a function of (seed, epoch, index)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from lampyris.data.letterboxing import FILL

if TYPE_CHECKING:
    from lampyris.data.detection_set import DetectionSet, Target

__all__ = ["ImageAugment"]

STREAM = 1  # own stream of random numbers, so that the flips stay what they were without augmentation
SMALLEST_SIDE = 2.0  # pixels; what is left of a box must be larger
SMALLEST_PART = 0.1  # of a box's area that must stay visible


@dataclass(frozen=True)
class ImageAugment:
    """Random changes of training images; all off by default.

    Args:
        mosaic: probability that a sample is put together from four images around a random centre.
        close_mosaic: the last epochs of a run have no mosaic.
        scale: size factor, uniform in 1 - scale .. 1 + scale.
        translate: shift, part of the image's size, each way.
        rotate, shear: degrees, each way.
        hsv: changes of hue, saturation and value: factors uniform in 1 - h .. 1 + h and so on.

    Example:
        >>> ImageAugment.yolo().mosaic, ImageAugment().changes
        (1.0, False)
    """

    mosaic: float = 0.0
    close_mosaic: int = 10
    scale: float = 0.0
    translate: float = 0.0
    rotate: float = 0.0
    shear: float = 0.0
    hsv: tuple[float, float, float] = (0.0, 0.0, 0.0)

    needs_events = False

    def __post_init__(self) -> None:
        for name, limit in (("mosaic", 1.0), ("scale", 0.99), ("translate", 1.0)):
            if not 0.0 <= getattr(self, name) <= limit:
                raise ValueError(f"data: {name} must be between 0 and {limit}, got {getattr(self, name)}")
        for name, limit in (("rotate", 180.0), ("shear", 80.0)):
            if not 0.0 <= getattr(self, name) <= limit:
                raise ValueError(f"data: {name} must be 0..{limit} degrees, got {getattr(self, name)}")
        if len(self.hsv) != 3 or not all(0.0 <= gain <= 1.0 for gain in self.hsv):
            raise ValueError(f"data: hsv must be three numbers between 0 and 1, got {self.hsv}")
        if self.close_mosaic < 0:
            raise ValueError(f"data: close_mosaic must be at least 0, got {self.close_mosaic}")

    @classmethod
    def yolo(cls) -> ImageAugment:
        """The values of EMS-YOLO's COCO runs: mosaic 1, scale 0.5, translate 0.1, HSV .015, .7, .4."""
        return cls(mosaic=1.0, scale=0.5, translate=0.1, hsv=(0.015, 0.7, 0.4))

    @property
    def changes(self) -> bool:
        """Whether anything is switched on."""
        return any((self.mosaic, self.scale, self.translate, self.rotate, self.shear, *self.hsv))

    def __call__(self, dataset: DetectionSet, index: int, epoch: int) -> tuple[torch.Tensor, Target]:
        """The sample ``index`` of ``dataset`` as epoch ``epoch`` sees it."""
        rng = np.random.default_rng([dataset.seed, epoch, index, STREAM])
        closed = dataset.closing_epoch is not None and epoch >= dataset.closing_epoch
        if rng.random() < self.mosaic and not closed:
            others = rng.integers(len(dataset), size=3).tolist()
            canvas, boxes, labels, target = _mosaic(dataset, [index, *others], rng)
        else:
            canvas, target = dataset.read(index)
            boxes, labels = target["boxes"], target["labels"]
        image, boxes, labels = self._affine(canvas, boxes, labels, dataset.source.sample_shape[1:], rng)
        if any(self.hsv):
            image = _recoloured(image, 1 + rng.uniform(-1, 1, 3) * self.hsv)
        return image, {"boxes": boxes, "labels": labels, "image_id": target["image_id"]}

    def _affine(
        self,
        canvas: torch.Tensor,
        boxes: torch.Tensor,
        labels: torch.Tensor,
        size: tuple[int, int],
        rng: np.random.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Turn, shear, then cut the window that the scale and shift choose; [3, *size]."""
        height, width = canvas.shape[-2:]
        angle, shear_x, shear_y = rng.uniform(-1, 1, 3) * (self.rotate, self.shear, self.shear)
        ratio = 1 + rng.uniform(-1, 1) * self.scale
        shift = 0.5 + rng.uniform(-1, 1, 2) * self.translate
        if self.rotate or self.shear:
            turn = {"angle": angle, "translate": [0, 0], "scale": 1.0, "shear": [shear_x, shear_y]}
            canvas = F.affine(canvas, **turn, interpolation=InterpolationMode.BILINEAR, fill=FILL)
            framed = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(height, width))
            boxes = F.affine(framed, **turn).as_subclass(torch.Tensor)
        window_h, window_w = max(1, round(size[0] / ratio)), max(1, round(size[1] / ratio))
        top, left = round(height / 2 - shift[0] * window_h), round(width / 2 - shift[1] * window_w)
        image = _window(canvas, top, left, window_h, window_w)
        if (window_h, window_w) != tuple(size):
            image = F.resize(image, list(size), InterpolationMode.BILINEAR, antialias=True)
        gain = boxes.new_tensor([size[1] / window_w, size[0] / window_h] * 2)
        moved = (boxes - boxes.new_tensor([left, top] * 2)) * gain
        clipped = moved.clamp(min=0).minimum(boxes.new_tensor([size[1], size[0]] * 2))
        keep = _still_there(moved, clipped)
        return image, clipped[keep], labels[keep]


def _still_there(moved: torch.Tensor, clipped: torch.Tensor) -> torch.Tensor:
    """bool [n]: boxes of which enough lies inside; whole boxes stay whatever their size."""
    width, height = (clipped[:, 2:] - clipped[:, :2]).unbind(1)
    whole = (moved[:, 2:] - moved[:, :2]).clamp(min=0).prod(1)
    part = width * height / whole.clamp(min=1e-9)
    large = (width > SMALLEST_SIDE) & (height > SMALLEST_SIDE) & (part > SMALLEST_PART)
    return large | ((moved == clipped).all(1) & (width > 0) & (height > 0))


def _mosaic(
    dataset: DetectionSet, indices: list[int], rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Target]:
    """Canvas [3, 2H, 2W] of four images that meet at a random point, without their letterbox borders."""
    height, width = dataset.source.sample_shape[1:]
    canvas = torch.full((3, 2 * height, 2 * width), FILL, dtype=torch.uint8)
    y, x = (int(rng.integers(side // 2, side + side // 2 + 1)) for side in (height, width))
    boxes, labels, first = [], [], None
    for place, index in enumerate(indices):
        sample, target = dataset.read(index)
        first = first or target
        left, top, right, bottom = dataset.source.content(index)
        tile = sample[:, top:bottom, left:right]
        rows, columns = tile.shape[1:]
        # The corner of the tile that faces the other three lies at (y, x).
        at_y = y - rows if place < 2 else y
        at_x = x - columns if place % 2 == 0 else x
        y0, x0, y1, x1 = (
            max(at_y, 0),
            max(at_x, 0),
            min(at_y + rows, 2 * height),
            min(at_x + columns, 2 * width),
        )
        canvas[:, y0:y1, x0:x1] = tile[:, y0 - at_y : y1 - at_y, x0 - at_x : x1 - at_x]
        boxes.append(target["boxes"] + target["boxes"].new_tensor([at_x - left, at_y - top] * 2))
        labels.append(target["labels"])
    return canvas, torch.cat(boxes), torch.cat(labels), first


def _window(canvas: torch.Tensor, top: int, left: int, height: int, width: int) -> torch.Tensor:
    """Part of the canvas; what lies beyond it is grey."""
    image = torch.full((canvas.shape[0], height, width), FILL, dtype=torch.uint8)
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + height, canvas.shape[1]), min(left + width, canvas.shape[2])
    if y1 > y0 and x1 > x0:
        image[:, y0 - top : y1 - top, x0 - left : x1 - left] = canvas[:, y0:y1, x0:x1]
    return image


def _recoloured(image: torch.Tensor, gains: np.ndarray) -> torch.Tensor:
    """Hue, saturation and value multiplied, as tables on Pillow's HSV bytes (hue wraps, others clip)."""
    levels = np.arange(256)
    hue = (levels * gains[0]) % 256
    others = [np.clip(levels * gain, 0, 255) for gain in gains[1:]]
    table = np.concatenate([hue, *others]).astype(np.uint8).tolist()
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).convert("HSV").point(table)
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous()

"""Letterbox: scale an image to a size without changing its shape, and fill the rest with grey."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

__all__ = ["FILL", "Letterbox", "letterbox", "placement"]

FILL = 114


@dataclass(frozen=True)
class Letterbox:
    """Where an image went: output = input * scale + offset, per axis (x, y), in pixels."""

    scale: tuple[float, float]
    offset: tuple[int, int]

    def boxes(self, boxes: torch.Tensor) -> torch.Tensor:
        """Boxes float32 [n, 4] xyxy of the original image, in the letterboxed one."""
        return boxes * boxes.new_tensor(self.scale * 2) + boxes.new_tensor(self.offset * 2)

    def original(self, boxes: torch.Tensor) -> torch.Tensor:
        """Boxes float32 [n, 4] xyxy of the letterboxed image, in the original one."""
        return (boxes - boxes.new_tensor(self.offset * 2)) / boxes.new_tensor(self.scale * 2)


def letterbox(
    image: torch.Tensor, size: tuple[int, int], *, upscale: bool = True
) -> tuple[torch.Tensor, Letterbox]:
    """Fit an image into ``size``; the free border, half on each side, is filled with 114.

    Args:
        image: uint8 [C, H, W].
        size: height and width of the result, pixels.
        upscale: False: images smaller than ``size`` are only padded.

    Returns:
        uint8 [C, *size] and the placement for boxes. An image of that size already is returned as it is.

    Example:
        >>> out, place = letterbox(torch.zeros(3, 20, 40, dtype=torch.uint8), (80, 80))
        >>> tuple(out.shape), place.scale, place.offset, int(out[0, 0, 0])
        ((3, 80, 80), (2.0, 2.0), (0, 20), 114)
    """
    height, width = image.shape[-2:]
    if (height, width) == tuple(size):
        return image, Letterbox((1.0, 1.0), (0, 0))
    new_height, new_width, left, top = placement(height, width, size, upscale)
    if (new_height, new_width) != (height, width):
        image = F.resize(image, [new_height, new_width], InterpolationMode.BILINEAR, antialias=True)
    right, bottom = size[1] - new_width - left, size[0] - new_height - top
    image = F.pad(image, [left, top, right, bottom], fill=FILL)
    return image, Letterbox((new_width / width, new_height / height), (left, top))


def placement(
    height: int, width: int, size: tuple[int, int], upscale: bool = True
) -> tuple[int, int, int, int]:
    """Height, width, left and top of an image of ``height`` x ``width`` letterboxed into ``size``, pixels."""
    if (height, width) == tuple(size):
        return height, width, 0, 0
    ratio = min(size[0] / height, size[1] / width)
    if not upscale:
        ratio = min(ratio, 1.0)
    new_height = min(size[0], max(1, round(height * ratio)))
    new_width = min(size[1], max(1, round(width * ratio)))
    return new_height, new_width, (size[1] - new_width) // 2, (size[0] - new_height) // 2

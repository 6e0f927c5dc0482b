"""Pieces of the generated pictures: scikit-learn's digits as alpha masks, its photographs as background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["Box", "background", "digit_alpha", "load_digit_bitmaps", "load_photos", "overlap", "tight_box"]

ALPHA_EDGE = 0.3  # a pixel belongs to the digit's box where alpha exceeds this

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, x1 and y1 exclusive


@dataclass(frozen=True)
class DigitBitmaps:
    """Bitmaps float32 [N, 10, 10] in 0..1 (8 x 8 and a border of zeros), labels int [N]."""

    bitmaps: np.ndarray
    labels: np.ndarray


def load_digit_bitmaps() -> DigitBitmaps:
    """All 1,797 digits of ``sklearn.datasets.load_digits``, in their order."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    bitmaps = np.pad(digits.images.astype(np.float32) / 16.0, ((0, 0), (1, 1), (1, 1)))
    return DigitBitmaps(bitmaps, digits.target.astype(int))


def load_photos() -> list[Image.Image]:
    """The two 427 x 640 sample photographs of scikit-learn, RGB."""
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(photo) for photo in load_sample_images().images]


def digit_alpha(bitmap: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bitmap [10, 10] resized (bicubic, antialiased) to float32 [height, width], clamped to 0..1."""
    picture = Image.fromarray(bitmap).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(picture, np.float32), 0.0, 1.0)


def tight_box(alpha: np.ndarray) -> Box | None:
    """Smallest box around the pixels with alpha > 0.3, or None where there are none."""
    inside = alpha > ALPHA_EDGE
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def overlap(a: Box, b: Box) -> float:
    """Area of the intersection over the area of the smaller box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(width, 0) * max(height, 0) / smaller


def background(
    photos: list[Image.Image], columns: tuple[int, int], size: int, rng: np.random.Generator
) -> np.ndarray:
    """Random square crop (>= 80 px) of a photo within ``columns``: float32 [size, size, 3] in 0..1."""
    photo = photos[rng.integers(len(photos))]
    first, last = columns
    limit = min(photo.height, last - first)
    side = int(rng.integers(min(80, limit), limit + 1))
    x, y = int(rng.integers(first, last - side + 1)), int(rng.integers(photo.height - side + 1))
    # Cropped first: resize(box=...) would filter in pixels from beyond the box, so from other columns.
    crop = photo.crop((x, y, x + side, y + side)).resize((size, size), Image.Resampling.BILINEAR)
    picture = np.asarray(crop, np.float32) / 255.0
    return picture[:, ::-1] if rng.random() < 0.5 else picture

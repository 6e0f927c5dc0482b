"""The digits detection set: scikit-learn's digits on its photographs, in genuine COCO format."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lampyris.data.generated import generate_once
from lampyris.data.pictures import (
    Box,
    DigitBitmaps,
    background,
    digit_alpha,
    load_digit_bitmaps,
    load_photos,
    overlap,
    tight_box,
)

__all__ = ["CATEGORY_IDS", "PHOTO_COLUMNS", "Recipe", "digit_samples", "digits", "draw"]

# Gaps on purpose, as in COCO: readers must map category ids to contiguous classes.
CATEGORY_IDS = (1, 2, 3, 5, 6, 7, 9, 10, 11, 13)
# Disjoint samples and disjoint photo columns (of 640) for the three splits. The samples are in the order
# they were written: the last 500 are for testing, every 12th of the others for validation.
TEST_START, SAMPLES, VALIDATION_STRIDE = 1297, 1797, 12
PHOTO_COLUMNS = {"train": (96, 448), "val": (0, 96), "test": (448, 640)}
SPLITS = ("train", "val", "test")

PLACEMENT_TRIES = 20
MAX_OVERLAP = 0.12
MAX_DIGITS = 4


@dataclass(frozen=True)
class Recipe:
    """Everything the set depends on. ``scale`` is in output pixels per pixel of a 10 x 10 digit bitmap."""

    variant: str = "easy"
    seed: int = 0
    image_size: int = 80
    train: int = 4000
    val: int = 300
    test: int = 500
    scale: tuple[float, float] = (1.6, 3.2)
    darken: tuple[float, float] = (0.3, 0.7)
    both_signs: bool = False
    version: int = 1


def digit_samples(split: str) -> np.ndarray:
    """Indices into scikit-learn's digits that ``split`` draws from."""
    if split == "test":
        return np.arange(TEST_START, SAMPLES)
    indices = np.arange(TEST_START)
    validation = indices % VALIDATION_STRIDE == VALIDATION_STRIDE // 2
    return indices[validation if split == "val" else ~validation]


def recipe(variant: str = "easy", **changes) -> Recipe:
    """Recipe of a variant: "easy" (bright digits on darkened photos) or "hard"."""
    if variant == "easy":
        return Recipe(**changes)
    if variant == "hard":
        return Recipe(variant="hard", scale=(1.5, 4.0), darken=(1.0, 1.0), both_signs=True, **changes)
    raise ValueError(f'digits: variant must be "easy" or "hard", got {variant!r}')


def digits(
    root: str | os.PathLike | None = None,
    *,
    variant: str = "easy",
    seed: int = 0,
    train: int = 4000,
    val: int = 300,
    test: int = 500,
    image_size: int = 80,
) -> Path:
    """Generate the digits detection set (once) and return its folder.

    Layout: ``{train,val,test}/*.png`` and ``annotations/instances_{train,val,test}.json``. The splits
    share neither digit samples nor photo columns. Writers are not known to be disjoint.

    Args:
        root: folder to write; None: the cache (``cache_folder()``).
        variant: "easy" (the measured recipe) or "hard" (wider scales, dark digits, full-brightness photos).
        seed: seed of every random choice; image i of a split depends on (seed, split, i) only.
        train, val, test: numbers of images.
        image_size: height and width in pixels, at least 48.

    Returns:
        The folder, complete.

    Raises:
        ValueError: an argument out of range, or ``root`` holds something else.
        OSError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> folder = digits(tempfile.mkdtemp(), train=2, val=1, test=1)
        >>> sorted(p.name for p in (folder / "train").iterdir())
        ['000001.png', '000002.png']
    """
    if image_size < 48:
        raise ValueError(f"digits: image_size must be at least 48, got {image_size}")
    for name, count in (("train", train), ("val", val), ("test", test)):
        if count < 1:
            raise ValueError(f"digits: {name} must be at least 1, got {count}")
    if seed < 0:
        raise ValueError(f"digits: seed must be at least 0, got {seed}")
    chosen = recipe(variant, seed=seed, train=train, val=val, test=test, image_size=image_size)
    splits = {"digits": [TEST_START, SAMPLES, VALIDATION_STRIDE], "columns": PHOTO_COLUMNS}
    return generate_once("digits", asdict(chosen) | splits, lambda folder: _write(folder, chosen), root)


def _write(folder: Path, chosen: Recipe) -> None:
    bitmaps, photos = load_digit_bitmaps(), load_photos()
    (folder / "annotations").mkdir()
    for number, split in enumerate(SPLITS):
        (folder / split).mkdir()
        images, annotations = [], []
        for index in range(getattr(chosen, split)):
            rng = np.random.default_rng([chosen.seed, number, index])
            picture, labels, boxes = draw(chosen, split, bitmaps, photos, rng)
            name = f"{index + 1:06d}.png"
            Image.fromarray(picture).save(folder / split / name, compress_type=zlib.Z_HUFFMAN_ONLY)
            size = {"height": chosen.image_size, "width": chosen.image_size}
            images.append({"id": index + 1, "file_name": name, **size})
            for label, box in zip(labels, boxes, strict=True):
                annotations.append(_annotation(len(annotations) + 1, index + 1, label, box))
        categories = [
            {"id": key, "name": str(digit), "supercategory": "digit"}
            for digit, key in enumerate(CATEGORY_IDS)
        ]
        info = {"description": "Lampyris digits", "version": str(chosen.version)}
        content = {"info": info, "images": images, "annotations": annotations, "categories": categories}
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))


def _annotation(key: int, image: int, label: int, box: Box) -> dict:
    width, height = box[2] - box[0], box[3] - box[1]
    return {
        "id": key,
        "image_id": image,
        "category_id": CATEGORY_IDS[label],
        "bbox": [box[0], box[1], width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [],
    }


def draw(
    chosen: Recipe, split: str, source: DigitBitmaps, photos: list[Image.Image], rng: np.random.Generator
) -> tuple[np.ndarray, list[int], list[Box]]:
    """One picture: uint8 [S, S, 3], the digits' classes 0..9 and their boxes."""
    size = chosen.image_size
    picture = background(photos, PHOTO_COLUMNS[split], size, rng) * np.float32(rng.uniform(*chosen.darken))
    labels, boxes = [], []
    samples = digit_samples(split)
    for _ in range(int(rng.integers(1, MAX_DIGITS + 1))):
        sample = int(rng.choice(samples))
        scale = np.exp(rng.uniform(*np.log(chosen.scale)))
        height, width = round(10 * scale), round(10 * scale * rng.uniform(0.9, 1.1))
        alpha = digit_alpha(source.bitmaps[sample], height, width)
        placed = _place(alpha, boxes, size, rng)
        if placed is None:
            continue
        x, y, box = placed
        patch = picture[y : y + height, x : x + width]
        patch += alpha[..., None] * (_colour(patch, chosen.both_signs, rng) - patch)
        labels.append(int(source.labels[sample]))
        boxes.append(box)
    picture = picture + 0.01 * rng.standard_normal(picture.shape, np.float32)
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8), labels, boxes


def _place(
    alpha: np.ndarray, boxes: list[Box], size: int, rng: np.random.Generator
) -> tuple[int, int, Box] | None:
    """Position of the patch and box of the digit, wholly inside the image; None when no try fits."""
    extent = tight_box(alpha)
    if extent is None or max(alpha.shape) > size:
        return None
    for _ in range(PLACEMENT_TRIES):
        x, y = int(rng.integers(size - alpha.shape[1] + 1)), int(rng.integers(size - alpha.shape[0] + 1))
        box = extent[0] + x, extent[1] + y, extent[2] + x, extent[3] + y
        if all(overlap(box, other) <= MAX_OVERLAP for other in boxes):
            return x, y, box
    return None


def _colour(patch: np.ndarray, both_signs: bool, rng: np.random.Generator) -> np.ndarray:
    """Mean of the background under the digit plus a contrast, each channel varied by up to 0.1."""
    contrast = rng.uniform(0.35, 0.7)
    if both_signs and rng.random() < 0.5:
        contrast = -contrast
    colour = patch.mean((0, 1)) + contrast + rng.uniform(-0.1, 0.1, 3)
    return np.clip(colour, 0.0, 1.0).astype(np.float32)

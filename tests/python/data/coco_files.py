"""A hand-made COCO folder that tests damage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image


def content() -> dict:
    """Two images (3 x 8 and 4 x 6), category ids 2 and 7, one crowd region."""
    return {
        "images": [
            {"id": 20, "file_name": "b.png", "height": 4, "width": 6},
            {"id": 10, "file_name": "a.png", "height": 3, "width": 8},
        ],
        "annotations": [
            {"id": 1, "image_id": 10, "category_id": 7, "bbox": [1, 0.5, 4, 2], "area": 8, "iscrowd": 0},
            {"id": 2, "image_id": 20, "category_id": 2, "bbox": [0, 0, 6, 4], "area": 20, "iscrowd": 1},
            {"id": 3, "image_id": 20, "category_id": 2, "bbox": [4, 1, 5, 1], "area": 2, "iscrowd": 0},
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 2, "name": "dog"}],
    }


def write(root: Path, value=None, split: str = "train", folder: str | None = None) -> Path:
    """Write images and ``instances_<split>.json`` (a value, or text as it is)."""
    images = root / (folder or split)
    images.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(3 * 8 * 3, dtype=np.uint8).reshape(3, 8, 3)
    Image.fromarray(pixels).save(images / "a.png")
    Image.fromarray(np.full((4, 6, 3), 200, np.uint8)).save(images / "b.png")
    (root / "annotations").mkdir(exist_ok=True)
    text = value if isinstance(value, (str, bytes)) else json.dumps(content() if value is None else value)
    file = root / "annotations" / f"instances_{split}.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root

"""Reader of detection folders in COCO format, with every defect named by file and entry."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from lampyris.data.coco_layout import annotation_file, image_folder

__all__ = ["CocoFolder", "CocoImage", "missing_images", "open_image", "parse"]

Report = Callable[[str], None]


@dataclass
class CocoImage:
    """One image and its boxes: xyxy float32 [n, 4] within the image, classes 0..C-1, crowd flags, areas."""

    id: int
    path: Path
    height: int
    width: int
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)


def open_image(path: Path, height: int, width: int) -> np.ndarray:
    """Decode an image to uint8 [height, width, 3].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be decoded, or has another size than the annotations say.
    """
    try:
        with Image.open(path) as picture:
            if picture.size != (width, height):
                w, h = picture.size
                raise ValueError(f"coco: {path} must be {height} x {width} as annotated, got {h} x {w}")
            return np.asarray(picture.convert("RGB"))
    except FileNotFoundError:
        raise FileNotFoundError(f"coco: image {path} must exist, got no such file") from None
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"coco: {path} must be a readable image, got: {reason}") from None


class CocoFolder:
    """One split of a COCO-format folder.

    Takes ``annotations/instances_<split>.json`` with images in ``<split>/`` or ``images/<split>/``, also
    with a year (train2017), and the other layouts of ``coco_layout``. Category ids may have gaps: classes
    are numbered by ascending id. Boxes are clamped to the image; boxes without area are left out (COCO has
    some).

    Args:
        root: the folder.
        split: "train", "val", "test" or a full name.

    Attributes:
        class_names: names by class number. images: list of CocoImage, by ascending id.

    Raises:
        FileNotFoundError: a file or folder is missing.
        ValueError: the annotation file is broken; the message names file, entry and reason.

    Example:
        >>> from lampyris import data
        >>> folder = data.CocoFolder(data.digits(), "val")
        >>> len(folder.images), folder.class_names[:3]
        (300, ('0', '1', '2'))
    """

    def __init__(self, root: str | os.PathLike, split: str) -> None:
        self.file = annotation_file(root, split)
        self.folder = image_folder(root, self.file)
        self.class_names, self.images = parse(self.file, self.folder, _raise)
        if not self.images:
            raise ValueError(f"coco: {self.file} must list at least one image, got none")
        missing = list(missing_images(self.images, self.folder))
        if missing:
            count = f"{len(missing)} of {len(self.images)} missing, first: " if len(missing) > 1 else ""
            raise FileNotFoundError(
                f"coco: images of {self.file} must exist, got {count}no such file {missing[0]}"
            )


def _raise(problem: str) -> None:
    raise ValueError(f"coco: {problem}")


def missing_images(images: list[CocoImage], folder: Path) -> Iterator[Path]:
    """Paths of images that are not there; one listing of the folder answers for most."""
    present = {entry.name for entry in os.scandir(folder)}
    for image in images:
        if not (image.path.name in present if image.path.parent == folder else image.path.is_file()):
            yield image.path


def parse(
    file: Path, folder: Path, report: Report, remark: Report | None = None
) -> tuple[tuple[str, ...], list[CocoImage]]:
    """Class names and images of an annotation file.

    ``report`` is called with each defect; a defective entry is left out when it returns. ``remark`` is
    called with each box that reading repairs: outside the image by a pixel or more, or without area.
    """
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        report(f"{file} must be JSON, got: {error}")
        return (), []
    if not isinstance(content, dict):
        report(f"{file} must hold a JSON object, got {type(content).__name__}")
        return (), []
    sections = {}
    for name in ("images", "annotations", "categories"):
        section = content.get(name)
        if not isinstance(section, list):
            report(f"{file} must have a list {name!r}, got {type(section).__name__}")
            section = []
        sections[name] = _entries(file, name, section, report)
    categories = {}
    for entry in sections["categories"]:
        if not isinstance(entry.get("name"), str):
            report(f"{file}: category {entry['id']}: name must be text, got {entry.get('name')!r}")
        else:
            categories[entry["id"]] = entry["name"]
    classes = {key: number for number, key in enumerate(sorted(categories))}
    images = dict(_images(file, folder, sections["images"], report))
    for entry in sections["annotations"]:
        _annotate(file, entry, images, classes, report, remark)
    return tuple(categories[key] for key in classes), [images[key] for key in sorted(images)]


def _entries(file: Path, name: str, section: list, report: Report) -> list[dict]:
    """Entries that are objects with an integer id not used before."""
    kept, seen = [], set()
    for position, entry in enumerate(section):
        key = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(key, int):
            report(f"{file}: {name}[{position}] must be an object with an integer id, got {_short(entry)}")
        elif key in seen:
            report(f"{file}: {name}[{position}]: id must be unique, got {key} again")
        else:
            seen.add(key)
            kept.append(entry)
    return kept


def _images(file: Path, folder: Path, entries: list[dict], report: Report) -> Iterator[tuple[int, CocoImage]]:
    for entry in entries:
        name, height, width = entry.get("file_name"), entry.get("height"), entry.get("width")
        if not isinstance(name, str) or not name or name.startswith("/") or ".." in Path(name).parts:
            report(
                f"{file}: image {entry['id']}: file_name must be a path inside {folder}, got {_short(name)}"
            )
        elif not all(isinstance(n, int) and 0 < n < 1 << 20 for n in (height, width)):
            got = f"{_short(height)}, {_short(width)}"
            report(f"{file}: image {entry['id']}: height and width must be positive integers, got {got}")
        else:
            yield entry["id"], CocoImage(entry["id"], folder / name, height, width)


def _annotate(
    file: Path,
    entry: dict,
    images: dict[int, CocoImage],
    classes: dict[int, int],
    report: Report,
    remark: Report | None,
) -> None:
    where = f"{file}: annotation {entry['id']}"
    image, label = _lookup(images, entry.get("image_id")), _lookup(classes, entry.get("category_id"))
    if image is None:
        return report(f"{where}: image_id must name an image, got {_short(entry.get('image_id'))}")
    if label is None:
        return report(f"{where}: category_id must name a category, got {_short(entry.get('category_id'))}")
    box = entry.get("bbox")
    numbers = isinstance(box, list) and len(box) == 4 and all(type(v) in (int, float) for v in box)
    if not numbers or not all(abs(v) < 1e9 for v in box) or min(box[2:]) < 0:
        return report(f"{where}: bbox must be [x, y, width, height], finite, sizes >= 0, got {_short(box)}")
    x, y, w, h = box
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + w, image.width), min(y + h, image.height)
    outside = max(-x, -y, x + w - image.width, y + h - image.height)
    if remark and (outside >= 1 or right <= left or bottom <= top):
        what = f"lie inside the {image.height} x {image.width} image and have an area"
        remark(f"{where}: bbox must {what}, got {_short(box)}")
    if right <= left or bottom <= top:
        return None
    area = entry.get("area")
    image.boxes.append((left, top, right, bottom))
    image.labels.append(label)
    image.crowd.append(bool(entry.get("iscrowd", 0)))
    image.areas.append(float(area) if type(area) in (int, float) and 0 <= area < 1e18 else float(w * h))
    return None


def _lookup(table: dict, key):
    return table.get(key) if isinstance(key, int) else None


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Reader of YOLO-format folders (one text file of boxes per image), defects named by file and line."""

from __future__ import annotations

import math
import os
from pathlib import Path

from PIL import Image

from lampyris.data.coco import CocoImage, Report
from lampyris.data.yolo_layout import YoloLayout, label_file, yolo_layout

__all__ = ["YoloFolder", "parse_yolo"]

MAX_UNNAMED = 1000  # classes, where no file names them


class YoloFolder:
    """One split of a YOLO-format folder, with the attributes of CocoFolder.

    Each image has a text file of lines ``class cx cy w h`` (parts of the image's size); lines of more
    points are polygons, whose surrounding box is taken. An image without a file has no boxes. Boxes are
    cut to the image; those without area are left out. Image ids count from 1 in order of path.

    Args:
        root: the folder, or its YAML file.
        split: "train", "val" or "test".

    Attributes:
        class_names, images (list of CocoImage), file (what an error should name), folder.

    Raises:
        FileNotFoundError: the split or an image is missing.
        ValueError: a file is broken; the message names file, line and reason.

    Example:
        >>> import tempfile, pathlib
        >>> from PIL import Image
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("images", "labels"): (root / name / "train").mkdir(parents=True)
        >>> Image.new("RGB", (20, 10)).save(root / "images/train/a.png")
        >>> (root / "labels/train/a.txt").write_text("1 0.5 0.5 0.2 0.4")
        17
        >>> YoloFolder(root, "train").images[0].boxes
        [(8.0, 3.0, 12.0, 7.0)]
    """

    def __init__(self, root: str | os.PathLike, split: str) -> None:
        self.file = self.folder = Path(root)
        layout = yolo_layout(root)
        if split not in layout.images:
            raise FileNotFoundError(f"yolo: {root} must hold split {split!r}, got {sorted(layout.images)}")
        # Stated names: the other splits need not be read.
        wanted = layout if layout.names is None else YoloLayout(layout.names, {split: layout.images[split]})
        self.class_names, images = parse_yolo(wanted, _raise)
        self.images = images[split]
        if not self.images:
            raise ValueError(f"yolo: {root} must hold at least one image in {split!r}, got none")


def _raise(problem: str) -> None:
    kind = FileNotFoundError if problem.endswith("no such file") else ValueError
    raise kind(f"yolo: {problem}")


def parse_yolo(
    layout: YoloLayout, report: Report, remark: Report | None = None
) -> tuple[tuple[str, ...], dict[str, list[CocoImage]]]:
    """Class names, and images with their boxes by split; without stated names, the numbers that occur.

    ``report`` and ``remark`` are called as in ``coco.parse``.
    """
    known = len(layout.names) if layout.names else MAX_UNNAMED
    images = {
        split: [
            image
            for number, path in enumerate(paths, 1)
            if (image := _image(number, path, known, report, remark)) is not None
        ]
        for split, paths in layout.images.items()
    }
    if layout.names:
        return layout.names, images
    highest = max(
        (label for group in images.values() for image in group for label in image.labels), default=0
    )
    return tuple(str(number) for number in range(highest + 1)), images


def _image(number: int, path: Path, known: int, report: Report, remark: Report | None) -> CocoImage | None:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except FileNotFoundError:
        return report(f"{path} must exist, got no such file")
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        return report(f"{path} must be a readable image, got: {' '.join(str(error).split())}")
    image = CocoImage(number, path, height, width)
    file = label_file(path)
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return image
    seen = set()
    for row, line in enumerate(text.splitlines(), 1):
        if line.strip() and line not in seen:
            seen.add(line)
            _annotate(f"{file}: line {row}", line.split(), image, known, report, remark)
    return image


def _annotate(
    where: str, words: list[str], image: CocoImage, known: int, report: Report, remark: Report | None
) -> None:
    got = " ".join(words)[:60]
    try:
        label, *numbers = (float(word) for word in words)
    except ValueError:
        return report(f"{where} must hold numbers, got {got!r}")
    polygon = len(numbers) >= 6 and len(numbers) % 2 == 0
    if not polygon and len(numbers) != 4:
        return report(f"{where} must be class cx cy w h, or a polygon of points, got {got!r}")
    if not all(math.isfinite(n) and abs(n) < 1e6 for n in numbers) or not 0 <= label < 1e6 or label % 1:
        return report(f"{where} must hold a class number and finite values, got {got!r}")
    if label >= known:
        return report(f"{where}: class must be below {known}, got {int(label)}")
    if polygon:
        left, right = min(numbers[::2]), max(numbers[::2])
        top, bottom = min(numbers[1::2]), max(numbers[1::2])
    else:
        x, y, w, h = numbers
        if min(w, h) < 0:
            return report(f"{where}: w and h must not be negative, got {got!r}")
        left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    corners = (left * image.width, top * image.height, right * image.width, bottom * image.height)
    x0, y0 = max(corners[0], 0.0), max(corners[1], 0.0)
    x1, y1 = min(corners[2], float(image.width)), min(corners[3], float(image.height))
    outside = max(-corners[0], -corners[1], corners[2] - image.width, corners[3] - image.height)
    empty = x1 <= x0 or y1 <= y0
    if remark and (outside >= 1 or empty):
        size = f"{image.height} x {image.width}"
        remark(f"{where}: box must lie inside the {size} image and have an area, got {got!r}")
    if empty:
        return None
    image.boxes.append((x0, y0, x1, y1))
    image.labels.append(int(label))
    image.crowd.append(False)
    image.areas.append((x1 - x0) * (y1 - y0))
    return None

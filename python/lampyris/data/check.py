"""Read a whole data set folder and name every defective file and label."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lampyris.data.coco import CocoImage, open_image, parse
from lampyris.data.coco_layout import SPLITS, annotation_files, image_folder
from lampyris.data.event_file import EventFile
from lampyris.data.folders import folder_format
from lampyris.data.gen1 import GEN1_SIZE, BoxFilter, class_names, recordings
from lampyris.data.gen1_boxes import read_boxes
from lampyris.data.shards import check_cache
from lampyris.data.yolo import parse_yolo
from lampyris.data.yolo_layout import yolo_layout

__all__ = ["FolderReport", "SplitReport", "check_folder", "describe_folder"]

LATE_LABEL_US = 1_000_000  # a label this long after the last event: the recording was cut short


@dataclass
class SplitReport:
    """Counts of one split; ``boxes`` per class name."""

    name: str
    samples: int = 0
    boxes: Counter = field(default_factory=Counter)
    detail: str = ""


@dataclass
class FolderReport:
    """What a folder holds and what is wrong with it, one line per defect."""

    format: str
    splits: list[SplitReport]
    problems: list[str]


def check_folder(root: str | os.PathLike) -> FolderReport:
    """Read every file of a data set or cache: images decoded, events scanned, each label looked at.

    Args:
        root: the folder.

    Returns:
        The report; ``problems`` is empty for a sound folder. Each line names file, entry and reason.

    Raises:
        FileNotFoundError, ValueError: the folder is not there or of neither format.

    Example:
        >>> import tempfile
        >>> from lampyris import data
        >>> folder = data.digits(tempfile.mkdtemp(), train=2, val=1, test=1)
        >>> (folder / "val" / "000001.png").write_bytes(b"no picture")
        10
        >>> [line.split("val/")[1].split(", got")[0] for line in data.check_folder(folder).problems]
        ['000001.png must be a readable image']
    """
    return _read_folder(Path(root), deep=True)


def describe_folder(root: str | os.PathLike) -> FolderReport:
    """As check_folder, from the annotations alone: images are not decoded, events not scanned."""
    return _read_folder(Path(root), deep=False)


def _read_folder(root: Path, deep: bool) -> FolderReport:
    kind = folder_format(root)
    problems: list[str] = []
    reader = {"coco": _coco, "gen1": _gen1, "yolo": _yolo, "cache": _cache}[kind]
    splits = reader(root, deep, problems)
    return FolderReport(kind, splits, problems)


def _cache(root: Path, deep: bool, problems: list[str]) -> list[SplitReport]:
    found, defects = check_cache(root, checksums=deep)
    problems.extend(defects)
    return [SplitReport(root.name, found, detail="cached samples")]


def _coco(root: Path, deep: bool, problems: list[str]) -> list[SplitReport]:
    splits, categories = [], {}
    for name, file in annotation_files(root):
        split = SplitReport(name)
        try:
            folder = image_folder(root, file)
        except FileNotFoundError as error:
            problems.append(_plain(error))
            continue
        names, images = parse(file, folder, problems.append, problems.append)
        categories[names] = file
        split.samples = len(images)
        split.boxes = Counter(names[label] for image in images for label in image.labels)
        split.detail = _sizes(images)
        splits.append(split)
        if deep:
            _decode(images, problems)
            if images and not split.boxes:
                problems.append(f"{file} must hold at least one box that counts, got none")
    if len(categories) > 1:
        files = ", ".join(file.name for file in categories.values())
        problems.append(
            f"{root / 'annotations'}: all splits must have the same categories, got others in {files}"
        )
    return splits


def _yolo(root: Path, deep: bool, problems: list[str]) -> list[SplitReport]:
    try:
        layout = yolo_layout(root)
    except ValueError as error:
        problems.append(_plain(error))
        return []
    names, groups = parse_yolo(layout, problems.append, problems.append)
    splits = []
    for name, images in groups.items():
        boxes = Counter(names[label] for image in images for label in image.labels)
        splits.append(SplitReport(name, len(images), boxes, _sizes(images)))
        if deep:
            _decode(images, problems)
            if not boxes:
                problems.append(f"{root}: {name} must hold at least one box that counts, got none")
    return splits


def _decode(images: list[CocoImage], problems: list[str]) -> None:
    for image in images:
        try:
            open_image(image.path, image.height, image.width)
        except (OSError, ValueError) as error:
            problems.append(_plain(error))


def _sizes(images: list[CocoImage]) -> str:
    sizes = Counter((image.height, image.width) for image in images)
    if not sizes:
        return ""
    (height, width), _ = sizes.most_common(1)[0]
    others = f" and {len(sizes) - 1} other sizes" if len(sizes) > 1 else ""
    return f"{height} x {width} pixels{others}"


def _gen1(root: Path, deep: bool, problems: list[str]) -> list[SplitReport]:
    try:
        names = class_names(root)
    except ValueError as error:
        problems.append(_plain(error))
        return []
    splits = []
    for name in SPLITS:
        if not (root / name).is_dir():
            continue
        split = SplitReport(name)
        events = 0
        pairs = recordings(root / name)
        for dat, npy in pairs:
            file = _open_events(dat, problems)
            events += 0 if file is None else len(file)
            _check_recording(file, npy, names, split, problems, deep)
        split.detail = f"{len(pairs)} recordings, {events} events"
        splits.append(split)
    return splits


def _open_events(path: Path, problems: list[str]) -> EventFile | None:
    try:
        return EventFile(path)
    except FileNotFoundError:
        problems.append(f"{path} must exist beside its boxes, got no such file")
    except (OSError, ValueError) as error:
        problems.append(_plain(error))
    return None


def _check_recording(
    file: EventFile | None,
    npy: Path,
    names: tuple[str, ...],
    split: SplitReport,
    problems: list[str],
    deep: bool,
) -> None:
    size = (None if file is None else file.size) or GEN1_SIZE
    try:
        table = read_boxes(npy, len(names), problems.append)
    except (OSError, ValueError) as error:
        problems.append(_plain(error))
        table = None
    if deep and file is not None:
        problems.extend(f"{file.path}: {line}" for line in file.problems(size))
    if table is None:
        return
    boxes = table.clamped(size)
    counted = BoxFilter().keep(table.t, boxes)
    split.samples += len(np.unique(table.t[counted]))
    split.boxes.update(names[label] for label in table.class_id[counted])
    if not deep:
        return
    if not counted.any():
        problems.append(f"{npy} must hold at least one box that counts, got none")
    corners = table.xywh + np.concatenate([np.zeros_like(boxes[:, :2]), table.xywh[:, :2]], 1)
    outside = (np.abs(corners - boxes) >= 1).any(1) | ~counted
    for row in np.flatnonzero(outside):
        where = f"{npy}: box at {table.t[row]} us"
        what = f"lie inside the {size[0]} x {size[1]} frame and have an area"
        problems.append(f"{where}: x, y, w, h must {what}, got {table.xywh[row].tolist()}")
    if file and len(file):
        last = int(file.read(len(file) - 1)[0][0])
        late = table.t[table.t > last + LATE_LABEL_US]
        if len(late):
            problems.append(
                f"{file.path} must reach its labels, got a last event at {last} us and {len(late)} boxes "
                f"over 1 s later: cut short?"
            )


def _plain(error: Exception) -> str:
    """The message without the leading name of the reader."""
    text = str(error)
    for prefix in ("coco: ", "gen1: ", "yolo: ", "event file: ", "frame cache: "):
        text = text.removeprefix(prefix)
    return text

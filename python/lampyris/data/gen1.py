"""Reader of event detection folders in Gen1 format."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lampyris.data.event_file import EventFile
from lampyris.data.gen1_boxes import Boxes, read_boxes

__all__ = ["BoxFilter", "Gen1Folder", "Label", "class_names", "recordings"]

GEN1_CLASSES = ("car", "pedestrian")
GEN1_SIZE = (240, 304)
LABEL_MAP = "label_map_dictionary.json"


@dataclass(frozen=True)
class BoxFilter:
    """Which boxes count. Gen1's published evaluation: diagonal 30, side 10, skip 500,000 us.

    Args:
        diagonal: smallest diagonal, pixels.
        side: smallest width and height, pixels.
        skip_us: labels up to this time are left out.
    """

    diagonal: float = 0.0
    side: float = 0.0
    skip_us: int = -1

    def keep(self, t: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        """bool [n] for times [n] and boxes [n, 4] cut to the frame; boxes without area never count."""
        width, height = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
        smallest = np.minimum(width, height)
        large = (smallest > 0) & (smallest >= self.side) & (np.hypot(width, height) >= self.diagonal)
        return large & (t > self.skip_us)


@dataclass
class Label:
    """The boxes of one recording at one time: xyxy float32 [n, 4], classes int64 [n], n >= 1."""

    recording: int
    t: int
    boxes: np.ndarray
    classes: np.ndarray


def class_names(root: str | os.PathLike) -> tuple[str, ...]:
    """Names from ``label_map_dictionary.json`` ({"0": "car", ...}), or Gen1's two without such a file.

    Raises:
        ValueError: the file is no map of "0".."n-1" to names.
    """
    path = Path(root) / LABEL_MAP
    try:
        table = json.loads(path.read_bytes())
    except FileNotFoundError:
        return GEN1_CLASSES
    except (ValueError, RecursionError) as error:
        raise ValueError(f"gen1: {path} must be JSON, got: {error}") from None
    keys = [str(number) for number in range(len(table))] if isinstance(table, dict) else []
    if not keys or {*table} != {*keys} or not all(isinstance(name, str) for name in table.values()):
        raise ValueError(f'gen1: {path} must map "0".."n-1" to names, got {str(table)[:60]}')
    return tuple(table[key] for key in keys)


def recordings(folder: Path) -> list[tuple[Path, Path]]:
    """The pairs of events and ``<name>_bbox.npy`` below a folder, sorted; one of a pair may be missing.

    Events are ``<name>_td.dat``, ``<name>_td.raw`` or ``<name>.raw``; the first name where there is none.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"gen1: {folder} must be a folder of recordings, got no such folder")
    events: dict[str, Path] = {}
    for suffix in ("_td.dat", "_td.raw", ".raw"):
        for path in folder.rglob(f"*{suffix}"):
            events.setdefault(str(path).removesuffix(suffix).removesuffix("_td"), path)
    names = {*events} | {str(p)[: -len("_bbox.npy")] for p in folder.rglob("*_bbox.npy")}
    return [(events.get(name, Path(f"{name}_td.dat")), Path(f"{name}_bbox.npy")) for name in sorted(names)]


class Gen1Folder:
    """One split of a Gen1-format folder: ``<root>/<split>/**/<name>_td.dat`` with ``<name>_bbox.npy``.

    Raw recordings (EVT2, EVT3) may take the place of the ``.dat`` files.

    Boxes are cut to the frame; those without area, or refused by ``boxes``, are left out, and so are
    label times without any box.

    Args:
        root: the folder. split: "train", "val" or "test".
        boxes: which boxes count.

    Attributes:
        class_names, size (height and width of the sensor: from the headers, else Gen1's 240 x 304),
        files (EventFile per recording), labels (list of Label, sorted by recording and time).

    Raises:
        FileNotFoundError: a folder or one file of a pair is missing.
        ValueError: a file is broken; names file and reason.

    Example:
        >>> from lampyris import data
        >>> folder = data.Gen1Folder(data.order_events(), "val")
        >>> folder.size, folder.class_names
        ((64, 64), ('right', 'left'))
    """

    def __init__(self, root: str | os.PathLike, split: str, boxes: BoxFilter | None = None) -> None:
        self.folder = Path(root) / split
        self.class_names = class_names(root)
        pairs = recordings(self.folder)
        if not pairs:
            raise FileNotFoundError(f"gen1: {self.folder} must hold files *_td.dat, got none")
        self.files: list[EventFile] = []
        tables: list[Boxes] = []
        for events, labels in pairs:
            if not events.exists():
                raise FileNotFoundError(f"gen1: {events} must exist beside {labels.name}, got no such file")
            tables.append(read_boxes(labels, len(self.class_names)))
            self.files.append(EventFile(events))
        self.size = common_size(self.files)
        chosen = boxes or BoxFilter()
        self.labels = [
            label
            for number, table in enumerate(tables)
            for label in _labels(number, table, self.size, chosen)
        ]
        if not self.labels:
            raise ValueError(f"gen1: {self.folder} must hold at least one box, got none that counts")


def common_size(files: list[EventFile]) -> tuple[int, int]:
    """Height and width that the headers state, all the same; Gen1's where none does."""
    stated = {file.size: file for file in files if file.size is not None}
    if len(stated) > 1:
        (one, first), (two, second) = list(stated.items())[:2]
        raise ValueError(
            f"gen1: recordings must have one sensor size, got {one} in {first.path}, {two} in {second.path}"
        )
    return next(iter(stated), GEN1_SIZE)


def _labels(recording: int, table: Boxes, size: tuple[int, int], chosen: BoxFilter) -> list[Label]:
    boxes = table.clamped(size)
    keep = chosen.keep(table.t, boxes)
    t, boxes, classes = table.t[keep], boxes[keep], table.class_id[keep]
    times, starts = np.unique(t, return_index=True)
    ends = [*starts, len(t)][1:]
    return [
        Label(recording, int(time), boxes[first:last], classes[first:last])
        for time, first, last in zip(times, starts, ends, strict=True)
    ]

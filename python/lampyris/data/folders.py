"""Any labelled folder in one line: its format is found from what lies in it."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

from lampyris.data.coco_layout import SPLITS, annotation_files
from lampyris.data.gen1 import recordings
from lampyris.data.shard_file import CACHE_FILE
from lampyris.data.yolo_layout import yolo_layout

__all__ = ["folder_format", "open_folder"]


def folder_format(root: str | os.PathLike) -> str:
    """The format of a data set: "coco", "gen1" (also 1Mpx and raw recordings), "yolo", or "cache" (shards).

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is none of them.
    """
    root = Path(root)
    if root.suffix in (".yaml", ".yml") and root.is_file():
        return "yolo"
    if not root.is_dir():
        raise FileNotFoundError(f"data: {root} must be a folder, got no such folder")
    if (root / CACHE_FILE).is_file():
        return "cache"
    if annotation_files(root):
        return "coco"
    if any(recordings(root / split) for split in SPLITS if (root / split).is_dir()):
        return "gen1"
    try:
        yolo_layout(root)
    except ValueError as error:
        if not str(error).startswith(f"yolo: {root} must hold"):
            raise
        raise ValueError(
            f"data: {root} must hold annotations/instances_*.json (COCO), train/*_td.dat (Gen1) or "
            f"images/train with labels/train (YOLO), got none of them"
        ) from None
    return "yolo"


def open_folder(root: str | os.PathLike, **options):
    """The data module of a labelled folder, whatever its format.

    Args:
        root: COCO layout or any COCO-format folder, YOLO labels (folder or its YAML file), Gen1 or 1Mpx
            recordings.
        options: arguments of CocoDetection, YoloDetection or Gen1Detection.

    Returns:
        The module; nothing large is read before it is used.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: its format is not known, or an option is not one of that module.

    Example:
        >>> from lampyris import data
        >>> module = data.open_folder(data.digits(), image_size=80, batch_size=4)
        >>> type(module).__name__, module.num_classes
        ('CocoDetection', 10)
    """
    from lampyris.data.coco_module import CocoDetection, YoloDetection
    from lampyris.data.gen1_module import Gen1Detection

    found = folder_format(root)
    if found == "cache":
        raise ValueError(f"data: {root} holds cached samples; open the data set itself with cache='shards'")
    kind = {"coco": CocoDetection, "yolo": YoloDetection, "gen1": Gen1Detection}[found]
    known = [*inspect.signature(kind).parameters][1:]
    wrong = sorted({*options} - {*known})
    if wrong:
        raise ValueError(f"data: {root} is read by {kind.__name__} with {', '.join(known)}; got {wrong[0]!r}")
    return kind(root, **options)

"""Where a COCO-format folder keeps its annotation files and images; the layouts in use are tried in order."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["SPLITS", "annotation_file", "annotation_files", "image_folder", "split_names"]

SPLITS = ("train", "val", "test")
_BESIDE_IMAGES = ("_annotations.coco.json", "annotations.json")  # in the folder of the images themselves
_OTHER_NAMES = {"val": ("val", "valid", "validation")}


def split_names(split: str) -> tuple[str, ...]:
    """Names that a split goes by: "val" is also "valid" and "validation"."""
    return _OTHER_NAMES.get(split, (split,))


def annotation_file(root: str | os.PathLike, split: str) -> Path:
    """The annotation file of a split: the first of these that exists.

    ``annotations/instances_<split>.json`` (or with a year, ``instances_train2017.json``),
    ``annotations/<split>.json``, ``<split>/_annotations.coco.json``, ``<split>/annotations.json``,
    ``<split>.json``; for "train" also a single ``_annotations.coco.json`` or ``annotations.json``.
    "val" may be called "valid" or "validation".

    Raises:
        FileNotFoundError: there is none.
        ValueError: there are several years.
    """
    folder = Path(root) / "annotations"
    exact = folder / f"instances_{split}.json"
    if exact.is_file():
        return exact
    found = sorted(
        p
        for p in folder.glob(f"instances_{split}*.json")
        if p.stem.removeprefix(f"instances_{split}").isdigit()
    )
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise ValueError(
            f"coco: {folder} must hold one file for split {split!r}, got {names}; name the split in full"
        )
    found += [path for path in _other_places(Path(root), split) if path.is_file()]
    if not found:
        raise FileNotFoundError(f"coco: {exact} must exist (or instances_{split}<year>.json), got none")
    return found[0]


def _other_places(root: Path, split: str) -> list[Path]:
    places = []
    for name in split_names(split):
        places += [root / "annotations" / f"instances_{name}.json", root / "annotations" / f"{name}.json"]
        places += [root / name / file for file in _BESIDE_IMAGES] + [root / f"{name}.json"]
    return places + ([root / file for file in _BESIDE_IMAGES] if split == "train" else [])


def annotation_files(root: str | os.PathLike) -> list[tuple[str, Path]]:
    """Every (split, annotation file) of a folder: all ``instances_*.json``, else one for each split."""
    root = Path(root)
    found = sorted((root / "annotations").glob("instances_*.json"))
    if found:
        return [(file.stem.removeprefix("instances_"), file) for file in found]
    files = []
    for split in SPLITS:
        try:
            files.append((split, annotation_file(root, split)))
        except FileNotFoundError:
            continue
    return files


def image_folder(root: str | os.PathLike, annotations: Path) -> Path:
    """Folder that ``file_name`` entries start from.

    The folder of the annotation file when it lies beside its images; else ``<root>/<name>``,
    ``<root>/images/<name>`` or ``<root>/images`` for ``instances_<name>.json`` or ``<name>.json``.

    Raises:
        FileNotFoundError: none of them exists.
    """
    root = Path(root)
    if annotations.name in _BESIDE_IMAGES:
        images = annotations.parent / "images"
        return images if annotations.parent == root and images.is_dir() else annotations.parent
    name = annotations.stem.removeprefix("instances_")
    for folder in (root / name, root / "images" / name, root / "images"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"coco: {root / name} or {root / 'images' / name} must be a folder of images, got neither"
    )

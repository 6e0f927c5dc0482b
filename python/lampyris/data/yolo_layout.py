"""Where a YOLO-format data set keeps its class names, images and label files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lampyris.data.coco_layout import SPLITS, split_names

__all__ = ["IMAGE_SUFFIXES", "YoloLayout", "label_file", "yolo_layout"]

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
NAME_FILES = ("classes.txt", "obj.names", "labels.txt")


@dataclass(frozen=True)
class YoloLayout:
    """``names`` by class number (None: not stated), images of each split that exists, sorted."""

    names: tuple[str, ...] | None
    images: dict[str, list[Path]]


def yolo_layout(root: str | os.PathLike) -> YoloLayout:
    """Find the parts of a YOLO-format data set.

    ``root`` is a folder or its YAML file (``path``, ``train``, ``val``, ``test``, ``names``). Without a
    YAML file: ``images/<split>`` with ``labels/<split>``, ``<split>/images`` with ``<split>/labels``, or
    ``images`` with ``labels`` (all of it is "train"), and names from ``classes.txt``.

    Raises:
        ValueError: the YAML file is broken or there are no images with labels.
    """
    root = Path(root)
    described = root if root.suffix in (".yaml", ".yml") else _yaml_of(root)
    if described is not None:
        return _described(described)
    images = {}
    for split in SPLITS:
        for name in split_names(split):
            for pictures, labels in (
                (root / "images" / name, root / "labels" / name),
                (root / name / "images", root / name / "labels"),
            ):
                if split not in images and pictures.is_dir() and labels.is_dir():
                    images[split] = _pictures(pictures)
    if not images and (root / "images").is_dir() and (root / "labels").is_dir():
        images["train"] = _pictures(root / "images")
    if not images:
        raise ValueError(
            f"yolo: {root} must hold a data.yaml, or images/<split> with labels/<split>, got neither"
        )
    return YoloLayout(_names_beside(root), images)


def label_file(image: Path) -> Path:
    """``.../labels/.../a.txt`` for ``.../images/.../a.jpg`` (the last such folder); else beside the image."""
    parts = list(image.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def _names_beside(root: Path) -> tuple[str, ...] | None:
    for name in NAME_FILES:
        if (root / name).is_file():
            lines = (root / name).read_text(encoding="utf-8", errors="replace").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
    return None


def _yaml_of(root: Path) -> Path | None:
    """``data.yaml``, ``dataset.yaml``, or the only YAML file of the folder that names classes."""
    for name in ("data.yaml", "dataset.yaml", "data.yml"):
        if (root / name).is_file():
            return root / name
    found = [path for path in sorted(root.glob("*.y*ml")) if b"names" in path.read_bytes()[:1_000_000]]
    return found[0] if len(found) == 1 else None


def _described(path: Path) -> YoloLayout:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"yolo: {path} must be YAML, got: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"yolo: {path} must be a map with train, val and names, got {str(content)[:60]!r}")
    base = path.parent / str(content.get("path") or "")
    if not base.is_dir():
        base = path.parent  # `path` is often relative to a folder of the original machine
    images = {}
    for split in SPLITS:
        places = next((content[name] for name in split_names(split) if content.get(name)), None)
        if places is not None:
            images[split] = [
                image for place in _listed(path, split, places) for image in _expand(path, base, place)
            ]
    if "train" not in images:
        raise ValueError(f"yolo: {path} must name the images of train, got {sorted(map(str, content))}")
    return YoloLayout(_names(path, content), images)


def _listed(path: Path, split: str, places: object) -> list[str]:
    places = places if isinstance(places, list) else [places]
    if not all(isinstance(place, str) for place in places):
        raise ValueError(f"yolo: {path}: {split} must be a folder, a list file or several, got {places!r}")
    return places


def _expand(path: Path, base: Path, place: str) -> list[Path]:
    """Images of one entry: a folder of images, or a text file with one image path a line."""
    # Exported sets write ../train/images although the folder lies beside the YAML file.
    for target in (base / place, path.parent / place, path.parent / place.removeprefix("../")):
        if target.is_dir():
            return _pictures(target)
        if target.is_file():
            lines = target.read_text(encoding="utf-8", errors="replace").splitlines()
            return [_line_path(target, base, line.strip()) for line in lines if line.strip()]
    raise ValueError(f"yolo: {path}: {base / place} must be a folder of images or a list, got neither")


def _line_path(listing: Path, base: Path, line: str) -> Path:
    return listing.parent / line if line.startswith("./") else base / line


def _names(path: Path, content: dict) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, dict) and {*names} == {*range(len(names))}:
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"yolo: {path}: names must list the classes 0..n-1, got {str(names)[:60]!r}")
    return tuple(str(name) for name in names)

"""Images, folders, videos and event recordings as inputs of a detector, and its detections drawn on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lampyris.data.letterboxing import letterbox

__all__ = ["IMAGES", "RECORDINGS", "VIDEOS", "Item", "images_of", "kind_of", "video_frames"]

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff", ".gif")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
RECORDINGS = (".dat", ".raw")


@dataclass(frozen=True)
class Item:
    """One input: name, picture uint8 [3, H, W] as it is, and the network's input with its placement."""

    name: str
    picture: Tensor
    input: Tensor
    place: Any


def kind_of(source: Path) -> str:
    """ "images", "video" or "events".

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: a file of another kind.
    """
    if not source.exists():
        raise FileNotFoundError(f"predict: {source} must exist, got no such file or folder")
    if source.is_dir() or source.suffix.lower() in IMAGES:
        return "images"
    if source.suffix.lower() in VIDEOS:
        return "video"
    if source.suffix.lower() in RECORDINGS:
        return "events"
    known = ", ".join((*IMAGES, *VIDEOS, *RECORDINGS))
    raise ValueError(f"predict: {source} must be a folder or end in {known}, got {source.suffix!r}")


def _item(name: str, picture: np.ndarray, size: tuple[int, int]) -> Item:
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)
    return Item(name, tensor, *letterbox(tensor, size))


def images_of(source: Path, size: tuple[int, int]) -> Iterator[Item]:
    """The image, or all images below a folder in order of their paths, letterboxed to ``size``.

    Raises:
        ValueError: a folder without images, or a file that cannot be decoded.
    """
    files = [source]
    if source.is_dir():
        files = sorted(p for p in source.rglob("*") if p.suffix.lower() in IMAGES)
        if not files:
            raise ValueError(f"predict: {source} must hold images ({', '.join(IMAGES)}), got none")
    for path in files:
        try:
            with Image.open(path) as picture:
                pixels = np.array(picture.convert("RGB"))
        except (OSError, SyntaxError, EOFError, ValueError, Image.DecompressionBombError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"predict: {path} must be a readable image, got: {reason}") from None
        name = str(path.relative_to(source)) if source.is_dir() else path.name
        yield _item(name, pixels, size)


def video_frames(source: Path, size: tuple[int, int]) -> Iterator[Item]:
    """The frames of a video, letterboxed to ``size``.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: the file cannot be decoded.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError(f"predict: {source} is a video, which needs PyAV: pip install av") from error
    try:
        with av.open(str(source)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                yield _item(f"frame_{number:06d}", frame.to_ndarray(format="rgb24"), size)
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError(f"predict: {source} must be a readable video, got: {error}") from None

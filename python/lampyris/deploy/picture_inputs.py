"""Inputs of a network from files: pictures, folders of pictures, numpy arrays. No torch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

__all__ = ["read_inputs"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")


def read_inputs(
    path: str | os.PathLike, shape: tuple[int, int, int], steps: int = 1, limit: int = 0
) -> np.ndarray:
    """uint8 [B, C, H, W], or [T, B, C, H, W] when `steps` = T > 1.

    Args:
        path: a picture, a folder of pictures (by name), or a .npy file with uint8 [(B,) C, H, W] or
            [T, (B,) C, H, W].
        shape: (C, H, W) of the network's input.
        steps: T of a sequence input, 1 for still images.
        limit: at most this many images; 0 takes all.

    Raises:
        FileNotFoundError: no such file. ValueError: not a picture or array of that shape.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"input {path} does not exist")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES)
        if not files:
            raise ValueError(f"input {path} must hold pictures ({', '.join(PICTURES)}), got none")
        files = files[: limit or None]
        images = np.stack([_picture(file, shape, steps) for file in files])
    elif path.suffix.lower() == ".npy":
        images = _array(path, shape, steps)
    else:
        images = _picture(path, shape, steps)[None]
    if limit:
        images = images[:limit] if steps == 1 else images[:, :limit]
    return images


def _picture(path: Path, shape: tuple[int, int, int], steps: int) -> np.ndarray:
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise ValueError(
            f"input {path}: pictures need pillow (`pip install pillow`), .npy files do not"
        ) from error

    channels, height, width = shape
    if steps != 1:
        raise ValueError(f"input {path}: the network reads {steps} steps, expected a .npy file [T, C, H, W]")
    if channels not in (1, 3):
        raise ValueError(
            f"input {path}: the network reads {channels} channels, expected a .npy file [C, H, W]"
        )
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"input {path} is not a readable picture: {str(error).splitlines()[0]}") from error
    if pixels.shape[:2] != (height, width):
        got = f"{pixels.shape[0]} x {pixels.shape[1]}"
        raise ValueError(f"input {path} must have {height} x {width} pixels, got {got}")
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def _array(path: Path, shape: tuple[int, int, int], steps: int) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"input {path} is not a readable .npy file: {error}") from error
    single = 3 if steps == 1 else 4
    lead = "" if steps == 1 else f"{steps}, "
    wanted = f"uint8 [{lead}(B,) {', '.join(map(str, shape))}]"
    if array.dtype != np.uint8 or array.ndim not in (single, single + 1) or array.shape[-3:] != tuple(shape):
        raise ValueError(f"input {path} must be {wanted}, got {array.dtype} {list(array.shape)}")
    if steps != 1 and array.shape[0] != steps:
        raise ValueError(f"input {path} must be {wanted}, got {array.dtype} {list(array.shape)}")
    return np.expand_dims(array, single - 3) if array.ndim == single else array

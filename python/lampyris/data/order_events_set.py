"""The order-only event set: what happens is the same for both classes, only its order differs."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lampyris.data.digits_set import MAX_OVERLAP, PLACEMENT_TRIES, SPLITS, digit_samples
from lampyris.data.event_file import write_dat
from lampyris.data.gen1 import LABEL_MAP
from lampyris.data.gen1_boxes import write_boxes
from lampyris.data.generated import generate_once
from lampyris.data.pictures import Box, digit_alpha, load_digit_bitmaps, overlap, tight_box

__all__ = ["CLASS_NAMES", "Recipe", "levels", "order_events"]

CLASS_NAMES = ("right", "left")
CONTRAST_THRESHOLD = 0.25  # log intensity per event
BIN_US, BINS, SUB_FRAMES = 50_000, 4, 4
LABEL_PERIOD_US = 250_000
SAMPLES_PER_FILE = 25


@dataclass(frozen=True)
class Recipe:
    """Everything the set depends on; lengths in pixels, contrast in log intensity."""

    seed: int = 0
    train: int = 1500
    val: int = 200
    test: int = 300
    size: int = 64
    scale: tuple[float, float] = (1.2, 1.8)
    slide: tuple[float, float] = (10.0, 17.0)
    drift: float = 2.0
    contrast: tuple[float, float] = (0.6, 1.2)
    max_digits: int = 2
    version: int = 1


@dataclass
class Sample:
    """Events sorted by time (us from the start of the window) and boxes of one label."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    polarity: np.ndarray
    boxes: list[Box]
    classes: list[int]


def order_events(
    root: str | os.PathLike | None = None,
    *,
    seed: int = 0,
    train: int = 1500,
    val: int = 200,
    test: int = 300,
) -> Path:
    """Generate the order-only event set (once) in Gen1 format and return its folder.

    64 x 64 pixels. In each 200 ms window one or two digits slide right (class 0) or left (class 1), by 10
    to 17 pixels, brighter or darker than the background at random; the box is the swept area. Playing a
    window backwards gives the other class with the opposite contrast and the same events per pixel and
    polarity, so the sum over time carries nothing about the class.

    Layout: ``{train,val,test}/order_NNNN_{td.dat,bbox.npy}``, 25 labels per recording, one each 250 ms.

    Args:
        root: folder to write; None: the cache (``cache_folder()``).
        seed: seed of every random choice.
        train, val, test: numbers of samples (labels). The splits share no digit sample.

    Returns:
        The folder, complete.

    Raises:
        ValueError: an argument out of range, or ``root`` holds something else.
        OSError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> folder = order_events(tempfile.mkdtemp(), train=2, val=1, test=1)
        >>> sorted(p.name for p in (folder / "train").iterdir())
        ['order_0001_bbox.npy', 'order_0001_td.dat']
    """
    for name, count in (("train", train), ("val", val), ("test", test)):
        if count < 1:
            raise ValueError(f"order_events: {name} must be at least 1, got {count}")
    if seed < 0:
        raise ValueError(f"order_events: seed must be at least 0, got {seed}")
    chosen = Recipe(seed=seed, train=train, val=val, test=test)
    content = asdict(chosen) | {"digits": {split: digit_samples(split).tolist() for split in SPLITS}}
    return generate_once("order-events", content, lambda folder: _write(folder, chosen), root)


def _write(folder: Path, chosen: Recipe) -> None:
    digits = load_digit_bitmaps()
    (folder / LABEL_MAP).write_text(json.dumps({str(k): name for k, name in enumerate(CLASS_NAMES)}))
    for number, split in enumerate(SPLITS):
        (folder / split).mkdir()
        count = getattr(chosen, split)
        for first in range(0, count, SAMPLES_PER_FILE):
            samples = []
            for index in range(first, min(first + SAMPLES_PER_FILE, count)):
                rng = np.random.default_rng([chosen.seed, number, index])
                samples.append(draw(chosen, digits.bitmaps[digit_samples(split)], rng))
            _write_recording(
                folder / split / f"order_{first // SAMPLES_PER_FILE + 1:04d}", samples, chosen.size
            )


def _write_recording(stem: Path, samples: list[Sample], size: int) -> None:
    ends = LABEL_PERIOD_US * np.arange(1, len(samples) + 1)
    starts = ends - BIN_US * BINS
    t = np.concatenate([start + sample.t for start, sample in zip(starts, samples, strict=True)])
    x, y, polarity = (np.concatenate([getattr(s, name) for s in samples]) for name in ("x", "y", "polarity"))
    write_dat(f"{stem}_td.dat", t, x, y, polarity, (size, size))
    boxes = [box for sample in samples for box in sample.boxes]
    xywh = [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes]
    times = np.repeat(ends, [len(sample.boxes) for sample in samples])
    write_boxes(f"{stem}_bbox.npy", times, xywh, [c for sample in samples for c in sample.classes])


def draw(chosen: Recipe, bitmaps: np.ndarray, rng: np.random.Generator) -> Sample:
    """One window of events: digits of ``bitmaps`` [N, 10, 10] slide, the pixel levels' steps are events."""
    steps = BINS * SUB_FRAMES
    log_intensity = np.zeros((steps + 1, chosen.size, chosen.size), np.float32)
    boxes: list[Box] = []
    classes: list[int] = []
    for _ in range(int(rng.integers(1, chosen.max_digits + 1))):
        scale = np.exp(rng.uniform(*np.log(chosen.scale)))
        alpha = digit_alpha(bitmaps[rng.integers(len(bitmaps))], round(10 * scale), round(10 * scale))
        contrast = rng.uniform(*chosen.contrast) * rng.choice([-1, 1])
        slide, drift = rng.uniform(*chosen.slide), rng.uniform(-chosen.drift, chosen.drift)
        backwards = int(rng.integers(2))
        for _ in range(PLACEMENT_TRIES):
            x = rng.uniform(0, chosen.size - alpha.shape[1] - slide - 1)
            y = rng.uniform(abs(drift), chosen.size - alpha.shape[0] - abs(drift) - 1)
            frames = sweep(alpha, x, y, slide, drift, steps, chosen.size)
            box = tight_box(frames.max(0))
            if box is not None and all(overlap(box, other) <= MAX_OVERLAP for other in boxes):
                log_intensity += np.float32(contrast) * (frames[::-1] if backwards else frames)
                boxes.append(box)
                classes.append(backwards)
                break
    return Sample(*_events(levels(log_intensity), rng), boxes, classes)


def sweep(
    alpha: np.ndarray, x: float, y: float, slide: float, drift: float, steps: int, size: int
) -> np.ndarray:
    """Mask [h, w] moved evenly from (x, y) by (slide, drift): float32 [steps + 1, size, size]."""
    height, width = alpha.shape
    frames = np.zeros((steps + 1, size, size), np.float32)
    for step in range(steps + 1):
        left, top = x + slide * step / steps, y + drift * step / steps
        column, row = int(left), int(top)
        fx, fy = np.float32(left - column), np.float32(top - row)
        across = np.zeros((height, width + 1), np.float32)
        across[:, :-1] = (1 - fx) * alpha
        across[:, 1:] += fx * alpha
        window = frames[step, row : row + height + 1, column : column + width + 1]
        window[:-1] = (1 - fy) * across
        window[1:] += fy * across
    return frames


def levels(log_intensity: np.ndarray) -> np.ndarray:
    """Level of an ideal event pixel, int64: it sends one event per step of 0.25 in log intensity.

    Rounding to the nearest level has no memory: the events of a sequence played backwards are the same
    ones with opposite polarity. (A pixel with hysteresis would leave a trace of the order in the sum.)
    """
    return np.rint(log_intensity / CONTRAST_THRESHOLD).astype(np.int64)


def _events(level: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Columns t, x, y, polarity: |step| events of a pixel spread over each sub-frame."""
    length = BIN_US // SUB_FRAMES
    change = np.diff(level, axis=0)
    step, y, x = np.nonzero(change)
    change = change[step, y, x]
    repeats = np.abs(change)
    pick = np.repeat(np.arange(len(change)), repeats)
    rank = np.arange(len(pick)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    within = (rank + rng.random(len(pick))) / repeats[pick]
    t = step[pick] * length + np.floor(within * length).astype(np.int64)
    order = np.argsort(t, kind="stable")
    pick = pick[order]
    return t[order], x[pick], y[pick], (change[pick] > 0).astype(np.int64)

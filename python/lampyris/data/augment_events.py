"""Augmentation of event samples, on the events and on frames; a function of (seed, epoch, index)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from lampyris.data.detection_set import DetectionSet, Target

__all__ = ["Columns", "EventAugment"]

GEOMETRY_STREAM, EVENT_STREAM = 2, 3  # own streams of random numbers
SMALLEST_SIDE = 2.0  # pixels; what is left of a box must be larger
SMALLEST_PART = 0.1  # of a box's area that must stay visible

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # t, x, y, polarity


@dataclass(frozen=True)
class EventAugment:
    """Random changes of training windows; all off by default.

    ``zoom`` works on frames, also cached ones: nearest pixels, no value is mixed. ``drop``, ``jitter_us`` and
    ``noise`` work on the events of the window, so they need ``cache="none"``.

    Args:
        zoom: smallest and largest factor (log-uniform): above 1 a random part is enlarged, below 1 the frame
            is shrunk into a random place.
        drop: each sample loses a part of its events, uniform in 0 .. drop.
        jitter_us: standard deviation added to event times, us; the window is not left.
        noise: stray events per pixel and second.

    Example:
        >>> EventAugment(zoom=(1.0, 1.5)).needs_events, EventAugment(drop=0.2).needs_events
        (False, True)
    """

    zoom: tuple[float, float] = (1.0, 1.0)
    drop: float = 0.0
    jitter_us: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if len(self.zoom) != 2 or not 0.1 <= self.zoom[0] <= self.zoom[1] <= 10.0:
            raise ValueError(f"data: zoom must be two factors in 0.1..10, ascending, got {self.zoom}")
        if not 0.0 <= self.drop < 1.0:
            raise ValueError(f"data: drop must be at least 0 and below 1, got {self.drop}")
        if not (0.0 <= self.jitter_us <= 1e6 and 0.0 <= self.noise <= 1e4):
            raise ValueError(
                f"data: jitter_us must be 0..1e6 and noise 0..1e4, got {self.jitter_us}, {self.noise}"
            )

    @property
    def needs_events(self) -> bool:
        """Whether frames alone do not suffice."""
        return any((self.drop, self.jitter_us, self.noise))

    @property
    def changes(self) -> bool:
        """Whether anything is switched on."""
        return self.needs_events or tuple(self.zoom) != (1.0, 1.0)

    def __call__(self, dataset: DetectionSet, index: int, epoch: int) -> tuple[torch.Tensor, Target]:
        """The sample ``index`` of ``dataset`` as epoch ``epoch`` sees it."""
        if self.needs_events:
            rng = np.random.default_rng([dataset.seed, epoch, index, EVENT_STREAM])
            sample, target = dataset.source.load(index, lambda *window: self.alter(rng, *window))
        else:
            sample, target = dataset.read(index)
        if tuple(self.zoom) == (1.0, 1.0):
            return sample, target
        rng = np.random.default_rng([dataset.seed, epoch, index, GEOMETRY_STREAM])
        factor = float(np.exp(rng.uniform(*np.log(self.zoom))))
        return zoomed(sample, target, factor, rng.random(2).tolist(), dataset.source.background)

    def alter(
        self, rng: np.random.Generator, events: Columns, start_us: int, end_us: int, size: tuple[int, int]
    ) -> Columns:
        """Drop, move and add events of the window [start_us, end_us) on a sensor of ``size``; sorted."""
        t, x, y, polarity = events
        t = t.astype(np.int64)
        if self.drop:
            keep = rng.random(len(t)) >= rng.uniform(0, self.drop)
            t, x, y, polarity = t[keep], x[keep], y[keep], polarity[keep]
        if self.jitter_us:
            t = t + np.rint(rng.normal(0, self.jitter_us, len(t))).astype(np.int64)
            t = np.clip(t, start_us, end_us - 1)
        if self.noise:
            count = rng.poisson(self.noise * size[0] * size[1] * (end_us - start_us) / 1e6)
            stray = [
                rng.integers(*limits, count)
                for limits in ((start_us, end_us), (0, size[1]), (0, size[0]), (0, 2))
            ]
            t, x, y, polarity = (
                np.concatenate([column, extra.astype(column.dtype)])
                for column, extra in zip((t, x, y, polarity), stray, strict=True)
            )
        order = _time_order(t, start_us)
        return t[order], x[order], y[order], polarity[order]


def _time_order(t: np.ndarray, start_us: int) -> np.ndarray:
    """Stable order of times: they and the places in one number, which NumPy sorts as vectors."""
    bits = max(len(t) - 1, 1).bit_length()
    keys = (t - start_us) << bits
    keys |= np.arange(len(t))
    keys.sort()
    return keys & ((1 << bits) - 1)


def zoomed(
    sample: torch.Tensor, target: Target, factor: float, place: list[float], background: int
) -> tuple[torch.Tensor, Target]:
    """Sample [..., H, W] scaled by ``factor``, nearest pixels; ``place`` in 0..1 chooses part or position.

    Example:
        >>> frame = torch.tensor([[[1, 2], [3, 4]]], dtype=torch.uint8)
        >>> none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
        >>> zoomed(frame, none, 2.0, [1.0, 0.0], 0)[0].tolist()
        [[[3, 3], [3, 3]]]
    """
    height, width = sample.shape[-2:]
    (rows, top, y0), (columns, left, x0) = _lines(height, factor, place[0]), _lines(width, factor, place[1])
    taken = np.full(sample.shape, background, np.uint8)
    part = sample.numpy().take(rows, axis=-2).take(columns, axis=-1)
    taken[..., top : top + len(rows), left : left + len(columns)] = part
    boxes = target["boxes"]
    moved = (boxes - boxes.new_tensor([x0, y0] * 2)) * factor
    clipped = moved.clamp(min=0).minimum(boxes.new_tensor([width, height] * 2))
    box_w, box_h = (clipped[:, 2:] - clipped[:, :2]).unbind(1)
    part = box_w * box_h / (moved[:, 2:] - moved[:, :2]).clamp(min=1e-6).prod(1)
    keep = (box_w > SMALLEST_SIDE) & (box_h > SMALLEST_SIDE) & (part > SMALLEST_PART)
    kept = {key: value[keep] for key, value in target.items() if isinstance(value, torch.Tensor)}
    return torch.from_numpy(taken), {**target, **kept, "boxes": clipped[keep]}


def _lines(side: int, factor: float, place: float) -> tuple[np.ndarray, int, float]:
    """Of one axis: lines of the sample that are seen, the first line they go to, the start in the sample."""
    start = place * (side - side / factor)
    line = np.floor((np.arange(side) + 0.5) / factor + start).astype(np.int64)
    inside = np.flatnonzero((line >= 0) & (line < side))
    return line[inside], int(inside[0]) if len(inside) else 0, start

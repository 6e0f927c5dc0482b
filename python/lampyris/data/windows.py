"""Raw events before each label of a Gen1-format folder, for networks that read events and not frames."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lampyris.data.gen1 import BoxFilter, Gen1Folder

__all__ = ["EventBatch", "EventWindow", "batch_events", "event_windows"]


@dataclass
class EventWindow:
    """The events before one label, in order of time.

    Attributes:
        x, y: pixels [n] int64.
        t: microseconds [n] int64 from the start of the window.
        polarity: [n] int64, 1 brighter, 0 darker.
        boxes: xyxy pixels [m, 4] float32.
        labels: [m] int64.
        seen: events of the window before any were left out.
    """

    x: Tensor
    y: Tensor
    t: Tensor
    polarity: Tensor
    boxes: Tensor
    labels: Tensor
    seen: int

    def __len__(self) -> int:
        return len(self.t)


@dataclass
class EventBatch:
    """Windows one after the other.

    Attributes:
        x, y, t, polarity: [E] as in `EventWindow`.
        recording_ptr: [B + 1], the events of window b are recording_ptr[b] to recording_ptr[b + 1].
        targets: boxes and labels of each window.
    """

    x: Tensor
    y: Tensor
    t: Tensor
    polarity: Tensor
    recording_ptr: Tensor
    targets: list[dict[str, Tensor]]


def event_windows(
    root: str | os.PathLike,
    split: str,
    *,
    window_us: int = 200_000,
    max_events: int | None = None,
    limit: int | None = None,
    boxes: BoxFilter | None = None,
    seed: int = 0,
) -> list[EventWindow]:
    """Read the ``window_us`` before every label of a split; nothing at or after the label is seen.

    Args:
        root, split: as for `Gen1Folder`.
        window_us: length of a window.
        max_events: at most this many of a window, drawn evenly without replacement; None: all.
        limit: the first so many labels; None: all.
        boxes: which boxes count.
        seed: of the draw.

    Returns:
        One window for each label time, in the order of the folder.

    Raises:
        ValueError: an argument below 1, or a broken file.
        FileNotFoundError: no such folder.

    Example:
        >>> from lampyris import data
        >>> window = event_windows(data.order_events(), "val", max_events=100, limit=1)[0]
        >>> len(window), bool((window.t.diff() >= 0).all()), window.boxes.shape[1]
        (100, True, 4)
    """
    for name, value in (("window_us", window_us), ("max_events", max_events), ("limit", limit)):
        if value is not None and value < 1:
            raise ValueError(f"event_windows: {name} must be >= 1, got {value}")
    folder = Gen1Folder(root, split, boxes)
    out = []
    for number, label in enumerate(folder.labels[:limit]):
        t, x, y, polarity = folder.files[label.recording].window(label.t - window_us, label.t)
        seen = len(t)
        chosen = slice(None)
        if max_events is not None and seen > max_events:
            rng = np.random.default_rng([seed, number])
            chosen = np.sort(rng.choice(seen, max_events, replace=False))
        columns = [torch.from_numpy(values[chosen].astype(np.int64)) for values in (x, y, t, polarity)]
        columns[2] -= label.t - window_us
        out.append(
            EventWindow(*columns, torch.from_numpy(label.boxes), torch.from_numpy(label.classes), seen)
        )
    return out


def batch_events(windows: list[EventWindow]) -> EventBatch:
    """Put windows one after the other.

    Example:
        >>> from lampyris import data
        >>> windows = event_windows(data.order_events(), "val", max_events=10, limit=3)
        >>> batch_events(windows).recording_ptr.tolist()
        [0, 10, 20, 30]
    """
    sizes = torch.tensor([0, *(len(window) for window in windows)])
    columns = [torch.cat([getattr(w, name) for w in windows]) for name in ("x", "y", "t", "polarity")]
    targets = [{"boxes": window.boxes, "labels": window.labels} for window in windows]
    return EventBatch(*columns, sizes.cumsum(0), targets)

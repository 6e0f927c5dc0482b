"""Any data set of (events, target) pairs, as those of tonic, through the detectors' data module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from lampyris.data.augment_events import Columns, EventAugment
from lampyris.data.detection_module import DetectionModule
from lampyris.data.detection_set import Target
from lampyris.data.gen1_boxes import boxes_of
from lampyris.data.representations import Representation, bin_events
from lampyris.data.representations import representation as describe

__all__ = ["EventPairs", "EventPairsDetection"]

Labels = tuple[int, np.ndarray, np.ndarray]  # time (us), boxes xyxy [n, 4], classes [n]


class EventPairs:
    """Source of a DetectionSet over a sequence of (events, target) pairs; tonic itself is not needed.

    Events are a structured array with fields t (us), x, y, p, sorted by time. The target is a structured
    array of boxes (Gen1 or 1Mpx names; one sample per label time), or a class number: then the sample ends
    behind the last event, and its box is the extent of the window's events. Every pair is read once here to
    find the labels.

    Args:
        pairs: the data set. size: height and width of the sensor. classes: number of classes.
        time_steps, window_us, representation: as in Gen1Detection.
        labels: function (events, target) -> list of (time us, boxes xyxy, classes) instead of the above.

    Raises:
        ValueError: events or a target of another form, a class out of range; names the pair.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[np.ndarray, Any]],
        size: tuple[int, int],
        classes: int,
        time_steps: int,
        window_us: int,
        representation: Representation | None = None,
        labels: Callable[[np.ndarray, Any], list[Labels]] | None = None,
    ) -> None:
        self.pairs = pairs
        self.size = size
        self.time_steps = time_steps
        self.window_us = window_us
        self.representation = representation or Representation()
        self.sample_shape = (time_steps, self.representation.channels, *size)
        self.labels: list[tuple[int, Labels]] = []
        for number in range(len(pairs)):
            events, target = pairs[number]
            _columns(events, number)
            found = labels(events, target) if labels else self._labels(events, target, number, classes)
            for t, boxes, kinds in found:
                boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
                kinds = np.asarray(kinds, np.int64).reshape(-1)
                if len(boxes) != len(kinds) or (len(kinds) and not 0 <= kinds.min() <= kinds.max() < classes):
                    raise ValueError(
                        f"events: pair {number}: labels must be boxes [n, 4], classes below {classes} [n], "
                        "got "
                        f"{len(boxes)} boxes and classes {kinds.tolist()[:8]}"
                    )
                self.labels.append((number, (int(t), boxes, kinds)))
        if not self.labels:
            raise ValueError(f"events: the data set must hold labels, got none in {len(pairs)} pairs")

    def _labels(self, events: np.ndarray, target: Any, number: int, classes: int) -> list[Labels]:
        if getattr(getattr(target, "dtype", None), "names", None):
            table = boxes_of(target, f"pair {number}", classes)
            boxes = table.clamped(self.size)
            keep = (boxes[:, 2:] > boxes[:, :2]).all(1)
            t = table.t[keep]
            return [
                (int(time), boxes[keep][t == time], table.class_id[keep][t == time]) for time in np.unique(t)
            ]
        if not isinstance(target, (int, np.integer)):
            raise ValueError(
                f"events: pair {number}: target must be boxes (ts or t, x, y, w, h, class_id) or a class "
                f"number, got {type(target).__name__}; give labels="
            )
        if not len(events):
            return []
        end = int(events["t"][-1]) + 1
        window = events[events["t"] >= end - self.window_us]
        corners = [window["x"].min(), window["y"].min(), window["x"].max() + 1, window["y"].max() + 1]
        return [(end, np.array([corners], np.float32), np.array([target], np.int64))]

    @property
    def background(self) -> int:
        """Value of a pixel without events."""
        return self.representation.background

    def __len__(self) -> int:
        return len(self.labels)

    def recipe(self) -> dict:
        """Refuses: nothing names the content of a sequence."""
        raise ValueError('events: pairs have no name to cache by; use cache "memory", "none" or "auto"')

    def load(self, index: int, alter: Callable | None = None) -> tuple[torch.Tensor, Target]:
        """Sample uint8 [T, C, H, W] and target of one label; image_id is the index."""
        number, (end, boxes, classes) = self.labels[index]
        events = _columns(self.pairs[number][0], number)
        start = end - self.window_us
        if alter is not None:
            first, last = np.searchsorted(events[0], [start, end])
            events = alter(tuple(column[first:last] for column in events), max(start, 0), end, self.size)
        frames = bin_events(
            *events,
            end_us=end,
            window_us=self.window_us,
            time_steps=self.time_steps,
            size=self.size,
            representation=self.representation,
            name=f"pair {number}",
        )
        target: Target = {"boxes": torch.from_numpy(boxes), "labels": torch.from_numpy(classes)}
        target |= {"image_id": index, "t": torch.full((len(boxes),), end)}
        return torch.from_numpy(frames), target


def _columns(events: Any, number: int) -> Columns:
    names = getattr(getattr(events, "dtype", None), "names", None) or ()
    if not {"t", "x", "y", "p"} <= {*names}:
        got = ", ".join(names) or type(events).__name__
        raise ValueError(f"events: pair {number}: events must have fields t, x, y, p, got {got}")
    return events["t"].astype(np.int64), events["x"], events["y"], events["p"]


class EventPairsDetection(DetectionModule):
    """Batches of frames uint8 [T, B, C, H, W] from tonic data sets, or any (events, target) sequences.

    Args:
        train, val, test: the splits; test None: val.
        class_names: names by class number.
        size: height and width of the sensor; None: ``train.sensor_size`` (tonic: width, height, polarities).
        labels: see EventPairs.
        time_steps, window_us, representation, batch_size, num_workers, cache, horizontal_flip, augment, seed:
            as in Gen1Detection.

    Example:
        >>> import numpy as np
        >>> events = np.array([(10, 1, 2, 1), (90, 3, 4, 0)],
        ...                   [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
        >>> module = EventPairsDetection([(events, 1)], [(events, 0)], class_names=("a", "b"), size=(8, 8),
        ...                              time_steps=2, window_us=100, batch_size=1)
        >>> frames, targets = next(iter(module.train_dataloader()))
        >>> tuple(frames.shape), targets[0]["boxes"].tolist(), targets[0]["labels"].tolist()
        ((2, 1, 2, 8, 8), [[1.0, 2.0, 4.0, 5.0]], [1])
    """

    batch_dim = 1

    def __init__(
        self,
        train: Sequence,
        val: Sequence,
        test: Sequence | None = None,
        *,
        class_names: Sequence[str],
        size: tuple[int, int] | None = None,
        labels: Callable[[np.ndarray, Any], list[Labels]] | None = None,
        time_steps: int = 4,
        window_us: int = 200_000,
        representation: str | Representation = "counts",
        batch_size: int = 16,
        num_workers: int = 0,
        cache: str = "auto",
        horizontal_flip: float = 0.0,
        augment: EventAugment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, cache, horizontal_flip, seed, augment)
        stated = getattr(train, "sensor_size", None)
        if size is None and stated is None:
            raise ValueError("events: size must be given where the data set states no sensor_size, got None")
        self._size = tuple(size) if size is not None else (int(stated[1]), int(stated[0]))
        self._pairs = {"train": train, "val": val, "test": val if test is None else test}
        self._names = tuple(class_names)
        self._read_labels = labels
        self.time_steps = time_steps
        self.window_us = window_us
        self.representation = describe(representation)
        self.in_channels = self.representation.channels
        self.input_exponent = self.representation.input_exponent

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class number."""
        return self._names

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the sensor, pixels."""
        return self._size

    def source(self, split: str) -> EventPairs:
        """Reader of one split."""
        frames = (self.time_steps, self.window_us, self.representation, self._read_labels)
        return EventPairs(self._pairs[split], self._size, len(self._names), *frames)

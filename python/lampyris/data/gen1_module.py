"""DataModules over Gen1-format folders."""

from __future__ import annotations

import os
from pathlib import Path

from lampyris.data.augment_events import EventAugment
from lampyris.data.detection_module import DetectionModule, pair
from lampyris.data.gen1 import BoxFilter, Gen1Folder, class_names
from lampyris.data.gen1_source import Gen1Source
from lampyris.data.order_events_set import CLASS_NAMES, order_events
from lampyris.data.representations import representation as describe

__all__ = ["Gen1Detection", "OrderEventsDetection"]


class Gen1Detection(DetectionModule):
    """Batches of any Gen1-format folder: frames uint8 [T, B, C, H, W], one sample per label time.

    The window [t - window_us, t) ends at the label, so nothing from its future is seen. By default channel 0
    counts darker, channel 1 brighter events; see ``data.representation`` for the others.

    Args:
        root: folder with ``train/``, ``val/``, ``test/``, each with ``*_td.dat`` and ``*_bbox.npy``.
        time_steps: number of bins T.
        window_us: length of the window, a multiple of T (Gen1 practice: 50 ms a bin).
        image_size: height and width; None: the sensor's.
        batch_size: samples per batch.
        num_workers: loader processes.
        cache: "memory", "none", "shards" (on disk) or "auto" (memory when all frames fit 1 GiB).
        horizontal_flip: probability of mirrored training samples.
        min_diagonal, min_side, skip_us: boxes that count, see BoxFilter.
        seed: seed of order and flips.
        representation: name of the frames' content. parts, cutoff, tau_us: its parameters; None: the usual.
        fit: "pad" to image_size (at least the sensor's) or "stretch", as the published runs do.
        augment: zoom, drop, jitter and noise for training; None: none.
        cache_folder: where ``cache="shards"`` writes; None: the cache.

    Example:
        >>> from lampyris import data
        >>> module = data.Gen1Detection(data.order_events(), time_steps=4, batch_size=8)
        >>> frames, targets = next(iter(module.val_dataloader()))
        >>> tuple(frames.shape), len(targets), module.class_names
        ((4, 8, 2, 64, 64), 8, ('right', 'left'))
    """

    batch_dim = 1

    def __init__(
        self,
        root: str | os.PathLike,
        time_steps: int = 4,
        window_us: int = 200_000,
        image_size: int | tuple[int, int] | None = None,
        batch_size: int = 16,
        num_workers: int = 0,
        cache: str = "auto",
        horizontal_flip: float = 0.0,
        min_diagonal: float = 0.0,
        min_side: float = 0.0,
        skip_us: int = -1,
        seed: int = 0,
        representation: str = "counts",
        parts: int | None = None,
        cutoff: int | None = None,
        tau_us: float | None = None,
        fit: str = "pad",
        augment: EventAugment | None = None,
        cache_folder: str | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers, cache, horizontal_flip, seed, augment, cache_folder)
        self.representation = describe(representation, parts, cutoff, tau_us)
        self.in_channels = self.representation.channels
        self.input_exponent = self.representation.input_exponent
        self.fit = fit
        if time_steps < 1 or window_us < 1 or window_us % time_steps:
            raise ValueError(
                f"data: window_us must be a positive multiple of time_steps, got {window_us}, {time_steps}"
            )
        self.root = Path(root)
        self.time_steps = time_steps
        self.window_us = window_us
        self.boxes = BoxFilter(min_diagonal, min_side, skip_us)
        self._wanted_size = None if image_size is None else pair(image_size)
        self._folders: dict[str, Gen1Folder] = {}

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the frames; without a wish, the sensor's (reads the validation split)."""
        return self._wanted_size or self.folder("val").size

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class number."""
        return class_names(self.root)

    def splits(self) -> tuple[str, ...]:
        """The splits that have a folder."""
        return tuple(split for split in ("train", "val", "test") if (self.root / split).is_dir())

    def folder(self, split: str) -> Gen1Folder:
        """Recordings and labels of a split, read on first use."""
        if split not in self._folders:
            self._folders[split] = Gen1Folder(self.root, split, self.boxes)
        return self._folders[split]

    def source(self, split: str) -> Gen1Source:
        """Reader of one split."""
        frames = (self.time_steps, self.window_us, self._wanted_size, self.representation, self.fit)
        return Gen1Source(self.folder(split), *frames)


class OrderEventsDetection(Gen1Detection):
    """The generated order-only set (see ``data.order_events``), written to the cache on first use.

    With ``time_steps=1`` a sample is the sum over the window, which says nothing about the class.

    Args:
        root: folder of the set; None: the cache.
        time_steps: bins T that divide the 200 ms window.
        batch_size, num_workers, cache, seed, representation, augment: as in Gen1Detection.
        data_seed: seed of the generation.
        train, val, test: numbers of samples.

    Example:
        >>> from lampyris import data
        >>> frames, targets = next(iter(data.OrderEventsDetection().train_dataloader()))
        >>> tuple(frames.shape)
        (4, 16, 2, 64, 64)
    """

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        time_steps: int = 4,
        batch_size: int = 16,
        num_workers: int = 0,
        cache: str = "memory",
        seed: int = 0,
        data_seed: int = 0,
        train: int = 1500,
        val: int = 200,
        test: int = 300,
        representation: str = "counts",
        augment: EventAugment | None = None,
    ) -> None:
        options = {"seed": seed, "representation": representation, "augment": augment}
        super().__init__("", time_steps, 200_000, 64, batch_size, num_workers, cache, **options)
        self._wanted = {"root": root, "seed": data_seed, "train": train, "val": val, "test": test}
        self._ready = False

    def prepare_data(self) -> None:
        """Generate the set unless it is there."""
        self.root = order_events(**self._wanted)
        self._ready = True
        super().prepare_data()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The two orders."""
        return CLASS_NAMES

    def folder(self, split: str) -> Gen1Folder:
        """Recordings and labels of a split; generates the set when needed."""
        if not self._ready:
            self.prepare_data()
        return super().folder(split)

"""What the detection DataModules share: cached data sets, loaders, batches."""

from __future__ import annotations

import os
from functools import partial

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from lampyris.data.detection_set import CACHES, Augment, DetectionSet, Source, collate
from lampyris.data.sampler import EpochSampler, ResumableLoader
from lampyris.data.shards import ShardedSamples

__all__ = ["DetectionModule"]


class DetectionModule(LightningDataModule):
    """Base of the DataModules: subclasses say how to read a split (``source``) and describe the samples.

    A batch is (inputs, targets): inputs uint8 [B, C, H, W] or [T, B, C, H, W], targets a list of B
    dictionaries with "boxes" float32 [n, 4] xyxy pixels, "labels" int64 [n], "image_id" int.

    Attributes:
        class_names, num_classes, in_channels, image_size (height, width), time_steps (1 for images),
        input_exponent p: the real value of an input is ``value * 2**-p``.
    """

    in_channels: int
    time_steps = 1
    input_exponent: int
    batch_dim = 0

    def __init__(
        self,
        batch_size: int,
        num_workers: int,
        cache: str,
        horizontal_flip: float,
        seed: int,
        augment: Augment | None = None,
        cache_folder: str | os.PathLike | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data: batch_size must be at least 1, got {batch_size}")
        if num_workers < 0:
            raise ValueError(f"data: num_workers must be at least 0, got {num_workers}")
        if seed < 0:
            raise ValueError(f"data: seed must be at least 0, got {seed}")
        if cache not in CACHES:
            raise ValueError(f"data: cache must be one of {', '.join(CACHES)}, got {cache!r}")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.cache = cache
        self.horizontal_flip = horizontal_flip
        self.seed = seed
        self.augment = augment
        self.cache_folder = cache_folder
        self._sets: dict[str, DetectionSet] = {}

    def splits(self) -> tuple[str, ...]:
        """The splits that differ: "test" is left out where it is the validation split."""
        return ("train", "val", "test")

    def source(self, split: str) -> Source:
        """Reader of "train", "val" or "test"."""
        raise NotImplementedError

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class number."""
        raise NotImplementedError

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the samples, pixels."""
        raise NotImplementedError

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def dataset(self, split: str) -> DetectionSet:
        """The data set of "train", "val" or "test", read on first use."""
        if split not in self._sets:
            train = split == "train"
            flip, augment = (self.horizontal_flip, self.augment) if train else (0.0, None)
            source = self.source(split)
            shards = None
            if self.cache == "shards":
                shards = ShardedSamples(source, self.cache_folder)
                if shards.missing():
                    shards.write(workers=self.num_workers)
            self._sets[split] = DetectionSet(source, self.cache, flip, self.seed, augment, shards)
        return self._sets[split]

    def prepare_data(self) -> None:
        """Write missing shards of training and validation, in one process of each host."""
        if self.cache == "shards":
            for split in ("train", "val"):
                self.dataset(split)

    def closing_epoch(self, batches: int) -> int | None:
        """First epoch without mosaic: ``augment.close_mosaic`` before the trainer's last; None: unknown."""
        close, trainer = getattr(self.augment, "close_mosaic", 0), self.trainer
        if not close or trainer is None:
            return None
        epochs = trainer.max_epochs if trainer.max_epochs is not None else -1
        if trainer.max_steps is not None and trainer.max_steps > 0:
            by_steps = -(-trainer.max_steps * trainer.accumulate_grad_batches // max(batches, 1))
            epochs = by_steps if epochs < 1 else min(epochs, by_steps)
        return max(epochs - close, 0) if epochs >= 1 else None

    def setup(self, stage: str | None = None) -> None:
        """Read what a stage needs, so that defects show before the first step."""
        for split in {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage, ()):
            self.dataset(split)

    def train_dataloader(self) -> DataLoader:
        """Shuffled batches; an incomplete last batch is dropped when there is a full one."""
        dataset = self.dataset("train")
        loader = ResumableLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=EpochSampler(dataset, self.seed),
            num_workers=self.num_workers,
            collate_fn=partial(collate, batch_dim=self.batch_dim),
            drop_last=len(dataset) >= self.batch_size,
            generator=_own_generator(self.seed),
            persistent_workers=self.num_workers > 0,
        )
        dataset.closing_epoch = self.closing_epoch(len(loader))
        return loader

    def val_dataloader(self) -> DataLoader:
        """Batches of the validation split, in order."""
        return self._in_order("val")

    def test_dataloader(self) -> DataLoader:
        """Batches of the test split, in order."""
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader:
        """Batches of the test split, in order."""
        return self._in_order("test")

    def _in_order(self, split: str) -> DataLoader:
        return DataLoader(
            self.dataset(split),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=partial(collate, batch_dim=self.batch_dim),
            generator=_own_generator(self.seed),
        )


def _own_generator(seed: int) -> torch.Generator:
    """Starting a loader draws a number: not from the global generator, whose state a resumed run restores."""
    return torch.Generator().manual_seed(seed)


def pair(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    """Height and width from one number or two, at least 1 each."""
    sizes = (size, size) if isinstance(size, int) else tuple(size)
    if len(sizes) != 2 or not all(isinstance(n, int) and n >= 1 for n in sizes):
        raise ValueError(f"data: image_size must be one or two positive integers, got {size!r}")
    return sizes

"""A torch data set of (sample, target) pairs over any source of detection samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as F

if TYPE_CHECKING:
    from lampyris.data.shards import ShardedSamples

__all__ = ["CACHES", "Augment", "DetectionSet", "Source", "Target", "collate"]

Target = dict[str, torch.Tensor | int]

AUTO_CACHE_BYTES = 1 << 30
CACHES = ("memory", "none", "auto", "shards")


class Source(Protocol):
    """What a format reader offers: samples of one shape, each with boxes."""

    sample_shape: tuple[int, ...]
    background: int

    def __len__(self) -> int: ...

    def load(self, index: int) -> tuple[torch.Tensor, Target]:
        """Sample uint8 [*sample_shape] (width last) and its target."""

    def recipe(self) -> dict:
        """Everything the samples depend on, as JSON values: names a cache of them."""


class Augment(Protocol):
    """Random changes of training samples; sees the whole set (a mosaic takes four images)."""

    needs_events: bool

    @property
    def changes(self) -> bool: ...

    def __call__(self, dataset: DetectionSet, index: int, epoch: int) -> tuple[torch.Tensor, Target]: ...


class DetectionSet(Dataset):
    """Samples of a source, decoded once into memory or shards when wanted, changed at random when wanted.

    An item is (uint8 [*sample_shape], target); target holds "boxes" float32 [n, 4] xyxy in pixels,
    "labels" int64 [n] and "image_id" int. The index is an int, or (int, epoch) from an EpochSampler:
    only the latter is changed at random, by choices that depend on (seed, epoch, index) alone.

    Args:
        source: the reader.
        cache: "memory" decodes everything now, "none" at each access, "auto" is "memory" up to 1 GiB;
            "shards" reads ``shards``.
        horizontal_flip: probability of a mirrored sample.
        seed: seed of the changes.
        augment: further changes; None: none.
        shards: the complete cache on disk of this source.

    Attributes:
        closing_epoch: from this epoch on an ImageAugment makes no mosaic; None: always.
    """

    def __init__(
        self,
        source: Source,
        cache: str = "auto",
        horizontal_flip: float = 0.0,
        seed: int = 0,
        augment: Augment | None = None,
        shards: ShardedSamples | None = None,
    ) -> None:
        if cache not in CACHES or (cache == "shards") != (shards is not None):
            raise ValueError(f'data: cache must be "memory", "none", "shards" or "auto", got {cache!r}')
        if not 0.0 <= horizontal_flip <= 1.0:
            raise ValueError(f"data: horizontal_flip must be between 0 and 1, got {horizontal_flip}")
        self.source = source
        self.horizontal_flip = horizontal_flip
        self.seed = seed
        self.augment = augment if augment is not None and augment.changes else None
        self.closing_epoch: int | None = None
        self._shards = shards
        self._samples: torch.Tensor | None = None
        self._targets: list[Target] = []
        events = self.augment is not None and self.augment.needs_events
        if events and cache in ("memory", "shards"):
            raise ValueError(
                f'data: drop, jitter_us and noise change events: cache must be "none", got {cache!r}'
            )
        size = len(source) * int(np.prod(source.sample_shape))
        if cache == "memory" or (cache == "auto" and size <= AUTO_CACHE_BYTES and not events):
            self._fill()

    def _fill(self) -> None:
        samples = torch.empty((len(self.source), *self.source.sample_shape), dtype=torch.uint8)
        for index in range(len(self.source)):
            samples[index], target = self.source.load(index)
            self._targets.append(target)
        self._samples = samples

    def __len__(self) -> int:
        return len(self.source)

    def read(self, index: int) -> tuple[torch.Tensor, Target]:
        """Sample and target as the source gives them; the target is the caller's, the sample is not."""
        if self._shards is not None:
            return self._shards.read(index)
        if self._samples is None:
            return self.source.load(index)
        target = dict(self._targets[index])
        target["boxes"] = target["boxes"].clone()
        return self._samples[index], target

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[torch.Tensor, Target]:
        index, epoch = item if isinstance(item, tuple) else (item, None)
        if epoch is None:
            return self.read(index)
        sample, target = self.augment(self, index, epoch) if self.augment else self.read(index)
        if self.horizontal_flip > 0.0:
            draw = np.random.default_rng([self.seed, epoch, index]).random()
            if draw < self.horizontal_flip:
                return _mirrored(sample, target)
        return sample, target


def _mirrored(sample: torch.Tensor, target: Target) -> tuple[torch.Tensor, Target]:
    width = sample.shape[-1]
    left, top, right, bottom = target["boxes"].unbind(1)
    boxes = torch.stack([width - right, top, width - left, bottom], 1)
    return F.horizontal_flip(sample), {**target, "boxes": boxes}


def collate(
    items: list[tuple[torch.Tensor, Target]], batch_dim: int = 0
) -> tuple[torch.Tensor, list[Target]]:
    """Stack samples along ``batch_dim`` and list their targets.

    Example:
        >>> frames = torch.zeros(4, 2, 8, 8, dtype=torch.uint8)
        >>> inputs, targets = collate([(frames, {}), (frames, {})], batch_dim=1)
        >>> tuple(inputs.shape), len(targets)
        ((4, 2, 2, 8, 8), 2)
    """
    samples, targets = zip(*items, strict=True)
    return torch.stack(samples, batch_dim), list(targets)

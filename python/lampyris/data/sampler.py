"""Shuffling that depends on (seed, epoch) alone, and a loader that resumes in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
import torch
import torch.distributed
from torch.utils.data import DataLoader, DistributedSampler

__all__ = ["EpochSampler", "ResumableLoader"]


class EpochSampler(DistributedSampler):
    """Shuffled ``(index, epoch)`` pairs whose order is a function of seed and epoch.

    Nothing is carried from epoch to epoch, so a resumed run sees the order of an uninterrupted one.
    ``set_epoch`` (called by Lightning) chooses the epoch; ``start`` skips the first items of the next
    pass. Under ``torch.distributed`` each rank gets its share, padded to equal length.

    Args:
        dataset: anything with a length of at least 1.
        seed: seed of the order.

    Example:
        >>> sampler = EpochSampler(range(4), seed=0)
        >>> first = list(sampler)
        >>> sampler.set_epoch(1); second = list(sampler)
        >>> sorted(i for i, _ in first), first != second
        ([0, 1, 2, 3], True)
    """

    def __init__(self, dataset: Sized, seed: int = 0) -> None:
        spread = torch.distributed.is_available() and torch.distributed.is_initialized()
        ranks = torch.distributed.get_world_size() if spread else 1
        rank = torch.distributed.get_rank() if spread else 0
        super().__init__(dataset, num_replicas=ranks, rank=rank, shuffle=True, seed=seed)
        self.start = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = np.resize(rng.permutation(len(self.dataset)), self.total_size)
        mine = order[self.rank :: self.num_replicas].tolist()
        start, self.start = self.start, 0
        epoch = self.epoch
        return iter([(index, epoch) for index in mine[start:]])


class ResumableLoader(DataLoader):
    """DataLoader over an EpochSampler that saves and restores its place within the epoch.

    Lightning stores ``state_dict`` in checkpoints and restores it before the first batch.
    """

    _delivered = 0
    _resume_at = 0

    def __iter__(self):
        self._delivered, self._resume_at = self._resume_at, 0
        self.sampler.start = self._delivered * self.batch_size
        return self._count(super().__iter__())

    def _count(self, batches):
        for batch in batches:
            self._delivered += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches delivered in it."""
        return {"epoch": self.sampler.epoch, "batches": self._delivered}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Make the next pass continue where ``state`` was taken; a finished pass starts anew."""
        self.sampler.set_epoch(state["epoch"])
        self._resume_at = state["batches"] if state["batches"] < len(self) else 0

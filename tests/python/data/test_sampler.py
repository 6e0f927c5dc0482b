"""Order: a function of seed and epoch; resumed runs continue where they stopped."""

from __future__ import annotations

import time

import pytest
import torch

from lampyris.data import EpochSampler
from lampyris.data.sampler import ResumableLoader


def order(seed: int, epoch: int, count: int = 100) -> list[tuple[int, int]]:
    sampler = EpochSampler(range(count), seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_each_epoch_is_a_permutation_of_its_own():
    orders = {(seed, epoch): order(seed, epoch) for seed in range(3) for epoch in range(3)}
    for (_, epoch), items in orders.items():
        assert sorted(items) == [(i, epoch) for i in range(100)]
    indices = [tuple(i for i, _ in items) for items in orders.values()]
    assert len({*indices}) == 9


def test_nothing_is_carried_between_epochs():
    sampler = EpochSampler(range(50), seed=7)
    for epoch in (0, 1, 2):
        sampler.set_epoch(epoch)
        list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) == order(7, 1, 50)


def test_ranks_share_the_epoch(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        shares.append([i for i, _ in EpochSampler(range(10), seed=0)])
    assert [len(share) for share in shares] == [4, 4, 4]
    assert {*shares[0], *shares[1], *shares[2]} == {*range(10)}


class Items(list):
    """A data set whose item is its key."""

    def __getitem__(self, key):
        return key


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("stop", [0, 1, 4, 5])
def test_a_loader_resumes_in_the_middle(num_workers, stop):
    def new() -> ResumableLoader:
        return ResumableLoader(
            Items(range(20)),
            batch_size=4,
            sampler=EpochSampler(range(20), 3),
            collate_fn=list,
            num_workers=num_workers,
        )

    whole = new()
    whole.sampler.set_epoch(2)
    batches = list(whole)
    assert len(batches) == 5

    stopped = new()
    stopped.sampler.set_epoch(2)
    iterator = iter(stopped)
    for _ in range(stop):
        next(iterator)
    resumed = new()
    resumed.load_state_dict(stopped.state_dict())
    expected = batches[stop:] if stop < 5 else batches
    assert list(resumed) == expected
    assert list(resumed) == batches  # the pass after is a whole one


def test_an_epoch_of_the_digits_takes_under_half_a_second():
    from lampyris.data.detection_set import DetectionSet, collate

    class Pictures:
        sample_shape = (3, 80, 80)

        def __len__(self):
            return 4000

        def load(self, index):
            target = {
                "boxes": torch.zeros(2, 4),
                "labels": torch.zeros(2, dtype=torch.int64),
                "image_id": index,
            }
            return torch.zeros(3, 80, 80, dtype=torch.uint8), target

    dataset = DetectionSet(Pictures(), "memory")
    batches = ResumableLoader(dataset, batch_size=16, sampler=EpochSampler(dataset), collate_fn=collate)
    list(batches)
    start = time.process_time()
    assert sum(len(targets) for _, targets in batches) == 4000
    assert time.process_time() - start < 1.0  # measured 0.1 s; the bound leaves room for a loaded machine

"""(events, target) sequences in tonic's forms give what the same events in a Gen1 folder give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lampyris import data
from lampyris.data.gen1_boxes import GEN1_DTYPE, MEGAPIXEL_DTYPE

# Field orders and types of tonic's readers differ between data sets.
KINDS = [
    [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i2")],
    [("t", "<u4"), ("x", "<u2"), ("y", "<u2"), ("p", "?")],
]


class Pairs(list):
    """As tonic's data sets: a sequence with a sensor size (width, height, polarities)."""

    sensor_size = (64, 64, 2)


def pairs_of(folder, split: str, kind, dtype) -> Pairs:
    pairs = Pairs()
    gen1 = data.Gen1Folder(folder, split)
    for number, file in enumerate(gen1.files):
        t, x, y, p = file.read()
        events = np.zeros(len(t), kind)
        events["t"], events["x"], events["y"], events["p"] = t, x, y, p
        rows = []
        for label in gen1.labels:
            if label.recording == number:
                for (x0, y0, x1, y1), class_id in zip(label.boxes, label.classes, strict=True):
                    row = np.zeros(1, dtype)
                    row[dtype.names[0]], row["class_id"] = label.t, class_id
                    row["x"], row["y"], row["w"], row["h"] = x0, y0, x1 - x0, y1 - y0
                    rows.append(row)
        pairs.append((events, np.concatenate(rows)))
    return pairs


@pytest.mark.parametrize("dtype", [GEN1_DTYPE, MEGAPIXEL_DTYPE])
@pytest.mark.parametrize("kind", KINDS)
def test_pairs_equal_the_folder(events_folder, kind, dtype):
    splits = [pairs_of(events_folder, split, kind, dtype) for split in ("train", "val")]
    options = {"batch_size": 8, "horizontal_flip": 0.5, "representation": "voxel", "seed": 3}
    module = data.EventPairsDetection(*splits, class_names=("right", "left"), **options)
    expected = data.Gen1Detection(events_folder, **options)
    assert module.image_size == (64, 64) and (module.in_channels, module.input_exponent) == (2, 5)
    for loader in ("train_dataloader", "val_dataloader"):
        for ours, theirs in zip(getattr(module, loader)(), getattr(expected, loader)(), strict=True):
            assert torch.equal(ours[0], theirs[0])
            for a, b in zip(ours[1], theirs[1], strict=True):
                assert torch.equal(a["boxes"], b["boxes"]) and torch.equal(a["labels"], b["labels"])


def test_event_augmentation_of_pairs(events_folder):
    augment = data.EventAugment(drop=0.4, jitter_us=1000, noise=5.0, zoom=(0.8, 1.2))
    pairs = pairs_of(events_folder, "val", KINDS[0], GEN1_DTYPE)
    module = data.EventPairsDetection(pairs, pairs, class_names=("a", "b"), batch_size=4, augment=augment)
    expected = data.Gen1Detection(events_folder, batch_size=4, augment=augment, cache="none").source("val")
    ours = module.dataset("train")
    theirs = data.Gen1Detection(events_folder, augment=augment, cache="none")
    theirs.source = lambda split: expected
    assert torch.equal(ours[3, 5][0], theirs.dataset("train")[3, 5][0])


def test_class_numbers_become_the_extent_of_the_events():
    events = np.array([(1, 9, 9, 0), (500, 2, 3, 1), (600, 5, 4, 0)], KINDS[1])
    module = data.EventPairsDetection(
        [(events, 2)], [(events, 0)], class_names="abc", size=(10, 10), time_steps=1, window_us=200
    )
    frames, target = module.dataset("train")[0]
    assert (
        frames.sum() == 2 and target["boxes"].tolist() == [[2, 3, 6, 5]] and target["labels"].tolist() == [2]
    )


def test_own_labels_and_refusals():
    events = np.array([(1, 9, 9, 0), (50, 2, 3, 1)], KINDS[0][2:3] + KINDS[0][:2] + KINDS[0][3:])
    options = {"class_names": ("a",), "size": (10, 10), "time_steps": 1, "window_us": 100}

    def module(pair, **more):
        return data.EventPairsDetection([pair], [pair], **options, **more).dataset("train")

    _, target = module((events, "x"), labels=lambda e, t: [(60, [[1, 2, 3, 4]], [0])])[0]
    assert target["boxes"].tolist() == [[1, 2, 3, 4]]
    for pair, more, reason in (
        ((events, "x"), {}, r"pair 0: target must be boxes .* or a class number, got str; give labels="),
        (
            (events, 3),
            {},
            r"pair 0: labels must be boxes \[n, 4\], classes below 1 \[n\], got 1 boxes and cl",
        ),
        ((np.zeros((4, 4)), 0), {}, "pair 0: events must have fields t, x, y, p, got ndarray"),
        ((events[:0], 0), {}, "must hold labels, got none in 1 pairs"),
        ((events[::-1], 0), {}, "event times must not decrease"),
        ((events, 0), {"cache": "shards"}, 'use cache "memory", "none" or "auto"'),
    ):
        with pytest.raises(ValueError, match=reason):
            module(pair, **more)
    del options["size"]
    with pytest.raises(ValueError, match="size must be given where the data set states no sensor_size"):
        module((events, 0))

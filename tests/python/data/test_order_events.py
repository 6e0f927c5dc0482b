"""The order-only set: genuine Gen1 files, and nothing about the class in the sum over time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lampyris import data
from lampyris.data.gen1_boxes import GEN1_DTYPE
from lampyris.data.order_events_set import BIN_US, BINS, SUB_FRAMES, Recipe, draw, levels, sweep
from lampyris.data.pictures import load_digit_bitmaps


def windows(folder, split, steps):
    return data.Gen1Detection(folder, time_steps=steps, cache="memory").dataset(split)


def test_files_are_genuine_gen1(events_folder):
    first = sorted((events_folder / "train").iterdir())[:2]
    assert [p.name for p in first] == ["order_0001_bbox.npy", "order_0001_td.dat"]
    rows = np.load(first[0])
    assert rows.dtype == GEN1_DTYPE and rows.dtype.itemsize == 33
    assert first[1].read_bytes().startswith(b"% Data file containing Event2D events.\n% Version 2\n")
    file = data.EventFile(first[1])
    assert file.size == (64, 64) and file.problems((64, 64)) == []
    assert np.array_equal(np.unique(rows["ts"]), 250_000 * np.arange(1, 26))


def test_every_event_lies_in_the_window_of_a_label_and_in_a_box(events_folder):
    folder = data.Gen1Folder(events_folder, "train")
    seen = 0
    for label in folder.labels:
        frames = folder.files[label.recording].frames(label.t, 200_000, 1, (64, 64)).sum((0, 1), dtype=int)
        seen += frames.sum()
        for left, top, right, bottom in label.boxes.astype(int) + np.array([-3, -3, 3, 3]):
            frames[max(top, 0) : bottom, max(left, 0) : right] = 0
        # A faint edge (alpha below .3) sends events up to three pixels outside the box.
        assert frames.sum() == 0
    assert seen == sum(len(file) for file in folder.files)


def test_playing_backwards_changes_class_and_contrast_but_not_the_sum():
    alpha = load_digit_bitmaps().bitmaps[3]
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.uniform(2, 30, 2)
        frames = sweep(alpha, x, y, rng.uniform(10, 17), rng.uniform(-2, 2), BINS * SUB_FRAMES, 64)
        contrast = np.float32(rng.uniform(0.6, 1.2))
        right_bright = np.diff(levels(contrast * frames), axis=0)
        left_dark = np.diff(levels(-contrast * frames[::-1]), axis=0)
        assert np.array_equal(left_dark, right_bright[::-1])
        for sign in (1, -1):
            one, two = (np.maximum(sign * change, 0).sum(0) for change in (right_bright, left_dark))
            assert np.array_equal(one, two) and one.any()
        assert not np.array_equal(left_dark, right_bright)


def test_the_order_carries_the_class(events_folder):
    """The centre of the events moves with the class; the sum of both directions has no such trace."""
    dataset = windows(events_folder, "train", 4)
    right = 0
    count = 0
    for frames, target in (dataset[i] for i in range(len(dataset))):
        if len(target["labels"]) != 1:
            continue
        columns = frames.sum((1, 2), dtype=torch.float64) @ torch.arange(64, dtype=torch.float64)
        centre = columns / frames.sum((1, 2, 3))
        right += int((centre[3] > centre[0]) == (target["labels"][0] == 0))
        count += 1
    assert right == count > 20


def test_one_bin_is_the_sum_of_four(events_folder):
    four, one = windows(events_folder, "val", 4), windows(events_folder, "val", 1)
    for index in range(len(four)):
        assert torch.equal(four[index][0].sum(0), one[index][0].sum(0))
        assert torch.equal(four[index][1]["boxes"], one[index][1]["boxes"])


def test_moved_mask_keeps_its_weight_and_ends_where_it_should():
    alpha = np.ones((2, 3), np.float32)
    frames = sweep(alpha, 1.0, 2.0, 4.0, 1.0, 4, 10)
    assert frames.shape == (5, 10, 10)
    assert np.allclose(frames.sum((1, 2)), 6)
    assert (frames[0, 2:4, 1:4] == 1).all() and (frames[4, 3:5, 5:8] == 1).all()
    assert np.allclose(frames[1, 2:5, 2:5], [[0.75], [1], [0.25]])


def test_events_are_the_level_changes():
    sample = draw(Recipe(), load_digit_bitmaps().bitmaps, np.random.default_rng(1))
    assert (np.diff(sample.t) >= 0).all() and sample.t.min() >= 0 and sample.t.max() < BIN_US * BINS
    assert {*sample.polarity.tolist()} == {0, 1} and len(sample.boxes) == len(sample.classes) >= 1


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    def files(root):
        return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*.*"))}

    one, two = (data.order_events(tmp_path / name, train=3, val=1, test=1, seed=5) for name in "ab")
    assert files(one) == files(two)
    other = data.order_events(tmp_path / "c", train=3, val=1, test=1, seed=6)
    assert files(other) != files(one)


def test_both_classes_are_equally_frequent(events_folder):
    labels = np.concatenate([label.classes for label in data.Gen1Folder(events_folder, "train").labels])
    assert len(labels) > 60 and abs(labels.mean() - 0.5) < 0.2


def test_module_and_refusals(tmp_path):
    module = data.OrderEventsDetection(train=20, val=4, test=4, batch_size=8, time_steps=2)
    frames, targets = next(iter(module.train_dataloader()))
    assert frames.shape == (2, 8, 2, 64, 64) and frames.dtype == torch.uint8 and len(targets) == 8
    assert (module.in_channels, module.num_classes, module.image_size) == (2, 2, (64, 64))
    assert (module.time_steps, module.input_exponent, module.class_names) == (2, 0, ("right", "left"))
    with pytest.raises(ValueError, match="order_events: val must be at least 1, got 0"):
        data.order_events(tmp_path / "x", val=0)
    with pytest.raises(ValueError, match="window_us must be a positive multiple of time_steps"):
        data.OrderEventsDetection(time_steps=3)

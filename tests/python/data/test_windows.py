"""Windows of raw events before each label."""

from __future__ import annotations

import doctest

import pytest
import torch

from lampyris import data


def test_a_window_ends_before_its_label(events_folder):
    folder = data.Gen1Folder(events_folder, "train")
    windows = data.event_windows(events_folder, "train", window_us=100_000)
    assert len(windows) == len(folder.labels)
    for number in (0, 30, 59):
        label = folder.labels[number]
        t, x, y, polarity = folder.files[label.recording].read()
        mine = (t >= label.t - 100_000) & (t < label.t)
        window = windows[number]
        assert window.seen == len(window) == mine.sum() > 0
        assert (window.t.numpy() + label.t - 100_000 == t[mine]).all()
        assert (window.x.numpy() == x[mine]).all() and (window.y.numpy() == y[mine]).all()
        assert (window.polarity.numpy() == polarity[mine]).all()
        assert torch.equal(window.boxes, torch.from_numpy(label.boxes))
        assert window.labels.tolist() == label.classes.tolist()


def test_a_draw_is_a_sorted_part_of_the_window(events_folder):
    whole = data.event_windows(events_folder, "val")
    drawn = data.event_windows(events_folder, "val", max_events=200)
    again = data.event_windows(events_folder, "val", max_events=200)
    other = data.event_windows(events_folder, "val", max_events=200, seed=1)
    for number, (all_of_it, some) in enumerate(zip(whole, drawn, strict=True)):
        assert len(some) == min(200, len(all_of_it)) and some.seen == len(all_of_it)
        assert (some.t.diff() >= 0).all()
        everything = set(zip(*(getattr(all_of_it, n).tolist() for n in ("x", "y", "t")), strict=True))
        assert set(zip(*(getattr(some, n).tolist() for n in ("x", "y", "t")), strict=True)) <= everything
        assert torch.equal(some.t, again[number].t)
    assert any(not torch.equal(a.t, b.t) for a, b in zip(drawn, other, strict=True))


def test_a_batch_keeps_windows_apart(events_folder):
    windows = data.event_windows(events_folder, "val", limit=3)
    batch = data.batch_events(windows)
    for number, window in enumerate(windows):
        part = slice(*batch.recording_ptr[number : number + 2].tolist())
        assert torch.equal(batch.x[part], window.x) and torch.equal(batch.t[part], window.t)
    assert len(batch.targets) == 3


@pytest.mark.parametrize("name", ["window_us", "max_events", "limit"])
def test_errors(events_folder, name):
    with pytest.raises(ValueError, match=f"event_windows: {name} must be >= 1, got 0"):
        data.event_windows(events_folder, "val", **{name: 0})


def test_docstring_examples():
    from lampyris.data import windows

    result = doctest.testmod(windows)
    assert result.failed == 0 and result.attempted >= 5

"""Event files from Python: reading, writing, binning, and what is refused."""

from __future__ import annotations

import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from lampyris.data.event_file import EventFile, write_dat


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a_td.dat"


def some_events(count: int, size: tuple[int, int], last: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, last, count))
    return t, rng.integers(0, size[1], count), rng.integers(0, size[0], count), rng.integers(0, 2, count)


def test_written_bytes_are_the_published_format(path):
    write_dat(path, [258, 70000], [1, 303], [2, 239], [0, 1], size=(240, 304))
    header = (
        b"% Data file containing Event2D events.\n% Version 2\n% Date 2020-01-01 00:00:00\n"
        b"% Height 240\n% Width 304\n\x00\x08"
    )
    first = (258).to_bytes(4, "little") + (1 | 2 << 14).to_bytes(4, "little")
    second = (70000).to_bytes(4, "little") + (303 | 239 << 14 | 1 << 28).to_bytes(4, "little")
    assert path.read_bytes() == header + first + second


def test_round_trip(path):
    columns = some_events(1000, (240, 304), 2**32)
    write_dat(path, *columns, size=(240, 304))
    file = EventFile(path)
    assert len(file) == 1000 and file.size == (240, 304)
    for got, expected in zip(file.read(), columns, strict=True):
        assert np.array_equal(got, expected)
    t, x, *_ = file.read(10, 20)
    assert np.array_equal(t, columns[0][10:20]) and np.array_equal(x, columns[1][10:20])


def test_size_is_optional(path):
    write_dat(path, [], [], [], [])
    file = EventFile(path)
    assert file.size is None and len(file) == 0
    assert not file.frames(1000, 1000, 2, (4, 4)).any()


@pytest.mark.parametrize(("steps", "window"), [(1, 1000), (4, 1000), (5, 2000), (1000, 1000)])
def test_frames_match_numpy(path, steps, window):
    size = (5, 7)
    t, x, y, p = some_events(5000, size, 3000)
    write_dat(path, t, x, y, p, size=size)
    for end in (0, 1, 500, 2000, 3000, 10_000):
        expected = np.zeros((steps, 2, *size), np.int64)
        inside = (t >= end - window) & (t < end)
        bins = (t[inside] - (end - window)) // (window // steps)
        np.add.at(expected, (bins, p[inside], y[inside], x[inside]), 1)
        got = EventFile(path).frames(end, window, steps, size)
        assert got.dtype == np.uint8 and np.array_equal(got, np.minimum(expected, 255))


def test_files_travel_to_loader_processes(path):
    write_dat(path, [1], [2], [3], [1], size=(4, 4))
    copy = pickle.loads(pickle.dumps(EventFile(path)))
    assert [column.tolist() for column in copy.read()] == [[1], [2], [3], [1]]


def test_defects_are_counted(path):
    write_dat(path, [1, 2, 3], [0, 9, 0], [0, 0, 0], [1, 1, 1])
    damaged = bytearray(path.read_bytes())
    damaged[-8:-4] = (1).to_bytes(4, "little")
    path.write_bytes(damaged)
    assert EventFile(path).problems((4, 4)) == [
        "event times must not decrease, got 1 that do, first at event 2",
        "events must lie within 4 x 4 pixels, got 1 outside, first event 1",
    ]
    with pytest.raises(ValueError, match=r"a_td\.dat: event 1 must lie within 4 x 4 pixels, got y 0, x 9"):
        EventFile(path).frames(10, 10, 1, (4, 4))
    with pytest.raises(ValueError, match=r"event times must not decrease, got 1 us at event 2 after 2 us"):
        EventFile(path).frames(10, 10, 1, (16, 16))


def test_a_cut_file_is_named(path):
    write_dat(path, [1, 2, 3], [0, 0, 0], [0, 0, 0], [1, 1, 1], size=(4, 4))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(
        ValueError, match=r"event file: .*a_td\.dat: events must be whole .* 5 bytes too many"
    ):
        EventFile(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"a_td\.dat"):
        EventFile(path)


def test_random_bytes_are_read_or_refused(path):
    rng = random.Random(4)
    for round_ in range(200):
        path.write_bytes(
            (b"% Version 2\n\x00\x08" if round_ % 2 else b"") + rng.randbytes(rng.randrange(200))
        )
        try:
            file = EventFile(path)
            file.problems((240, 304))
            file.frames(2**31, 2**31, 4, (8, 8))
        except ValueError as error:
            assert str(path) in str(error)


def test_refusals(path):
    write_dat(path, [1], [0], [0], [1], size=(4, 4))
    file = EventFile(path)
    with pytest.raises(ValueError, match="positive multiple of time_steps, got 10 us, 3 steps"):
        file.frames(10, 10, 3, (4, 4))
    with pytest.raises(ValueError, match="end must be 0"):
        file.frames(-1, 10, 1, (4, 4))
    with pytest.raises(IndexError, match=r"range must lie within 0\.\.1, got 0\.\.2"):
        file.read(0, 2)
    with pytest.raises(ValueError, match="columns must have one length, got 1, 2, 1, 1"):
        write_dat(path, [1], [0, 1], [0], [1])
    with pytest.raises(ValueError, match=r"x must be 0\.\.3, got 4\.\.4"):
        write_dat(path, [1], [4], [0], [1], size=(4, 4))
    with pytest.raises(ValueError, match="t must not decrease"):
        write_dat(path, [2, 1], [0, 0], [0, 0], [1, 1])
    assert len(EventFile(path)) == 1

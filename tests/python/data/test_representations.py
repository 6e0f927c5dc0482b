"""Every representation equals its NumPy twin; raw recordings give what the same .dat file gives."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lampyris import data
from lampyris.data.gen1_boxes import MEGAPIXEL_DTYPE, write_boxes

sys.path.insert(0, str(Path(__file__).parent))
import evt_files

SIZE = (7, 10)
WINDOW = {"end_us": 6_000, "window_us": 4_800, "time_steps": 4}


def events(seed: int = 0, n: int = 5000, span: int = 8_000) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, span, n))
    return t, rng.integers(0, SIZE[1], n), rng.integers(0, SIZE[0], n), rng.integers(0, 2, n)


def twin(name: str, t, x, y, p, parts=10, cutoff=10, tau_us=50_000.0) -> np.ndarray:
    """The definitions of ``data.representation``, event by event."""
    end, length, steps = WINDOW["end_us"], WINDOW["window_us"], WINDOW["time_steps"]
    step_us, start = length // steps, end - length
    inside = (t >= start) & (t < end)
    t, x, y, p = t[inside] - start, x[inside], y[inside], p[inside]
    if name in ("counts", "histogram"):
        parts, cutoff = (1, 255) if name == "counts" else (parts, cutoff)
        frames = np.zeros((steps, 2, parts, *SIZE), int)
        np.add.at(frames, (t // step_us, p, t % step_us // (step_us // parts), y, x), 1)
        return np.minimum(frames, cutoff).reshape(steps, 2 * parts, *SIZE).astype(np.uint8)
    if name in ("polarity", "paper"):
        frames = np.full((steps, 1, *SIZE), 127, np.uint8)
        for event in zip(t // step_us, y, x, p, strict=True):
            frames[event[0], 0, event[1], event[2]] = 255 * event[3]
        return np.repeat(frames, 3 if name == "paper" else 1, 1)
    if name == "surface":
        frames = np.zeros((steps, 2, *SIZE), np.uint8)
        for step in range(steps):
            last = np.full((2, *SIZE), -np.inf)
            for event in zip(t, p, y, x, strict=True):
                if event[0] < (step + 1) * step_us:
                    last[event[1:]] = event[0]
            frames[step] = np.floor(255 * np.exp((last - (step + 1) * step_us) / tau_us) + 0.5)
        return frames
    units = np.zeros((steps + 1, 2, *SIZE), int)
    position = t * 32 * (steps - 1) // length
    np.add.at(units, (position // 32, p, y, x), 32 - position % 32)
    np.add.at(units, (position // 32 + 1, p, y, x), position % 32)
    return np.minimum(units[:steps], 255).astype(np.uint8)


OPTIONS = [
    ("counts", {}),
    ("histogram", {}),
    ("histogram", {"parts": 3, "cutoff": 2}),
    ("polarity", {}),
    ("paper", {}),
    ("surface", {}),
    ("surface", {"tau_us": 700.5}),
    ("voxel", {}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_the_twin_agrees(tmp_path, name, options):
    columns = events()
    chosen = data.representation(name, **options)
    expected = twin(name, *columns, **options)
    frames = data.bin_events(*columns, **WINDOW, size=SIZE, representation=chosen)
    assert frames.dtype == np.uint8 and frames.shape[1] == chosen.channels
    assert np.array_equal(frames, expected)
    path = data.write_dat(tmp_path / "a_td.dat", *columns, size=SIZE)
    assert np.array_equal(data.EventFile(path).frames(*WINDOW.values(), SIZE, chosen), expected)


def test_the_five_frames_of_the_paper_differ_and_see_no_future():
    # The released loader shows bin 0 five times, and for early labels the window of the future.
    t, x, y, p = events(span=250_000)
    chosen = data.representation("paper")
    options = {"window_us": 250_000, "time_steps": 5, "size": SIZE, "representation": chosen}
    frames = data.bin_events(t, x, y, p, end_us=250_000, **options)
    assert all(not np.array_equal(frames[0], frames[k]) for k in range(1, 5))
    early = data.bin_events(t, x, y, p, end_us=100_000, **options)
    assert (early[:3] == 127).all() and np.array_equal(early[3:], frames[:2])


@pytest.mark.parametrize("version", [2, 3])
def test_raw_recordings_equal_dat_files(tmp_path, version):
    columns = events(1, 40_000, 20_000_000)
    raw = tmp_path / "a.raw"
    raw.write_bytes(evt_files.encode(version, *columns, SIZE))
    dat = data.EventFile(data.write_dat(tmp_path / "b_td.dat", *columns, size=SIZE))
    file = data.EventFile(raw)
    assert len(file) == len(dat) and file.size == SIZE and file.problems(SIZE) == []
    for first, last in ((0, None), (17_000, 17_005), (39_999, None)):
        for ours, theirs in zip(file.read(first, last), dat.read(first, last), strict=True):
            assert np.array_equal(ours, theirs)
    for end in (50_000, 10_000_000, 17_777_777):
        assert file.lower_bound(end) == dat.lower_bound(end)
        ours, theirs = (f.frames(end, 400_000, 4, SIZE) for f in (file, dat))
        assert np.array_equal(ours, theirs)
        assert np.array_equal(file.window(end - 9000, end)[0], dat.window(end - 9000, end)[0])


def test_a_folder_of_raw_recordings_with_1mpx_boxes(tmp_path):
    columns = events(2, 2000, 300_000)
    for kind in ("raw", "dat"):
        folder = tmp_path / kind / "train"
        folder.mkdir(parents=True)
        rows = np.zeros(2, MEGAPIXEL_DTYPE)
        rows["t"], rows["w"], rows["h"], rows["class_id"] = [100_000, 200_000], 4, 3, [0, 1]
        np.save(folder / "a_bbox.npy", rows)
        if kind == "dat":
            data.write_dat(folder / "a_td.dat", *columns, size=SIZE)
        else:
            (folder / "a.raw").write_bytes(evt_files.encode(3, *columns, SIZE))
    raw, dat = (data.Gen1Folder(tmp_path / kind, "train") for kind in ("raw", "dat"))
    assert raw.size == SIZE and [label.t for label in raw.labels] == [label.t for label in dat.labels]
    sets = [data.Gen1Detection(tmp_path / kind, batch_size=2).dataset("train") for kind in ("raw", "dat")]
    assert all(np.array_equal(sets[0][k][0], sets[1][k][0]) for k in range(2))
    assert data.check_folder(tmp_path / "raw").problems == []


def test_defects_of_raw_recordings_are_named(tmp_path):
    (tmp_path / "train").mkdir()
    good = evt_files.encode(3, *events(3, 50, 4000), SIZE)
    cases = {
        "a": (good[:-1], r"a_td.raw: words must be whole \(2 bytes each\), got 1 bytes too many"),
        "b": (
            evt_files.encode(2, [500, 100], [1, 1], [1, 1], [0, 0], SIZE),
            "b_td.raw: event times must not de",
        ),
        "c": (evt_files.encode(3, [], [], [], [], SIZE), "c_td.raw: a recording must hold events, got none"),
        "d": (good.replace(b"EVT3", b"EVT4"), 'd_td.raw: format must be EVT2 or EVT3, got "EVT4"'),
        "e": (
            good[: good.index(b"% end\n") + 6] + b"\x01\x20",
            "e_td.raw: events must follow a time and a row",
        ),
    }
    for name, (content, _) in cases.items():
        (tmp_path / "train" / f"{name}_td.raw").write_bytes(content)
        write_boxes(tmp_path / "train" / f"{name}_bbox.npy", [500], [(0, 0, 4, 4)], [0])
    problems = data.check_folder(tmp_path).problems
    for _, reason in cases.values():
        assert sum(re.search(reason, problem) is not None for problem in problems) == 1, (reason, problems)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"name": "frames"}, "representation must be one of counts, histogram, .*, got 'frames'"),
        ({"name": "counts", "parts": 2}, "representation 'counts' has no parts, got 2"),
        ({"name": "voxel", "tau_us": 2.0}, "representation 'voxel' has no tau_us"),
        ({"name": "histogram", "cutoff": 0}, r"cutoff must be 1\.\.255, got 0"),
        ({"name": "histogram", "parts": 0}, "parts must be at least 1, got 0"),
        ({"name": "surface", "tau_us": -1.0}, "tau_us must be positive"),
    ],
)
def test_refusals(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        data.representation(**arguments)


def test_refusals_of_windows():
    t, x, y, p = events()
    with pytest.raises(ValueError, match="event times must not decrease, got 5 us at event 1 after 9 us"):
        data.bin_events([9, 5], [0, 0], [0, 0], [0, 0], end_us=10, window_us=10, time_steps=1, size=SIZE)
    with pytest.raises(ValueError, match="bin_events: parts must divide a step of 1200 us, got 7"):
        data.bin_events(
            t, x, y, p, **WINDOW, size=SIZE, representation=data.representation("histogram", parts=7)
        )
    with pytest.raises(ValueError, match=r"x must be 0\.\.65535, got -1\.\.0"):
        data.bin_events([1, 2], [-1, 0], [0, 0], [0, 0], end_us=10, window_us=10, time_steps=1, size=SIZE)

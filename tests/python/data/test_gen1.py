"""Gen1 folders: both box layouts, clamping, filters, windows, and each defect named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lampyris import data
from lampyris.data.gen1 import BoxFilter, class_names
from lampyris.data.gen1_boxes import GEN1_DTYPE, MEGAPIXEL_DTYPE, read_boxes, write_boxes

SIZE = (12, 16)


def recording(
    root: Path, name: str = "a", t=(100_000,), xywh=((2, 3, 5, 4),), class_id=(0,), size=SIZE
) -> Path:
    """One recording with an event every ms at (1, 1) in ``<root>/train``."""
    folder = root / "train"
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(0, 300_000, 1000)
    ones = np.ones_like(times)
    data.write_dat(folder / f"{name}_td.dat", times, ones, ones, ones, size=size)
    write_boxes(folder / f"{name}_bbox.npy", t, xywh, class_id)
    return root


def module(root: Path, **changes) -> data.Gen1Detection:
    return data.Gen1Detection(root, **{"time_steps": 2, "window_us": 100_000, "batch_size": 1, **changes})


@pytest.mark.parametrize("dtype", [GEN1_DTYPE, MEGAPIXEL_DTYPE])
def test_both_layouts(tmp_path, dtype):
    rows = np.zeros(2, dtype)
    rows[dtype.names[0]] = [500, 250]
    for value, name in enumerate(("x", "y", "w", "h"), 1):
        rows[name] = value
    rows["class_id"] = [1, 0]
    path = tmp_path / "a_bbox.npy"
    np.save(path, rows)
    boxes = read_boxes(path, 2)
    assert boxes.t.tolist() == [250, 500] and boxes.class_id.tolist() == [0, 1]
    assert boxes.xywh.tolist() == [[1, 2, 3, 4]] * 2
    assert boxes.clamped(SIZE).tolist() == [[1, 2, 4, 6]] * 2
    assert dtype.itemsize == (33 if dtype is GEN1_DTYPE else 40)


def test_one_sample_per_label_time(tmp_path):
    recording(
        tmp_path, "b", (200_000, 100_000, 200_000), [(0, 0, 4, 4), (1, 1, 4, 4), (2, 2, 4, 4)], (0, 1, 1)
    )
    recording(tmp_path, "a", (50_000,), [(0, 0, 3, 3)], (1,))
    labels = data.Gen1Folder(tmp_path, "train").labels
    assert [(label.recording, label.t) for label in labels] == [(0, 50_000), (1, 100_000), (1, 200_000)]
    assert labels[2].boxes.tolist() == [[0, 0, 4, 4], [2, 2, 6, 6]] and labels[2].classes.tolist() == [0, 1]


def test_the_window_ends_before_the_label(tmp_path):
    frames, target = module(recording(tmp_path)).dataset("train")[0]
    # Events at 0, 1, ..., 99 ms count; the one at 100 ms, the label's time, does not.
    assert frames.shape == (2, 2, *SIZE) and frames[:, 1, 1, 1].tolist() == [50, 50]
    assert frames.sum() == 100 and target["image_id"] == 0
    assert target["boxes"].tolist() == [[2, 3, 7, 7]] and target["labels"].tolist() == [0]


def test_a_label_earlier_than_the_window_sees_no_future(tmp_path):
    frames, _ = module(recording(tmp_path, t=(30_000,))).dataset("train")[0]
    assert frames[:, 1, 1, 1].tolist() == [0, 30]


def test_batches_have_time_first(tmp_path):
    root = recording(tmp_path, t=(100_000, 200_000, 300_000), xywh=[(0, 0, 4, 4)] * 3, class_id=(0, 1, 0))
    frames, targets = next(iter(module(root, batch_size=3).train_dataloader()))
    assert frames.shape == (2, 3, 2, *SIZE) and frames.dtype == torch.uint8
    assert sorted(t["image_id"] for t in targets) == [0, 1, 2]


def test_frames_are_padded_not_scaled(tmp_path):
    root = recording(tmp_path)
    frames, target = module(root, image_size=(16, 32)).dataset("train")[0]
    assert frames.shape == (2, 2, 16, 32) and frames[:, :, 12:].sum() == 0 == frames[..., 16:].sum()
    assert target["boxes"].tolist() == [[2, 3, 7, 7]] and frames.sum() == 100
    with pytest.raises(
        ValueError, match=r"image_size must be at least the sensor's \[12, 16\], got \[8, 32\]"
    ):
        module(root, image_size=(8, 32)).dataset("train")


def test_known_label_defects_are_repaired(tmp_path):
    xywh = [(-3, 2, 5, 4), (14, 10, 9, 9), (20, 3, 4, 4), (5, 5, 0, 3), (1, 1, 2, 2)]
    root = recording(tmp_path, t=(100, 100, 100, 200, 300), xywh=xywh, class_id=(0, 1, 0, 0, 0))
    labels = data.Gen1Folder(root, "train").labels
    assert [label.t for label in labels] == [100, 300]
    assert labels[0].boxes.tolist() == [[0, 2, 2, 6], [14, 10, 16, 12]] and labels[0].classes.tolist() == [
        0,
        1,
    ]


def test_filters(tmp_path):
    xywh = [(0, 0, 3, 4), (0, 0, 2, 9), (0, 0, 6, 8)]
    root = recording(tmp_path, t=(10, 20, 30), xywh=xywh, class_id=(0, 0, 0))

    def times(**options):
        return [label.t for label in data.Gen1Folder(root, "train", BoxFilter(**options)).labels]

    assert times() == [10, 20, 30]
    assert times(side=3) == [10, 30] and times(diagonal=5.5) == [20, 30] and times(skip_us=10) == [20, 30]
    with pytest.raises(ValueError, match="must hold at least one box, got none that counts"):
        times(side=7)


def test_class_names_come_from_the_label_map(tmp_path):
    assert class_names(tmp_path) == ("car", "pedestrian")
    path = tmp_path / "label_map_dictionary.json"
    path.write_text(json.dumps({"1": "b", "0": "a", "2": "c"}))
    assert class_names(tmp_path) == ("a", "b", "c")
    for text in ("[]", "{}", '{"1": "a"}', '{"0": 1}', "{"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"label_map_dictionary\.json must"):
            class_names(tmp_path)


def test_sensor_size_comes_from_the_headers(tmp_path):
    assert data.Gen1Folder(recording(tmp_path / "old", size=None), "train").size == (240, 304)
    recording(tmp_path / "two", "a")
    recording(tmp_path / "two", "b", size=(13, 16))
    with pytest.raises(
        ValueError, match=r"one sensor size, got \(12, 16\) in .*a_td\.dat, \(13, 16\) in .*b_td"
    ):
        data.Gen1Folder(tmp_path / "two", "train")


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train must be a folder of recordings"):
        data.Gen1Folder(tmp_path, "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"train must hold files \*_td\.dat, got none"):
        data.Gen1Folder(tmp_path, "train")
    recording(tmp_path)
    (tmp_path / "train" / "a_bbox.npy").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=r"box file .*a_bbox\.npy must exist"):
        data.Gen1Folder(tmp_path, "train")
    (tmp_path / "away").rename(tmp_path / "train" / "a_bbox.npy")
    (tmp_path / "train" / "a_td.dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"a_td\.dat must exist beside a_bbox\.npy"):
        data.Gen1Folder(tmp_path, "train")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("x", np.nan, "box 1: x, y, w, h must be finite, got "),
        ("w", np.inf, "box 1: x, y, w, h must be finite, got "),
        ("h", -2, r"box 1: w and h must not be negative, got \[5.0, -2.0\]"),
        ("class_id", 2, "box 1: class_id must be below 2, got 2"),
        ("ts", 2**63, r"box 1: time must be 0\.\.1099511627776 us, got 9223372036854775808"),
    ],
)
def test_broken_rows_are_named(tmp_path, field, value, reason):
    root = recording(tmp_path, t=(1, 2), xywh=[(2, 3, 5, 4)] * 2, class_id=(0, 0))
    path = root / "train" / "a_bbox.npy"
    rows = np.load(path)
    rows[field][1] = value
    np.save(path, rows)
    with pytest.raises(ValueError, match=rf"gen1: .*a_bbox\.npy: {reason}"):
        data.Gen1Folder(root, "train")
    problems = []
    assert len(read_boxes(path, 2, problems.append).t) == 1 and len(problems) == 1


def test_files_that_are_no_boxes_are_named(tmp_path):
    path = tmp_path / "a_bbox.npy"
    np.save(path, np.zeros((3, 5), np.float32))
    with pytest.raises(ValueError, match=r"a_bbox\.npy must hold records .*, got float32 \[3, 5\]"):
        read_boxes(path, 2)
    np.save(path, np.zeros(3, [("t", "<i8"), ("x", "<f4")]))
    with pytest.raises(ValueError, match="must hold records"):
        read_boxes(path, 2)
    rows = np.zeros(1, [(n, "<f4") for n in "xywh"] + [("t", "<i8"), ("class_id", "S3")])
    np.save(path, rows)
    with pytest.raises(ValueError, match="field class_id must be a number"):
        read_boxes(path, 2)
    np.save(path, np.array([{"x": 1}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="must be a NumPy array of boxes, got: "):
        read_boxes(path, 2)


def test_damaged_box_files_are_read_or_refused(tmp_path):
    path = Path(write_boxes(tmp_path / "a_bbox.npy", [1, 2], [(1, 2, 3, 4)] * 2, [0, 1]))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for round_ in range(300):
        damaged = bytearray(whole[: rng.integers(len(whole))] if round_ % 3 == 0 else whole)
        for position in rng.integers(0, max(len(damaged), 1), 3 if damaged else 0):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_boxes(path, 2)
        except ValueError as error:
            assert "a_bbox.npy" in str(error)


def test_a_cut_recording_is_named(tmp_path):
    root = recording(tmp_path)
    path = root / "train" / "a_td.dat"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"event file: .*a_td\.dat: events must be whole"):
        module(root).setup("fit")


def test_random_event_bytes_are_named(tmp_path):
    root = recording(tmp_path)
    path = root / "train" / "a_td.dat"
    path.write_bytes(np.random.default_rng(0).bytes(8 * 500))
    with pytest.raises(ValueError, match=r"event file: .*a_td\.dat: event"):
        module(root, window_us=100_000).dataset("train")
        for end in range(0, 2**32, 2**28):
            data.EventFile(path).frames(end, 2**28, 1, SIZE)

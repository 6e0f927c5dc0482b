"""``lampyris data``: every defective file and label is named, sound folders pass."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lampyris import cli, data
from lampyris.data.gen1_boxes import write_boxes

sys.path.insert(0, str(Path(__file__).parent))
import coco_files


def test_sound_folders(digits_folder, events_folder):
    digits, events = data.check_folder(digits_folder), data.check_folder(events_folder)
    assert digits.problems == events.problems == []
    assert [(s.name, s.samples) for s in digits.splits] == [("test", 12), ("train", 40), ("val", 10)]
    assert [(s.name, s.samples) for s in events.splits] == [("train", 60), ("val", 8), ("test", 8)]
    assert {*events.splits[0].boxes} == {"right", "left"}
    assert data.describe_folder(digits_folder).splits == digits.splits


def test_every_defect_of_a_coco_folder_is_named(tmp_path):
    value = coco_files.content()
    value["annotations"][0]["bbox"] = [1, float("nan"), 4, 2]
    value["annotations"].append({"id": 9, "image_id": 77, "category_id": 2, "bbox": [0, 0, 1, 1]})
    value["images"].append({"id": 30, "file_name": "c.png", "height": 4, "width": 6})
    coco_files.write(tmp_path, value)
    (tmp_path / "train" / "a.png").write_bytes(b"no picture")
    coco_files.write(tmp_path, "{", split="val")
    problems = data.check_folder(tmp_path).problems
    expected = [
        r"instances_train.json: annotation 1: bbox must be [x, y, width, height]",
        "annotation 3: bbox must lie inside the 4 x 6 image and have an area, got [4, 1, 5, 1]",
        "instances_train.json: annotation 9: image_id must name an image, got 77",
        "train/a.png must be a readable image",
        "train/c.png must exist",
        "instances_val.json must be JSON",
    ]
    assert len(problems) == len(expected) + 1  # and the categories of val differ
    for part in expected:
        assert sum(part in problem for problem in problems) == 1, part


def test_every_defect_of_a_gen1_folder_is_named(tmp_path):
    folder = data.order_events(tmp_path / "set", train=80, val=1, test=1) / "train"
    (folder / "order_0001_td.dat").write_bytes((folder / "order_0001_td.dat").read_bytes()[:-3])
    (folder / "order_0002_bbox.npy").unlink()
    (folder / "order_0003_td.dat").unlink()
    path = folder / "order_0004_td.dat"
    content = bytearray(path.read_bytes())
    content[-8:] = (1).to_bytes(4, "little") + (99).to_bytes(4, "little")
    path.write_bytes(content)
    rows = np.load(folder / "order_0004_bbox.npy")
    rows["x"][0], rows["class_id"][1], rows["y"][2] = np.nan, 200, 60
    np.save(folder / "order_0004_bbox.npy", rows)
    problems = data.check_folder(tmp_path / "set").problems
    expected = [
        "order_0001_td.dat: events must be whole",
        "order_0002_bbox.npy must exist",
        "order_0003_td.dat must exist beside its boxes",
        "order_0004_td.dat: event times must not decrease, got 1 that do",
        "order_0004_td.dat: events must lie within 64 x 64 pixels, got 1 outside",
        "order_0004_bbox.npy: box 0: x, y, w, h must be finite",
        "order_0004_bbox.npy: box 1: class_id must be below 2, got 200",
        "x, y, w, h must lie inside the 64 x 64 frame and have an area",
    ]
    assert sorted(sum(part in problem for problem in problems) for part in expected) == [1] * len(expected)


def test_a_recording_cut_between_events_is_noticed(tmp_path):
    (tmp_path / "train").mkdir()
    t = np.arange(1000)
    data.write_dat(tmp_path / "train" / "a_td.dat", t, t % 8, t % 8, t % 2, size=(8, 8))
    write_boxes(tmp_path / "train" / "a_bbox.npy", [500, 2_000_000], [(0, 0, 4, 4)] * 2, [0, 1])
    (problem,) = data.check_folder(tmp_path).problems
    assert "a_td.dat must reach its labels, got a last event at 999 us and 1 boxes over 1 s later" in problem


def test_a_recording_without_boxes_or_events_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    data.write_dat(tmp_path / "train" / "a_td.dat", [], [], [], [], size=(8, 8))
    write_boxes(tmp_path / "train" / "a_bbox.npy", [], np.zeros((0, 4)), [])
    data.write_dat(tmp_path / "train" / "b_td.dat", [5], [1], [1], [1], size=(8, 8))
    np.save(tmp_path / "train" / "b_bbox.npy", np.zeros(3, np.float32))
    problems = data.check_folder(tmp_path).problems
    expected = [
        "a_td.dat: a recording must hold events, got none",
        "a_bbox.npy must hold at least one box that",
    ]
    expected += ["b_bbox.npy must hold records [n] with fields ts (or t)"]
    assert len(problems) == 3
    assert all(sum(part in problem for problem in problems) == 1 for part in expected)


def test_cache_command(events_folder, tmp_path, capsys):
    arguments = ["data", "cache", str(events_folder), "--cache_folder", str(tmp_path), "--time_steps", "2"]
    assert cli.main([*arguments, "--estimate"]) == 0
    assert "train: " in capsys.readouterr().out and not [*tmp_path.rglob("*.safetensors")]
    assert cli.main([*arguments, "--shard", "1/2"]) == 0
    assert "train" in capsys.readouterr().out and not [*tmp_path.rglob("*.safetensors")]  # one shard: part 0
    assert cli.main([*arguments, "--shard", "0/2"]) == 0
    output = capsys.readouterr().out
    assert all(f"{split}: complete" in output for split in ("train", "val", "test"))
    folders = sorted(path for path in tmp_path.iterdir())
    assert [cli.main(["data", "check", str(folder)]) for folder in folders] == [0, 0, 0]
    assert "cache, 60 samples" in capsys.readouterr().out
    shard = next(folders[0].glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert cli.main(["data", "check", str(folders[0])]) == 1
    assert "must have its checksum" in capsys.readouterr().out
    for wrong in ("2/2", "x"):
        assert cli.main([*arguments, "--shard", wrong]) == 1
        assert "shard must be i/n" in capsys.readouterr().err
    assert cli.main([*arguments, "--fit", "stretch", "--splits", "tran"]) == 1
    assert "splits must be some of train, val, test, got 'tran'" in capsys.readouterr().err


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must hold annotations/instances_.* got none of them"):
        data.check_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="must be a folder, got no such folder"):
        data.check_folder(tmp_path / "none")


def test_command(tmp_path, capsys):
    folder = str(tmp_path / "digits")
    counts = ["--train", "3", "--val", "1", "--test", "1"]
    assert cli.main(["data", "generate", "digits", "--folder", folder, *counts]) == 0
    assert capsys.readouterr().out.strip() == folder
    assert cli.main(["data", "check", folder]) == 0
    assert "5 samples" in capsys.readouterr().out
    assert cli.main(["data", "info", folder]) == 0
    assert "80 x 80 pixels" in capsys.readouterr().out
    (Path(folder) / "val" / "000001.png").unlink()
    assert cli.main(["data", "check", folder]) == 1
    output = capsys.readouterr().out
    assert "val/000001.png must exist" in output and "1 defects" in output
    assert cli.main(["data", "generate", "events", "--folder", folder]) == 1
    assert "root must be a new or empty folder" in capsys.readouterr().err

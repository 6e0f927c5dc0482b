"""Shards: equal to the source, made by parts, whole or absent, every defect named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from lampyris import data
from lampyris.data import shards


@pytest.fixture
def source(events_folder, monkeypatch):
    source = data.Gen1Detection(events_folder, batch_size=4).source("train")
    monkeypatch.setattr(shards, "SHARD_BYTES", 7 * int(np.prod(source.sample_shape)))
    return source


def same(a, b) -> bool:
    tensors = all(torch.equal(a[1][key], b[1][key]) for key in ("boxes", "labels"))
    return torch.equal(a[0], b[0]) and tensors and a[1]["image_id"] == b[1]["image_id"]


def test_samples_come_back_and_are_small(source, tmp_path, capsys):
    cached = data.ShardedSamples(source, tmp_path)
    assert cached.shards == 9 and cached.missing() == [*range(9)]
    estimate = cached.write()
    assert "60 samples in 9 shards, about" in capsys.readouterr().out and estimate.samples == 60
    size = sum(path.stat().st_size for path in cached.folder.glob("*.safetensors"))
    assert abs(estimate.bytes - size) < 0.5 * size and size < 0.3 * 60 * np.prod(source.sample_shape)
    assert all(same(cached.read(index), source.load(index)) for index in (0, 6, 7, 59))
    assert data.check_cache(cached.folder) == (60, [])
    before = {path: path.stat().st_mtime_ns for path in cached.folder.iterdir() if path.suffix != ".json"}
    cached.write()
    assert capsys.readouterr().out == "" and all(path.stat().st_mtime_ns == t for path, t in before.items())


def test_parts_of_hosts_make_the_whole(source, tmp_path):
    for host in range(4):
        cached = data.ShardedSamples(source, tmp_path)
        cached.write((host, 4), quiet=True)
        assert cached.missing((host, 4)) == []
    assert cached.missing() == [] and data.check_cache(cached.folder) == (60, [])
    with pytest.raises(ValueError, match=r"shard must be i/n with 0 <= i < n, got 4/4"):
        cached.write((4, 4))


def test_other_options_are_another_cache(events_folder, tmp_path):
    folders = set()
    for options in (
        {},
        {"time_steps": 2},
        {"representation": "voxel"},
        {"min_side": 14.0},
        {"image_size": 96},
    ):
        source = data.Gen1Detection(events_folder, batch_size=4, **options).source("train")
        folders.add(data.ShardedSamples(source, tmp_path).folder)
    assert len(folders) == 5


def test_modules_train_from_shards(events_folder, digits_folder, tmp_path):
    for kind, folder, options in (
        (data.Gen1Detection, events_folder, {"representation": "polarity"}),
        (data.CocoDetection, digits_folder, {"image_size": 80, "augment": data.ImageAugment.yolo()}),
    ):
        plain = kind(folder, batch_size=4, horizontal_flip=0.5, cache="memory", **options)
        cached = kind(
            folder, batch_size=4, horizontal_flip=0.5, cache="shards", cache_folder=tmp_path, **options
        )
        cached.prepare_data()
        for ours, theirs in zip(cached.train_dataloader(), plain.train_dataloader(), strict=True):
            assert torch.equal(ours[0], theirs[0])
            assert all(torch.equal(a["boxes"], b["boxes"]) for a, b in zip(ours[1], theirs[1], strict=True))


def test_several_processes_write_the_same(source, tmp_path):
    one, two = data.ShardedSamples(source, tmp_path / "1"), data.ShardedSamples(source, tmp_path / "2")
    one.write(quiet=True)
    two.write(workers=2, quiet=True)
    for number in range(one.shards):
        assert one.path(number).read_bytes() == two.path(number).read_bytes()


def test_crowd_targets_and_empty_targets_are_kept(tmp_path):
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parent))
    import coco_files

    from lampyris.data.coco_source import CocoSource

    value = coco_files.content()
    value["annotations"] = value["annotations"][1:]  # image 10 has no boxes
    folder = data.CocoFolder(coco_files.write(tmp_path / "set", value), "train")
    source = CocoSource(folder, (16, 16), keep_crowd=True)
    cached = data.ShardedSamples(source, tmp_path / "cache")
    cached.write(quiet=True)
    for index in (0, 1):
        ours, theirs = cached.read(index), source.load(index)
        assert {*ours[1]} == {*theirs[1]} and torch.equal(ours[0], theirs[0])
        assert all(torch.equal(ours[1][k], theirs[1][k]) for k in ours[1] if k != "image_id")


def test_defects_are_named(source, tmp_path):
    cached = data.ShardedSamples(source, tmp_path)
    cached.write(quiet=True)
    content = bytearray(cached.path(0).read_bytes())
    content[-1] ^= 1
    cached.path(0).write_bytes(content)
    cached.path(1).write_bytes(cached.path(1).read_bytes()[:-9])
    cached.path(2).unlink()
    cached.path(3).write_bytes(b"")
    cached.path(4).write_bytes(b"\xff" * 40)
    found, problems = data.check_cache(cached.folder)
    reasons = ["have its checksum", "whole shard", "must exist", "got an empty file", "whole shard"]
    assert found == 60 - 4 * 7 and len(problems) == 5
    for number, (problem, reason) in enumerate(zip(problems, reasons, strict=True)):
        assert str(cached.path(number)) in problem and reason in problem
    assert cached.missing() == [2]
    with pytest.raises(ValueError, match="must be a whole shard"):
        cached.read(8)
    (cached.folder / "cache.json").write_text(json.dumps({"shards": 3}))
    with pytest.raises(ValueError, match=r"cache\.json must describe a cache"):
        data.check_cache(cached.folder)


def test_random_damage_never_reads_beyond(source, tmp_path):
    cached = data.ShardedSamples(source, tmp_path)
    cached.write((0, 99), quiet=True)
    whole = cached.path(0).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for position in rng.integers(0, 2000, 3):
            damaged[position] = rng.integers(256)
        cached.path(0).write_bytes(damaged)
        cached._open.clear()
        try:
            for index in range(7):
                cached.read(index)
        except ValueError:
            continue

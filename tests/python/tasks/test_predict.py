"""`lampyris predict` on images, folders, videos and recordings; streams against windows."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from PIL import Image

from lampyris import data, models, nn
from lampyris.cli import main
from lampyris.tasks import detection
from lampyris.tasks.detection.heads import HeadSpec
from lampyris.tasks.detection.stream import stream_recording

NAMES = list("0123456789")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    model = models.ems_yolo(family="tiny")
    path = tmp_path_factory.mktemp("model") / "tiny.pt"
    return detection.save_model(path, model, class_names=NAMES)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """0.85 s of random events on 40 x 48 pixels: sides that are no multiples of the stride."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(1_000, 850_000, 20_000))
    path = tmp_path_factory.mktemp("events") / "a_td.dat"
    columns = {"x": rng.integers(0, 45, t.size), "y": rng.integers(0, 41, t.size)}
    return data.write_dat(path, t=t, polarity=rng.integers(0, 2, t.size), size=(41, 45), **columns)


@pytest.fixture(scope="module")
def events_model():
    torch.manual_seed(0)
    model = models.ems_yolo(family="tiny_events", num_classes=2)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # currents that make neurons fire
            module.running_var.fill_(0.05)
    return model.eval()


def fails(capsys, *arguments):
    assert main(["predict", *map(str, arguments)]) == 1
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and error.startswith("lampyris predict: error: ")
    return error


def test_folder_of_images(checkpoint, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, shape in (("a.png", (50, 90, 3)), ("deep/b.jpg", (120, 70, 3))):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(tmp_path / "in" / name)
    options = ["--out", str(tmp_path / "out"), "--score", "0.001", "--image_size", "80"]
    assert main(["predict", str(checkpoint), str(tmp_path / "in"), *options]) == 0
    assert "2 images" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert {row["image"] for row in found} == {"a.png", "deep/b.jpg"}
    for row in found:  # in pixels of the picture as it was
        width, height = (90, 50) if row["image"] == "a.png" else (70, 120)
        assert 0 <= row["box"][0] <= row["box"][2] <= width and row["box"][3] <= height
    with Image.open(tmp_path / "out" / "deep" / "b.png") as picture:
        assert picture.size == (70, 120)


def test_refusals(checkpoint, recording, tmp_path, capsys):
    assert "must exist, got no such file or folder" in fails(capsys, checkpoint, tmp_path / "none.png")
    (tmp_path / "a.txt").write_text("x")
    assert "must be a folder or end in .jpg" in fails(capsys, checkpoint, tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    assert "must hold images" in fails(capsys, checkpoint, tmp_path / "empty")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "must be a readable image" in fails(capsys, checkpoint, tmp_path / "broken.png")
    error = fails(capsys, checkpoint, recording)
    assert "must be what" in error and "images, got events" in error
    assert "must go with a recording" in fails(capsys, checkpoint, tmp_path / "broken.png", "--stream")
    error = fails(capsys, checkpoint, tmp_path / "empty", "--image_size", 81)
    assert "image_size must be a multiple of 8, got [81, 81]" in error


@pytest.mark.skipif(importlib.util.find_spec("av") is not None, reason="PyAV is installed")
def test_video_without_pyav(checkpoint, tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"0")
    assert "needs PyAV: pip install av" in fails(capsys, checkpoint, tmp_path / "a.mp4")


@pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs PyAV")
def test_video(checkpoint, tmp_path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        track = container.add_stream("mpeg4", rate=10)
        track.width, track.height = 96, 64
        for level in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), level * 80, np.uint8), format="rgb24")
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    options = ["--image_size", "80", "--out", str(tmp_path / "out")]
    assert main(["predict", str(checkpoint), str(tmp_path / "a.mp4"), *options]) == 0
    assert len(list((tmp_path / "out").glob("frame_*.png"))) == 3


def run(model, recording, **options):
    spec = HeadSpec.of(model)
    place = {"time_steps": 4, "step_us": 50_000, "spec": spec, "score_threshold": 0.001}
    return list(stream_recording(model, recording, **place, **options))


def test_reset_stream_equals_windows(events_model, recording):
    """Bit for bit: the same steps, one by one or together."""
    with nn.monitor(events_model) as record:
        together = run(events_model, recording, batch_mode=True)
    assert sum(rate.spikes for rate in record.rates.values()) > 0
    apart = run(events_model, recording, reset=True)
    assert [r.end_us for r in apart] == [r.end_us for r in together] and len(apart) == 4
    for one, two in zip(apart, together, strict=True):
        assert one.events == two.events and torch.equal(one.frames, two.frames)
        assert len(one.detections["boxes"]) > 0
        assert all(torch.equal(one.detections[key], two.detections[key]) for key in one.detections)


def test_kept_state_gives_a_result_per_step(events_model, recording):
    kept = run(events_model, recording)
    assert len(kept) == 17 and sum(r.events for r in kept) > 18_000
    # the first window starts from rest in both ways
    (first, *_) = run(events_model, recording, reset=True)
    assert torch.equal(kept[3].detections["boxes"], first.detections["boxes"])
    later = run(events_model, recording, reset=True)[1]
    assert not torch.equal(kept[7].detections["scores"], later.detections["scores"])


def test_stream_from_the_command_line(events_model, recording, tmp_path, capsys):
    path = detection.save_model(tmp_path / "events.pt", events_model, class_names=["right", "left"])
    options = ["--out", str(tmp_path / "out"), "--score", "0.001", "--pictures", "2"]
    assert main(["predict", str(path), str(recording), "--stream", *options]) == 0
    text = capsys.readouterr().out
    assert "17 results (streamed, state kept)" in text and "events/s" in text and "latency" in text
    rows = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert {row["class"] for row in rows} <= {"right", "left"} and len({row["end_us"] for row in rows}) > 4
    assert len(list((tmp_path / "out").glob("*.png"))) == 2

"""`lampyris report energy` and `lampyris report depth` from the command line."""

import json

import torch

from lampyris import models
from lampyris.cli import main
from lampyris.tasks import detection


def test_energy_of_a_checkpoint(tmp_path, capsys):
    torch.manual_seed(0)
    model = models.ems_yolo(num_classes=2, family="tiny_events", time_steps=4)
    path = detection.save_model(tmp_path / "model.ckpt", model, class_names=["right", "left"])
    out = tmp_path / "energy.json"
    assert main(["report", "energy", str(path), "--images", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "stem.conv" in printed and "papers' formula" in printed
    found = json.loads(out.read_text())
    assert found["samples"] == 2 and found["time_steps"] == 4
    assert main(["report", "energy", str(path), "--images", "0"]) == 1
    assert "images must be >= 1, got 0" in capsys.readouterr().err


def test_depth(tmp_path, capsys):
    assert main(["report", "depth", "--depths", "[10]", "--steps", "2", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "depth.json").read_text())["rows"]
    assert [row["kind"] for row in rows] == ["plain", "sew", "ms", "ems"]
    assert (tmp_path / "depth.png").stat().st_size > 1000
    assert "first / last" in capsys.readouterr().out

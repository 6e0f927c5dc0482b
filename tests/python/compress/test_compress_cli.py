"""`lampyris compress` from a float checkpoint to files, and its errors."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path

import pytest
import torch
import yaml

from lampyris import compress, models
from lampyris.cli import main
from lampyris.tasks import detection


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("float") / "last.ckpt"
    names = [str(i) for i in range(10)]
    return str(detection.save_model(path, models.ems_yolo(image_size=48), class_names=names))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("digits") / "set"
    return json.dumps(
        {"root": str(root), "train": 24, "val": 4, "test": 4, "image_size": 48, "batch_size": 8}
    )


def run(*arguments):
    return main(["compress", *map(str, arguments)])


def test_from_float_to_exact(checkpoint, small, tmp_path, capsys):
    out = tmp_path / "exact"
    options = ["--data_options", small, "--steps", 3, "--time_steps", 2, "--calibration_batches", 1]
    assert run(checkpoint, "--out", out, *options, "--sparsity", 0.5) == 0
    text = capsys.readouterr().out
    assert "float" in text and "quantized" in text and "fine-tuned" in text and "exact.ckpt" in text
    assert sorted(os.listdir(out)) == ["exact.ckpt", "plan.json", "results.json"]
    plan = json.loads((out / "plan.json").read_text())
    assert plan["class_names"] == [str(i) for i in range(10)] and plan["time_steps"] == 2
    results = json.loads((out / "results.json").read_text())
    assert results["sparsity"] > 0.45 and set(results["quantized"]) == {"ap", "ap50", "ap75"}
    model, detector = detection.load_model(out / "exact.ckpt")
    assert compress.plan_of(model) == plan
    assert model.time_steps == detector["time_steps"] == 2
    again, _ = detection.load_model(out / "exact.ckpt")
    x = torch.randint(0, 256, (1, 3, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(model(x), again(x))
    assert run(out / "exact.ckpt", "--out", tmp_path / "b", "--data_options", small) == 1
    assert "must be a float checkpoint, got an exact one" in capsys.readouterr().err


CONFIGS = sorted((Path(__file__).parents[3] / "configs" / "compress").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_hold_arguments_of_the_command(path):
    from lampyris.cli.compress import command

    content = yaml.safe_load(path.read_text())
    assert set(content) <= set(inspect.signature(command).parameters)
    assert f"configs/compress/{path.name}" in path.read_text().splitlines()[0]


def test_a_config_and_an_override(checkpoint, small, tmp_path, capsys):
    path = next(path for path in CONFIGS if path.stem == "digits_tiny")
    options = ["--data_options", small, "--steps", 0, "--evaluate", "none", "--calibration_batches", 1]
    assert run(checkpoint, "--config", path, "--out", tmp_path / "out", *options) == 0
    assert json.loads((tmp_path / "out" / "results.json").read_text())["sparsity"] < 0.2
    with pytest.raises(SystemExit, match="2"):
        run(checkpoint, "--config", tmp_path / "none.yaml")
    assert "File does not exist" in capsys.readouterr().err


def error(capsys, *arguments):
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("lampyris compress: error: ") and captured.err.count("\n") == 1
    return captured.err


def test_errors_are_one_line_and_write_nothing(checkpoint, small, tmp_path, capsys):
    out = tmp_path / "out"
    missing = tmp_path / "none.ckpt"
    assert f"checkpoint {missing} does not exist" in error(capsys, missing, "--out", out)
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(b"PK\x03\x04 not a checkpoint")
    assert "is not a readable checkpoint" in error(capsys, broken, "--out", out)
    assert "target must be one of ems, v1, got 'v9'" in error(
        capsys, checkpoint, "--out", out, "--target", "v9"
    )
    assert "sparsity must be in [0, 1)" in error(capsys, checkpoint, "--out", out, "--sparsity", 2)
    assert "evaluate must be test, val or none" in error(
        capsys, checkpoint, "--out", out, "--evaluate", "all"
    )
    assert "data must be a data module" in error(capsys, checkpoint, "--out", out, "--data", "Digits")
    wrong = '{"rot": "x"}'
    assert "data_options must be arguments of" in error(
        capsys, checkpoint, "--out", out, "--data_options", wrong
    )
    arguments = [checkpoint, "--data_options", small, "--target", "v1", "--evaluate", "none", "--out", out]
    assert "needs a stored stream; remedy: use target ems" in error(capsys, *arguments)
    assert not out.exists() or not os.listdir(out)


def test_unwritable_folder(checkpoint, tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert str(blocked) in error(capsys, checkpoint, "--out", blocked / "out")


def test_checkpoint_of_another_model(tmp_path, small, capsys):
    path = detection.save_model(
        tmp_path / "three.ckpt", models.ems_yolo(num_classes=3), class_names=["a", "b", "c"]
    )
    text = error(capsys, path, "--out", tmp_path / "out", "--data_options", small)
    assert "must have num_classes = 10 as the data, got 3" in text

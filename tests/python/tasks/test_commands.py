"""`lampyris fit`, `validate`, `predict`: a short run, and one clear line for each mistake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from lampyris import data, models
from lampyris.cli import main
from lampyris.tasks import detection

CONFIGS = Path(__file__).parents[3] / "configs"
CONFIG = str(CONFIGS / "digits_tiny.yaml")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data.digits(tmp_path_factory.mktemp("digits") / "set", train=32, val=6, test=6)


@pytest.fixture(scope="module")
def small(root):
    """Overrides that make a run of two batches an epoch."""
    sizes = ["--data.train", "32", "--data.val", "6", "--data.test", "6"]
    return ["--config", CONFIG, "--data.root", str(root), *sizes, "--trainer.enable_progress_bar", "false"]


@pytest.fixture(scope="module")
def run_folder(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a"
    options = ["--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "1", "--folder", str(folder)]
    assert main(["fit", *small, *options]) == 0
    return folder


def test_fit_leaves_a_complete_folder(run_folder):
    names = {path.name.split(".tfevents")[0] for path in run_folder.iterdir()}
    assert {"config.yaml", "results.csv", "samples", "last.ckpt", "best.ckpt", "events.out"} <= names
    rows = (run_folder / "results.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,step,seconds,lr,loss") and len(rows) == 3
    assert sorted(p.name for p in (run_folder / "samples").iterdir()) == ["epoch_000.png", "epoch_001.png"]
    model, about = detection.load_model(run_folder / "last.ckpt")
    assert model.time_steps == 4 and about["class_names"] == list("0123456789")


def test_written_config_runs_again(run_folder, tmp_path):
    config = ["--config", str(run_folder / "config.yaml"), "--folder", str(tmp_path / "b")]
    assert main(["fit", *config, "--trainer.max_epochs", "1", "--trainer.limit_val_batches", "0"]) == 0


def test_validate_and_predict(run_folder, small, tmp_path, capsys):
    checkpoint = ["--ckpt_path", str(run_folder / "last.ckpt"), "--folder", str(tmp_path)]
    assert main(["validate", *small, *checkpoint, "--split", "test", "--protocols", "[coco, ems_yolo]"]) == 0
    printed = capsys.readouterr().out
    assert "ap50" in printed and "ems_yolo" in printed
    names = {"evaluation.json", "curves.png", "confusion.png", "worst.png"}
    assert names <= {path.name for path in (tmp_path / "evaluation").iterdir()}
    assert "protocol must be one of" in fails(capsys, "validate", *small, *checkpoint, "--protocols", "[coc]")
    assert main(["predict", *small, *checkpoint]) == 0
    found = json.loads((tmp_path / "predictions" / "detections.json").read_text())
    assert isinstance(found, list)
    assert (tmp_path / "predictions" / "batch_000.png").exists()


def test_fit_starts_from_the_weights_that_fit(small, tmp_path, capsys):
    other = models.ems_yolo(num_classes=3, family="tiny")
    start = detection.save_model(tmp_path / "start.ckpt", other, class_names=list("abc"))
    model = models.ems_yolo(num_classes=10, family="tiny")
    fresh = model.head.out.weight.clone()
    assert detection.load_matching(model, start) == ["head.out.weight", "head.out.bias"]
    assert torch.equal(model.stem.conv.weight, other.stem.conv.weight)
    assert torch.equal(model.head.out.weight, fresh)
    options = [
        "--trainer.max_epochs",
        "1",
        "--trainer.limit_val_batches",
        "0",
        "--folder",
        str(tmp_path / "run"),
    ]
    assert main(["fit", *small, *options, "--run.start_from", str(start)]) == 0
    assert "fresh: head.out.weight, head.out.bias" in capsys.readouterr().out
    wide = models.ems_yolo(num_classes=3, family="v1")
    torch.save({"state_dict": {"a": torch.zeros(1)}, "detector": {"options": {}}}, tmp_path / "no.ckpt")
    with pytest.raises(ValueError, match="no weight has a name and shape of it"):
        detection.load_matching(wide, tmp_path / "no.ckpt")


def fails(capsys, command, *arguments):
    assert main([command, *map(str, arguments)]) == 1
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and error.startswith(f"lampyris {command}: error: ")
    return error


@pytest.mark.parametrize(
    "text, message",
    [
        ("trainer: {max_epoch: 3}", "unknown key 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?"),
        ("model: {lrr: 2}", "unknown key 'model.lrr'; did you mean 'model.lr'?"),
        ("modle: {lr: 2}", "unknown key 'modle.lr'; did you mean 'model.lr'?"),
        ("model: {lr: fast}", "model.lr must be float, got fast"),
        ("trainer: {max_epochs: x}", "trainer.max_epochs must be int or null, got x"),
        (
            "data: {class_path: lampyris.data.DigitsDetection, init_args: {trian: 3}}",
            "lampyris.data.DigitsDetection has no option 'trian'; did you mean 'train'?",
        ),
        (
            "data: {class_path: lampyris.data.DigitDetection}",
            "lampyris.data has no 'DigitDetection'; did you mean 'DigitsDetection'?",
        ),
        (
            "model: {model: {class_path: lampyris.models.ems_yolo, init_args: {famly: v1}}}",
            "lampyris.models.ems_yolo has no option 'famly'; did you mean 'family'?",
        ),
        ("model: nothere.yaml", "config file 'nothere.yaml' does not exist"),
        ("model: {lr: [1", "Problems parsing config"),
    ],
)
def test_wrong_config(text, message, tmp_path, capsys):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text + "\n")
    error = fails(capsys, "fit", "--config", wrong, "--folder", tmp_path / "run")
    assert message in error
    assert not (tmp_path / "run").exists()


def test_wrong_overrides(small, tmp_path, capsys):
    start = (*small, "--folder", tmp_path / "run")
    assert "did you mean 'trainer.max_epochs'?" in fails(capsys, "fit", *start, "--trainer.max_epoch", 2)
    assert "did you mean 'batch_size'?" in fails(capsys, "fit", *start, "--data.batchsize", 2)
    assert "family must be one of" in fails(capsys, "fit", *start, "--model.model.family", "v3")
    assert "num_classes = 10 as the data, got 3" in fails(
        capsys, "fit", *start, "--model.model.num_classes", 3
    )


def test_missing_files(tmp_path, capsys):
    assert "nothere.yaml" in fails(capsys, "fit", "--config", tmp_path / "nothere.yaml")
    error = fails(capsys, "validate", "--config", CONFIG, "--ckpt_path", tmp_path / "nothere.ckpt")
    assert "nothere.ckpt does not exist" in error
    assert "--ckpt_path must name a checkpoint" in fails(capsys, "predict", "--config", CONFIG)
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in fails(
        capsys, "fit", "--config", CONFIG, "--folder", tmp_path / "file" / "run"
    )


def test_wrong_checkpoints(run_folder, small, tmp_path, capsys):
    other = detection.save_model(
        tmp_path / "v1.pt", models.ems_yolo(family="v1", num_classes=10), class_names=list("0123456789")
    )
    error = fails(capsys, "validate", *small, "--ckpt_path", other)
    assert (
        f"{other} does not fit the model" in error and "entries are missing, first blocks.0.branch" in error
    )
    error = fails(capsys, "fit", *small, "--folder", tmp_path / "x", "--ckpt_path", other)
    assert "holds weights only" in error
    whole = (run_folder / "last.ckpt").read_bytes()
    (tmp_path / "short.ckpt").write_bytes(whole[: len(whole) // 2])
    error = fails(capsys, "validate", *small, "--ckpt_path", tmp_path / "short.ckpt")
    assert "short.ckpt is not a readable checkpoint" in error
    torch.save({"weights": 1}, tmp_path / "odd.ckpt")
    error = fails(capsys, "fit", *small, "--folder", tmp_path / "x", "--ckpt_path", tmp_path / "odd.ckpt")
    assert "it must hold a 'state_dict'" in error


def test_wrong_shapes_are_named(run_folder, tmp_path, capsys):
    model = models.ems_yolo(num_classes=3)
    with pytest.raises(
        ValueError, match=r"head.out.weight has shape \[14, 96, 1, 1\] instead of \[7, 96, 1, 1\]"
    ):
        detection.check_state(model, detection.load_checkpoint(run_folder / "last.ckpt")["state_dict"])


def test_a_finished_run_is_not_overwritten(run_folder, small, capsys):
    error = fails(capsys, "fit", *small, "--folder", run_folder)
    assert "holds a run already" in error and "--ckpt_path" in error


def test_resume_from_last(run_folder, small, tmp_path):
    folder = shutil.copytree(run_folder, tmp_path / "copy")
    options = ["--trainer.max_epochs", "3", "--folder", str(folder), "--ckpt_path", "last"]
    assert main(["fit", *small, *options]) == 0
    assert len((folder / "results.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*_*.yaml")))
def test_every_config_parses(name, tmp_path, capsys):
    """A run is refused only because its folder holds one."""
    (tmp_path / "last.ckpt").write_text("")
    assert "holds a run already" in fails(capsys, "fit", "--config", CONFIGS / name, "--folder", tmp_path)

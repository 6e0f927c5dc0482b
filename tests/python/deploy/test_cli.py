"""`lampyris export`, `verify` and `simulate` on files, and their one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from test_forward import pictures, prepared

from lampyris import models
from lampyris.cli import main
from lampyris.tasks import detection

NAMES = list("0123456789")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """float.ckpt, ems.ckpt, v1.ckpt, ems.safetensors, v1.safetensors, and pictures of 32 x 32 pixels."""
    folder = tmp_path_factory.mktemp("deploy")
    torch.manual_seed(0)
    images = pictures(3)
    detection.save_model(folder / "float.ckpt", models.ems_yolo(family="tiny"), class_names=NAMES)
    for family, target in (("tiny", "ems"), ("v1", "v1")):
        model = prepared(models.ems_yolo(family=family), images, target)
        detection.save_model(folder / f"{target}.ckpt", model, class_names=NAMES)
        arguments = [str(folder / f"{target}.ckpt"), "--out", str(folder / f"{target}.safetensors")]
        assert main(["export", *arguments, "--target", target]) == 0
    (folder / "pictures").mkdir()
    for i, pixels in enumerate(images.numpy()):
        Picture.fromarray(pixels.transpose(1, 2, 0)).save(folder / "pictures" / f"{i}.png")
    np.save(folder / "images.npy", images.numpy())
    return folder


def fails(capsys, *arguments):
    """The one error line of a command that must fail with status 1."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"lampyris {arguments[0]}: error: ")
    return lines[0]


@pytest.mark.parametrize("target", ["ems", "v1"])
@pytest.mark.parametrize("data", ["images.npy", "pictures", "pictures/1.png"])
def test_verify(folder, capsys, target, data):
    files = [str(folder / f"{target}.ckpt"), str(folder / f"{target}.safetensors")]
    report = folder / "report.json"
    assert main(["verify", *files, "--data", str(folder / data), "--images", "2", "--json", str(report)]) == 0
    assert "0 differences of" in capsys.readouterr().out
    content = json.loads(report.read_text())
    assert content["ok"]
    assert content["implementations"] == ["forward", "reference", "device"]
    assert content["images"] == (1 if data.endswith("png") else 2)


def test_verify_finds_a_foreign_image(folder, capsys):
    torch.manual_seed(1)
    model = prepared(models.ems_yolo(family="tiny"), pictures(1), seed=1)
    detection.save_model(folder / "other.ckpt", model, class_names=NAMES)
    arguments = [str(folder / name) for name in ("other.ckpt", "ems.safetensors")]
    assert main(["verify", *arguments, "--data", str(folder / "images.npy"), "--images", "1"]) == 1
    assert "first: stem: stream differs at image 0" in capsys.readouterr().out


def test_verify_with_an_image_for_another_target(folder, capsys):
    arguments = [folder / "ems.ckpt", folder / "v1.safetensors", "--data", folder / "images.npy"]
    assert "image must have target ems as the model, got v1" in fails(capsys, "verify", *arguments)


def test_explain(folder, capsys):
    assert main(["export", str(folder / "ems.ckpt"), "--explain"]) == 0
    assert main(["export", str(folder / "float.ckpt"), "--explain", "--image_size", "32"]) == 0
    capsys.readouterr()
    assert main(["export", str(folder / "float.ckpt"), "--explain", "--target", "v1"]) == 1
    assert "violations of v1" in capsys.readouterr().out


def test_export_errors(folder, capsys, tmp_path):
    assert "does not exist" in fails(capsys, "export", folder / "nothing.ckpt")
    assert "is a float model" in fails(capsys, "export", folder / "float.ckpt")
    line = fails(capsys, "export", folder / "ems.ckpt", "--target", "v1", "--out", tmp_path / "x.safetensors")
    assert "must be prepared for target v1, got ems" in line
    assert "blocks.0.branch.0.conv: stride must be 1, got 2" in line
    assert "target must be one of" in fails(capsys, "export", folder / "ems.ckpt", "--target", "v2")
    (tmp_path / "broken.ckpt").write_bytes(b"not a checkpoint")
    assert "broken.ckpt" in fails(capsys, "export", tmp_path / "broken.ckpt")
    (tmp_path / "file").write_text("")
    line = fails(capsys, "export", folder / "ems.ckpt", "--out", tmp_path / "file" / "x.safetensors")
    assert str(tmp_path / "file") in line
    assert not list(tmp_path.glob("*.safetensors"))


def test_simulate_without_torch(folder):
    code = (
        "import sys; from lampyris.cli import main; status = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules, 'torch was imported'; sys.exit(status)"
    )
    arguments = ["simulate", str(folder / "ems.safetensors"), "--input", str(folder / "pictures")]
    arguments += ["--out", str(folder / "maps.npy")]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "blocks.0.branch.0.lif" in result.stdout
    assert "frames/s" in result.stdout
    assert "input 2: " in result.stdout and " boxes" in result.stdout
    assert np.load(folder / "maps.npy").shape == (3, 14, 4, 4)


@pytest.mark.parametrize("target", ["ems", "v1"])
def test_simulate_random_pixels(folder, capsys, target):
    assert main(["simulate", str(folder / f"{target}.safetensors"), "--seed", "3"]) == 0
    assert "at cell (" in capsys.readouterr().out


def test_simulate_errors(folder, capsys, tmp_path):
    image = folder / "ems.safetensors"
    assert "nothing.safetensors" in fails(capsys, "simulate", folder / "nothing.safetensors")
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.safetensors").write_bytes(content)
    assert "changed.safetensors" in fails(capsys, "simulate", tmp_path / "changed.safetensors")
    assert "does not exist" in fails(capsys, "simulate", image, "--input", tmp_path / "no.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    assert "is not a readable picture" in fails(capsys, "simulate", image, "--input", tmp_path / "broken.png")
    Picture.new("RGB", (31, 32)).save(tmp_path / "small.png")
    line = fails(capsys, "simulate", image, "--input", tmp_path / "small.png")
    assert "must have 32 x 32 pixels, got 32 x 31" in line
    np.save(tmp_path / "float.npy", np.zeros((3, 32, 32)))
    assert "must be uint8" in fails(capsys, "simulate", image, "--input", tmp_path / "float.npy")
    (tmp_path / "empty").mkdir()
    assert "must hold pictures" in fails(capsys, "simulate", image, "--input", tmp_path / "empty")


def test_export_with_check_words(folder, capsys):
    """Written, repaired and reported, refused by --strict."""
    path = folder / "guarded.safetensors"
    options = ["--out", str(path), "--ecc", "row,bias=strong,registers=strong"]
    assert main(["export", str(folder / "ems.ckpt"), *options]) == 0
    assert "check words row,bias=strong,registers=strong: the file is" in capsys.readouterr().out
    plain = (folder / "ems.safetensors").stat().st_size
    assert plain < path.stat().st_size < 1.3 * plain
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    verify = ["verify", str(folder / "ems.ckpt"), str(path), "--images", "1"]
    verify += ["--data", str(folder / "images.npy")]
    assert main(verify) == 0
    said = capsys.readouterr()
    assert "0 differences of" in said.out
    assert said.err.startswith(f"lampyris: weight image {path}: corrected 1 bit on 1 page of layer.")
    for command in (verify, ["simulate", str(path), "--input", str(folder / "pictures")]):
        line = fails(capsys, *command, "--strict")
        assert "expected no wrong bits, got 1 on 1 pages" in line
    assert main(["simulate", str(path), "--input", str(folder / "pictures")]) == 0
    assert "corrected 1 bit on 1 page" in capsys.readouterr().err
    line = fails(capsys, "export", folder / "ems.ckpt", "--out", path, "--ecc", "row,bias=column")
    assert "preset must be one of bram, line, page, row, strong, got column" in line

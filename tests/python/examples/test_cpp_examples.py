"""examples/cpp, built against an installed Lampyris and run without Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lampyris import ops

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "examples" / "cpp"
BUILD = ROOT / "build"
THREADS = {**os.environ, "OMP_NUM_THREADS": "1"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BUILD / "cmake_install.cmake").exists(), reason="nothing is built in build/: make test"
    ),
]


def _run(*command: object, **options) -> str:
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, env=THREADS, **options)
    assert result.returncode == 0, f"{' '.join(words)}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


@pytest.fixture(scope="module")
def programs() -> Path:
    """Folder of the built examples and of _ops.so as installed."""
    prefix, folder = BUILD / "prefix", BUILD / "examples"
    _run("cmake", "--install", BUILD, "--component", "cpp", "--prefix", prefix)
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython_EXECUTABLE={sys.executable}"]
    _run("cmake", "-S", SOURCE, "-B", folder, *options)
    _run("cmake", "--build", folder, "--parallel", "2")
    return folder


@pytest.fixture(scope="module")
def operators(programs) -> Path:
    return next((BUILD / "prefix").glob("lib*/**/_ops.so"))


def test_detect_equals_python(programs, operators, tmp_path):
    _run(sys.executable, SOURCE / "export_detector.py", tmp_path, "--steps", "30")
    out = _run(
        programs / "detect",
        operators,
        tmp_path / "detector.pt2",
        tmp_path / "image.ppm",
        tmp_path / "map.bin",
    )
    assert (tmp_path / "map.bin").read_bytes() == (tmp_path / "expected.bin").read_bytes()
    assert all(line.startswith("class ") for line in out.splitlines())


def test_detect_names_what_is_wrong(programs, operators, tmp_path):
    result = subprocess.run([programs / "detect", "nothing.so", "a", "b"], capture_output=True, text=True)
    assert result.returncode == 1 and "path must name _ops.so" in result.stderr


SHAPES = [(16, 1, 3, 3), (32, 16, 3, 3), (10, 512)]


def _logits(images, first, second, last):
    """The classifier of train.cpp."""
    neuron = {"decay": 0.5, "threshold": 0.5, "membrane": None}
    shown = F.conv2d(images, first, padding=1).expand(4, -1, -1, -1, -1)
    spikes, _ = ops.lif(shown, output="packed", **neuron)
    deeper = ops.spike_conv2d(spikes, second, stride=2, padding=1)
    rates = ops.lif(deeper, surrogate="atan", **neuron)[0].mean(0)
    return rates.flatten(1) @ last.t()


def test_train_learns_with_the_gradients_of_python(programs, operators, tmp_path):
    digits, gradients = tmp_path / "digits.bin", tmp_path / "gradients.bin"
    _run(sys.executable, SOURCE / "write_digits.py", digits)
    out = _run(programs / "train", operators, digits, gradients).splitlines()
    assert len(out) == 6 and float(out[-1].split()[-1]) > 0.85

    values = torch.from_numpy(np.fromfile(gradients, np.float32))
    parts = values.split([int(np.prod(shape)) for shape in SHAPES * 2])
    weights = [p.view(s).clone().requires_grad_() for p, s in zip(parts, SHAPES, strict=False)]
    rows = torch.from_numpy(np.fromfile(digits, np.uint8).reshape(-1, 65)[:64])
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as the program: float32 sums of oneDNN depend on the number of threads
    logits = _logits(rows[:, :64].float().view(-1, 1, 8, 8) / 16, *weights)
    F.cross_entropy(logits, rows[:, 64].long()).backward()
    torch.set_num_threads(before)
    for weight, part in zip(weights, parts[3:], strict=True):
        assert torch.equal(weight.grad.flatten(), part) and part.abs().sum() > 0

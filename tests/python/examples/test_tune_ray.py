"""The Ray Tune example: its trial runs anywhere, the sweep where Ray is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "tune_ray.py"
HAS_RAY = importlib.util.find_spec("ray") is not None


def test_one_trial():
    spec = importlib.util.spec_from_file_location("tune_ray", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    found = example.trial({"lr": 0.01, "box_weight": 4.0, "epochs": 1, "train": 32, "seed": 0})
    assert set(found) == {"ap", "ap50"} and 0 <= found["ap"] <= found["ap50"] <= 1


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_it_says_so():
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True)
    assert done.returncode == 1 and 'needs Ray: pip install "ray[tune]"' in done.stderr


@pytest.mark.skipif(not HAS_RAY, reason="needs ray[tune]")
def test_sweep():
    arguments = ["--trials", "2", "--epochs", "1", "--train", "32"]
    done = subprocess.run([sys.executable, str(EXAMPLE), *arguments], capture_output=True, text=True)
    assert done.returncode == 0 and "best of 2: AP50" in done.stdout

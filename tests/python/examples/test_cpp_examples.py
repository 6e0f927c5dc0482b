"""examples/cpp, built against an installed Lampyris and run without Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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

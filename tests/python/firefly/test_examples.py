"""Docstring examples run, and the tool runs images without Python."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lampyris import firefly

TOOL = Path(__file__).parents[3] / "build" / "firefly-sim"


@pytest.mark.parametrize(
    "name", ["", ".arrays", ".differences", ".driver", ".layers", ".program", ".timing", ".traces"]
)
def test_docstrings(name):
    module = importlib.import_module("lampyris.firefly" + name)
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.failed == 0
    assert result.attempted > 0


def test_torch_stays_unloaded():
    code = "import sys; from lampyris import firefly; firefly.Device(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def tool():
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is not built")
    return TOOL


def test_tool(tool, tmp_path):
    program = firefly.Program(16, 2)
    x = program.input("x", channels=3, height=4, width=4)
    s = program.neuron("lif", x, threshold=10)
    program.output("head", s, np.ones((2, 3, 1, 1), np.int8), np.zeros(2, np.int16))
    image = program.build().save(tmp_path / "net.safetensors")
    np.save(tmp_path / "frame.npy", np.full((1, 3, 4, 4), 20, np.int16))
    done = subprocess.run(
        [tool, image, tmp_path / "frame.npy", "--preset", "kv260"], capture_output=True, text=True, check=True
    )
    assert "lif" in done.stdout and "1.0000" in done.stdout
    assert "output head: int32 [2, 4, 4] in [6, 6]" in done.stdout
    assert "kv260" in done.stdout
    assert subprocess.run([tool, image], capture_output=True, check=True).stdout


def test_tool_refuses(tool, tmp_path):
    np.save(tmp_path / "frame.npy", np.zeros((2, 2)))
    (tmp_path / "broken").write_bytes(b"x" * 200)
    for arguments in (
        [],
        [tmp_path / "missing"],
        [tmp_path / "broken"],
        ["--color"],
        [tmp_path / "broken", "--preset"],
    ):
        done = subprocess.run([tool, *arguments], capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr.startswith("firefly-sim: error: ") and done.stderr.count("\n") == 1


def test_the_page_runs():
    page = (Path(__file__).parents[3] / "docs" / "firefly.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 2
    exec(compile("\n".join(blocks), "docs/firefly.md", "exec"), {})

"""Docstring examples run, as does the page."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".arrays",
        ".board",
        ".boxes",
        ".config",
        ".differences",
        ".driver",
        ".layers",
        ".networks",
        ".program",
        ".pynq_port",
        ".resources",
        ".timing",
        ".traces",
    ],
)
def test_docstrings(name):
    module = importlib.import_module("lampyris.firefly" + name)
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.failed == 0
    assert result.attempted > 0


def test_torch_stays_unloaded():
    code = "import sys; from lampyris import firefly; firefly.Device(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_runs():
    page = (Path(__file__).parents[3] / "docs" / "firefly.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) >= 3
    exec(compile("\n".join(blocks), "docs/firefly.md", "exec"), {})

"""The README's Python runs as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[3] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_block(number):
    command = [sys.executable, "-c", BLOCKS[number]]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    if "verify" in BLOCKS[number]:
        assert result.stdout.startswith("0 differences of ")
        assert "forward == reference == device" in result.stdout


def test_commands_of_the_tour_exist():
    from lampyris.cli import COMMANDS

    named = set(re.findall(r"^lampyris (\w+)", TEXT, re.MULTILINE))
    assert len(named) >= 8 and named <= set(COMMANDS)

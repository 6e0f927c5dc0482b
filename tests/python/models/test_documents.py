"""The Python of docs/detectors.md runs as printed, its table is the networks'; docstring examples run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
import torch

from lampyris import models

TEXT = (Path(__file__).parents[3] / "docs" / "detectors.md").read_text()
MODULES = [info.name for info in pkgutil.iter_modules(models.__path__)]


def test_blocks_of_the_page():
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/detectors.md", "exec"), names)


@pytest.mark.parametrize("key", models.RESNETS)
def test_parameters_of_the_table(key):
    family, depth, variant = key
    with torch.device("meta"):
        networks = [models.ems_yolo(depth, family, variant=variant, num_classes=n) for n in (80, 2)]
    counts = [sum(p.numel() for p in network.parameters()) for network in networks]
    name = f"| `{family}` {depth}" + (f' `variant="{variant}"`' if variant else "") + " |"
    row = next(line for line in TEXT.splitlines() if line.startswith(name))
    assert re.findall(r"\d+,\d{3},\d{3}", row) == [f"{count:,}" for count in counts]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples(module):
    result = doctest.testmod(importlib.import_module(f"lampyris.models.{module}"))
    assert result.failed == 0

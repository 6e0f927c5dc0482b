from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "python" / "lampyris"
MODULES = [
    "_library",
    "memory",
    *(
        f"{folder}.{path.stem}"
        for folder in ("ops", "reference")
        for path in sorted((PACKAGE / folder).glob("[!_]*.py"))
        if not path.stem.startswith("integer")
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(f"lampyris.{name}"))
    assert result.attempted > 0 and result.failed == 0

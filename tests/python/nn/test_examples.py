"""Docstring examples of every layer."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from lampyris import nn

MODULES = [info.name for info in pkgutil.walk_packages(nn.__path__, "lampyris.nn.") if not info.ispkg]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    public = getattr(module, "__all__", ())
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0 or not any(
        isinstance(getattr(module, n), type) for n in public if n in nn.__all__
    )

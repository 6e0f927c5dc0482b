from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "_library",
    "memory",
    *(f"ops.{name}" for name in ("fake_quantize", "lif", "magnitude_mask", "pack_spikes", "spikes")),
    *(f"ops.{name}" for name in ("kernel_log", "spike_conv2d")),
    *(f"reference.{name}" for name in ("fake_quantize", "lif", "magnitude_mask", "pack_spikes")),
    "reference.spike_conv2d",
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(f"lampyris.{name}"))
    assert result.attempted > 0 and result.failed == 0

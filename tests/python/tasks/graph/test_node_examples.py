"""The examples in the docstrings of the node tasks and their data run as printed."""

from __future__ import annotations

import doctest
import importlib

import pytest

TASKS = ("baselines", "centrality", "degree_fits", "networks", "node_classification", "overlap", "results")
MODULES = [
    *(f"lampyris.tasks.graph.{name}" for name in (*TASKS, "top2", "training", "xor")),
    *(f"lampyris.data.{name}" for name in ("graph_files", "graph_pickles", "graph_sets")),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0

"""The examples in the docstrings of the pooling tasks run as printed."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = {
    "bench_graphs": 1,
    "block_models": 1,
    "cluster_sets": 4,
    "clustering": 2,
    "graph_classification": 1,
    "levels": 1,
    "message_passing": 3,
    "pictures": 1,
    "poolers": 1,
    "regions": 2,
    "stochastic_blocks": 1,
}


@pytest.mark.parametrize(("module", "examples"), MODULES.items())
def test_examples(module, examples):
    found = importlib.import_module(f"lampyris.tasks.graph.{module}")
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for test in finder.find(found) if test.examples]
    assert len(tests) == examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert all(runner.run(test).failed == 0 for test in tests)

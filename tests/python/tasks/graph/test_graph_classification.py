"""The Bench graphs through different poolings."""

from __future__ import annotations

import json

import pytest

from lampyris.cli import main
from lampyris.tasks.graph import graph_classification_task


def test_easy_graphs_are_told_apart():
    results = graph_classification_task(
        ["easy"], ["none"], per_class=40, largest=40, seeds=1, epochs=40, lr=5e-3, workers=1
    )
    assert results.mean("Bench easy", "none") > 60  # a third by chance


def test_wrong_names_are_named():
    with pytest.raises(ValueError, match=r"pooling must be one of .*, got 'max'"):
        graph_classification_task(["easy"], ["max"])
    with pytest.raises(ValueError, match="set must be one of easy, hard, got 'medium'"):
        graph_classification_task(["medium"])


def test_command(tmp_path, capsys):
    assert main(["graph", "classification", "--quick", "--folder", str(tmp_path)]) == 0
    assert "test accuracy" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["figures"]["Bench hard"]) == {"none", "mincut", "topk"}
    assert figures["published"]["hard"]["total_variation"] == 75.3

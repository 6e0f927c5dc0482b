"""The Bench graphs through different poolings."""

from __future__ import annotations

import json

import pytest

from lampyris.cli import main
from lampyris.data.graph_files import read_tu
from lampyris.tasks.graph import graph_classification_task
from lampyris.tasks.graph.graph_classification import DEGREES, collection_inputs


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


def write_tu(folder, graphs: int = 24) -> None:
    """Paths (class -1) and cycles (class 1) of 4 to 7 nodes, without features."""
    edges, owner, labels, first = [], [], [], 1
    for number in range(graphs):
        nodes, closed = 4 + number % 4, number % 2
        pairs = [(first + i, first + i + 1) for i in range(nodes - 1)]
        pairs += [(first + nodes - 1, first)] if closed else []
        edges += [f"{a}, {b}\n{b}, {a}" for a, b in pairs]
        owner += [str(number + 1)] * nodes
        labels.append("1" if closed else "-1")
        first += nodes
    for name, lines in (("A", edges), ("graph_indicator", owner), ("graph_labels", labels)):
        (folder / f"toy_{name}.txt").write_text("\n".join(lines) + "\n")


def test_a_tu_folder(tmp_path):
    write_tu(tmp_path)
    collection = read_tu(tmp_path)
    x, row_ptr, col = collection_inputs(collection)[1]  # a cycle of five
    assert x.shape == (5, DEGREES + 1) and (x[:, 2] == 1).all()
    assert row_ptr.tolist() == [0, 2, 4, 6, 8, 10] and col.tolist() == [1, 4, 0, 2, 1, 3, 2, 4, 0, 3]
    results = graph_classification_task(
        None, ["none", "mincut"], folder=str(tmp_path), seeds=1, epochs=60, batch=8, lr=0.01, workers=1
    )
    # Only paths have nodes of degree 1: no network of this kind may miss it.
    assert results.values["toy"]["none"] == [100.0]
    assert set(results.values["toy"]) == {"none", "mincut"}
    with pytest.raises(ValueError, match="must have one NAME_A"):
        graph_classification_task(folder=str(tmp_path / "nowhere"))


def test_too_few_graphs_for_a_split():
    with pytest.raises(ValueError, match="graphs must be >= 10 for the split, got 9"):
        graph_classification_task(["easy"], ["none"], per_class=3)

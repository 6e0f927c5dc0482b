"""Planetoid, .npz and TU files: read, or refused with one error; nothing in a pickle runs."""

from __future__ import annotations

import os
import pickle
from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris.data.graph_files import read_graph, read_npz, read_planetoid, read_tu
from lampyris.data.graph_pickles import read_pickle

# Five nodes: 0 to 2 known, 3 and 5 tested (in the order 5, 3), 4 left out as in CiteSeer.
KNOWN = np.array([[1, 0, 1], [0, 2, 0], [0, 0, 0]], np.float32)
TESTED = np.array([[0, 0, 4], [3, 1, 0]], np.float32)  # of nodes 3 and 5, in the order of the numbers' file
GRAPH = {0: [1, 5], 1: [0], 2: [2], 3: [0], 4: [], 5: [0]}


def _classes(*labels: int) -> np.ndarray:
    return np.eye(3, dtype=np.int32)[list(labels)]


@pytest.fixture
def planetoid(tmp_path):
    parts = {
        "allx": scipy.sparse.csr_matrix(KNOWN),
        "tx": scipy.sparse.csr_matrix(TESTED),
        "ally": _classes(0, 2, 1),
        "ty": _classes(1, 0),
        "y": _classes(0, 2),
        "graph": defaultdict(list, GRAPH),
    }

    def write(protocol: int = 2, **others):
        for name, part in {**parts, **others}.items():
            (tmp_path / f"ind.toy.{name}").write_bytes(pickle.dumps(part, protocol))
        (tmp_path / "ind.toy.test.index").write_text("5\n3\n")
        return tmp_path

    return write


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_planetoid_by_hand(planetoid, protocol):
    graph = read_planetoid(planetoid(protocol), "toy")
    assert graph.x.tolist() == [
        [0.5, 0, 0.5],
        [0, 1, 0],
        [0, 0, 0],
        [0.75, 0.25, 0],
        [0, 0, 0],
        [0, 0, 1],
    ]
    assert graph.y.tolist() == [0, 2, 1, 0, -1, 1]
    assert graph.train.tolist() == [0, 1] and graph.val.tolist() == [2] and graph.test.tolist() == [3, 5]
    assert sorted(zip(*graph.edge_index.tolist(), strict=True)) == [
        (0, 1), (0, 3), (0, 5), (1, 0), (3, 0), (5, 0),
    ]  # fmt: skip


def test_any_file_of_planetoid_names_the_set(planetoid):
    folder = planetoid()
    for name in ("ind.toy", "ind.toy.graph", "ind.toy.test.index"):
        assert read_graph(folder / name).num_nodes == 6
    with pytest.raises(ValueError, match=r"must end in \.npz or be ind\.NAME of Planetoid, got .*graph\.txt"):
        read_graph(folder / "graph.txt")
    with pytest.raises(OSError, match="cora"):
        read_graph(folder / "ind.cora")


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        ("allx", [1, 2], "must hold a sparse matrix, got list"),
        ("tx", scipy.sparse.csr_matrix(KNOWN), "a row for each of 2 test nodes"),
        ("ty", 7, "matrix of classes, got int"),
        ("graph", [1], "dictionary of neighbours, got list"),
        ("graph", {0: [6]}, "name nodes in .0, 6"),
        ("graph", {0: "abc"}, "map numbers to lists"),
        ("ally", _classes(0), "must have 3 rows, got 1"),
    ],
)
def test_what_is_not_planetoid_is_named(planetoid, part, value, text):
    with pytest.raises(ValueError, match=text):
        read_planetoid(planetoid(**{part: value}), "toy")


class _Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_code_of_a_pickle_runs(tmp_path, protocol):
    witness = tmp_path / "ran"
    for evil in (
        _Evil(os.mkdir, str(witness)),
        _Evil(eval, f"__import__('os').mkdir({str(witness)!r})"),
        _Evil(getattr, "text", "upper"),
        np.array([_Evil(os.mkdir, str(witness))], object),
    ):
        path = tmp_path / "evil"
        path.write_bytes(pickle.dumps([evil], protocol))
        with pytest.raises(ValueError, match="must be a pickle of arrays and lists, got the name"):
            read_pickle(path)
    assert not witness.exists()


def test_arrays_of_objects_and_wrong_sizes_are_refused(tmp_path):
    path = tmp_path / "a"
    for array in (np.array(["a"]), np.array([1 + 2j])):
        path.write_bytes(pickle.dumps(array, 2))
        with pytest.raises(ValueError, match="an array of"):
            read_pickle(path)
    content = pickle.dumps(np.arange(5, dtype=np.int32), 2)
    path.write_bytes(content.replace(b"K\x05\x85", b"K\x06\x85"))  # shape (6,) over five numbers
    with pytest.raises(ValueError, match="cannot reshape"):
        read_pickle(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_pickles_give_one_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "broken"
    whole = bytearray(pickle.dumps(scipy.sparse.csr_matrix(KNOWN), data.draw(st.sampled_from([0, 2, 4]))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        read_pickle(path)
    except ValueError as error:
        assert str(error).startswith(f"graph files: {path} must be a pickle of arrays and lists")


def test_npz_of_both_layouts(tmp_path):
    path = tmp_path / "a.npz"
    adjacency = scipy.sparse.csr_matrix(np.array([[0, 1], [0, 0]]))
    features = scipy.sparse.csr_matrix(np.array([[0, 2.0, 0], [1, 0, 0]]))
    arrays = {
        f"{name}_{part}": getattr(matrix, part)
        for name, matrix in (("adj", adjacency), ("attr", features))
        for part in ("data", "indices", "indptr", "shape")
    }
    np.savez(path, **arrays, labels=[1, 0], class_names=np.array(["x", None], object))
    graph = read_graph(path)
    assert graph.x.tolist() == [[0, 2, 0], [1, 0, 0]] and graph.edge_index.tolist() == [[1, 0], [0, 1]]
    assert graph.y.tolist() == [1, 0] and graph.train is None
    np.savez(path, x=np.eye(3), edge_index=np.array([[2], [0]]), y=[0, 1, -1])
    assert read_npz(path).edge_index.tolist() == [[2, 0], [0, 2]]


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": np.eye(2), "y": [0, 1]}, "must have x, edge_index, y or adj"),
        ({"x": np.eye(2), "y": [0, 1], "edge_index": [[0], [2]]}, r"name nodes in \[0, 2\), got 2"),
        ({"x": np.eye(2), "y": [0], "edge_index": [[0], [1]]}, "a class below N for each of 2 nodes"),
        ({"x": np.eye(2) * np.nan, "y": [0, 1], "edge_index": [[0], [1]]}, "finite features"),
        ({"x": np.eye(2), "y": [0, 1], "edge_index": [[0.5], [1]]}, "integer edges"),
        (
            {"adj_indices": [9], "adj_indptr": [0, 1], "adj_shape": [1, 1], "labels": [0]},
            "sound sparse rows",
        ),
        (
            {"adj_indices": [0], "adj_indptr": [0, 1], "adj_shape": [1 << 40, 1], "labels": [0]},
            "sound sparse rows",
        ),
    ],
)
def test_what_is_not_a_graph_is_named(tmp_path, arrays, text):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=text):
        read_npz(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_archives_give_one_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "broken.npz"
    np.savez(path, x=np.eye(2), edge_index=np.array([[0], [1]]), y=[0, 1])
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        read_npz(path)
    except ValueError as error:
        assert str(error).startswith("graph files: ") or str(error).startswith("undirected: ")


@pytest.fixture
def tu(tmp_path):
    texts = {
        "A": "1, 2\n2, 1\n4, 3\n",
        "graph_indicator": "1\n1\n2\n2\n",
        "graph_labels": "1\n-1\n",
        "node_labels": "0\n5\n5\n0\n",
        "node_attributes": "0.5, 1\n1, 2\n1, 3\n0, 0\n",
    }

    def write(**others):
        for name, text in {**texts, **others}.items():
            (tmp_path / f"TOY_{name}.txt").write_text(text)
        return tmp_path

    return write


def test_tu_by_hand(tu):
    graphs = read_tu(tu())
    assert graphs.name == "TOY" and graphs.y.tolist() == [1, 0] and graphs.graph_ptr.tolist() == [0, 2, 4]
    assert graphs.edge_index.tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]
    assert graphs.x.tolist() == [[0.5, 1, 1, 0], [1, 2, 0, 1], [1, 3, 0, 1], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("part", "text", "error"),
    [
        ("A", "1, 9\n", r"name nodes in \[0, 4\), got 8"),
        ("A", "1, x\n", "lines of numbers"),
        ("A", "1\n", "fewer than 2 numbers"),
        ("A", "2, 3\n", "nodes of one graph"),
        ("graph_indicator", "2\n1\n1\n1\n", "rise from 1"),
        ("node_labels", "1\n", "have 4 lines, got 1"),
    ],
)
def test_what_is_not_tu_is_named(tu, part, text, error):
    with pytest.raises(ValueError, match=error):
        read_tu(tu(**{part: text}))


def test_a_folder_without_tu_files(tmp_path):
    with pytest.raises(ValueError, match=r"must have one NAME_A\.txt, got 0"):
        read_tu(tmp_path)

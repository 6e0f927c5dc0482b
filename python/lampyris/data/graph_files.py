"""Readers of graph data sets that the user has: Planetoid, .npz and TU files.

Whatever the bytes are, a file is read or refused with one ValueError that names it. Planetoid files are
pickles; they are read by an unpickler that knows numbers, lists, dictionaries, arrays and sparse matrices
and builds nothing else, so that no code of a file ever runs.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .graph_pickles import SparseRows, read_pickle
from .graph_sets import NodeGraph
from .graphs import undirected

__all__ = ["GraphCollection", "read_graph", "read_npz", "read_planetoid", "read_tu"]

VALIDATION_NODES = 500
"""Of the Planetoid split: the nodes after those for training."""


@dataclass(frozen=True)
class GraphCollection:
    """Graphs side by side, each with a class.

    Attributes:
        name: of the data set.
        x: float32 [N, F], node attributes, then one-hot node labels; F = 0 where the files have neither.
        edge_index: int64 [2, E], node numbers of the union, both directions.
        graph_ptr: int64 [G + 1]: nodes graph_ptr[g] to graph_ptr[g + 1] belong to graph g.
        y: int64 [G], classes from 0.
    """

    name: str
    x: Tensor
    edge_index: Tensor
    graph_ptr: Tensor
    y: Tensor


def read_graph(path: str | Path) -> NodeGraph:
    """A graph with labelled nodes: .npz, or Planetoid by any of its files or "folder/ind.NAME".

    Raises:
        ValueError: neither, or the content is not sound.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return read_npz(path)
    name = re.fullmatch(r"ind\.([^.]+)(\.\w+|\.test\.index)?", path.name)
    if name is None:
        raise ValueError(f"graph files: path must end in .npz or be ind.NAME of Planetoid, got {path}")
    return read_planetoid(path.parent, name[1])


def read_planetoid(folder: str | Path, name: str) -> NodeGraph:
    """Cora, CiteSeer or PubMed as Planetoid has them: ind.NAME.{allx,tx,ally,ty,y,graph,test.index}.

    Features are divided by the sum of their row, as is usual. Test nodes that the files leave out
    (CiteSeer) have zero features and class -1. The split is the published one: ``y`` first nodes for
    training, 500 more for validation, the test index for test.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not what it should be.
    """
    files = {part: Path(folder) / f"ind.{name}.{part}" for part in ("allx", "tx", "ally", "ty", "y", "graph")}
    parts = {part: read_pickle(path) for part, path in files.items()}
    index = _numbers(Path(folder) / f"ind.{name}.test.index", int)[:, 0]
    for part in ("allx", "tx"):
        if not isinstance(parts[part], SparseRows):
            _refuse(files[part], "hold a sparse matrix", type(parts[part]).__name__)
    for part in ("ally", "ty", "y"):
        if not isinstance(parts[part], np.ndarray) or parts[part].ndim != 2:
            _refuse(files[part], "hold a matrix of classes", type(parts[part]).__name__)
    if not isinstance(parts["graph"], dict):
        _refuse(files["graph"], "hold a dictionary of neighbours", type(parts["graph"]).__name__)
    known, tested = parts["allx"].dense(files["allx"]), parts["tx"].dense(files["tx"])
    first = len(known)
    if len(index) != len(tested) or len(set(index.tolist())) != len(index) or (index < first).any():
        _refuse(files["tx"], f"have a row for each of {len(index)} test nodes from {first}", len(tested))
    nodes = int(index.max()) + 1 if len(index) else first
    if nodes > first + 100 * (len(index) + 1):
        _refuse(files["tx"], "have test nodes close together", f"node {nodes - 1}")
    if known.shape[1] != tested.shape[1] or parts["ally"].shape[1] != parts["ty"].shape[1]:
        _refuse(files["tx"], f"have {known.shape[1]} features", tested.shape[1])
    if len(parts["ally"]) != first or len(parts["ty"]) != len(index) or len(parts["y"]) > first:
        _refuse(files["ally"], f"have {first} rows", len(parts["ally"]))
    x, y = np.zeros((nodes, known.shape[1]), np.float32), np.full(nodes, -1, np.int64)
    x[:first], x[index] = known, tested
    y[:first], y[index] = parts["ally"].argmax(1), parts["ty"].argmax(1)
    x /= np.maximum(x.sum(1, keepdims=True), 1e-12)
    train = len(parts["y"])
    return NodeGraph(
        name,
        torch.from_numpy(x),
        _dictionary_edges(parts["graph"], nodes, files["graph"]),
        torch.from_numpy(y),
        torch.arange(train),
        torch.arange(train, min(train + VALIDATION_NODES, first)),
        torch.from_numpy(np.sort(index)),
    )


def read_npz(path: str | Path) -> NodeGraph:
    """A graph in an .npz file: Amazon and Coauthor sets as they are published, or plain arrays.

    Either ``adj_data, adj_indices, adj_indptr, adj_shape`` with ``attr_...`` alike (or ``attr_matrix``)
    and ``labels``; or ``x`` [N, F], ``edge_index`` [2, E], ``y`` [N]. Objects in the file are not read.

    Raises:
        OSError: no such file.
        ValueError: the content is not sound.

    Example:
        >>> import numpy as np, tempfile
        >>> path = tempfile.mkdtemp() + "/two.npz"
        >>> np.savez(path, x=np.eye(2), edge_index=[[0], [1]], y=[0, 1])
        >>> read_npz(path).edge_index.tolist()
        [[1, 0], [0, 1]]
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            names = set(file.files)
            wanted = [n for n in names if re.match(r"(adj|attr)_(data|indices|indptr|shape|matrix)$", n)]
            wanted += sorted(names & {"x", "edge_index", "y", "labels"})
            arrays = {name: file[name] for name in wanted}
    except OSError as error:
        if error.errno is not None:
            raise
        _refuse(path, "be an .npz file", "other bytes")
    except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, MemoryError, SyntaxError) as error:
        raise ValueError(f"graph files: {path} must be a sound .npz file, got {error}") from None
    except Exception as error:  # zlib.error, NotImplementedError and what else a broken archive raises
        raise ValueError(f"graph files: {path} must be a sound .npz file, got {error!r}") from None
    if {"x", "edge_index", "y"} <= arrays.keys():
        x, edges, y = arrays["x"], arrays["edge_index"], arrays["y"]
    elif {"adj_indices", "adj_indptr", "adj_shape", "labels"} <= arrays.keys():
        adjacency = SparseRows.of(arrays, "adj_", path)
        edges, y = adjacency.pairs(path), arrays["labels"]
        if "attr_matrix" in arrays:
            x = arrays["attr_matrix"]
        elif "attr_data" in arrays:
            x = SparseRows.of(arrays, "attr_", path).dense(path)
        else:
            x = np.eye(adjacency.shape[0], dtype=np.float32)
    else:
        _refuse(path, "have x, edge_index, y or adj_..., labels", sorted(names))
    return _node_graph(path, x, edges, y)


def read_tu(folder: str | Path) -> GraphCollection:
    """A TU data set: NAME_A.txt, NAME_graph_indicator.txt, NAME_graph_labels.txt, and where they are
    NAME_node_labels.txt, NAME_node_attributes.txt.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not what it should be.
    """
    folder = Path(folder)
    found = sorted(folder.glob("*_A.txt"))
    if len(found) != 1:
        raise ValueError(f"graph files: {folder} must have one NAME_A.txt, got {len(found)}")
    name = found[0].name[: -len("_A.txt")]
    owner_file = folder / f"{name}_graph_indicator.txt"
    owner = _numbers(owner_file, int)[:, 0] - 1  # graphs and nodes count from 1
    label_file = folder / f"{name}_graph_labels.txt"
    labels = _numbers(label_file, int)[:, 0]
    nodes, graphs = len(owner), len(labels)
    if nodes and ((np.diff(owner) < 0).any() or owner[0] < 0 or owner[-1] >= graphs):
        _refuse(owner_file, f"rise from 1 to at most {graphs}", f"{owner.min() + 1} to {owner.max() + 1}")
    edges = _numbers(found[0], int, 2).T - 1
    _check_nodes(found[0], edges, nodes)
    if edges.size and (owner[edges[0]] != owner[edges[1]]).any():
        _refuse(found[0], "join nodes of one graph", "an edge between two graphs")
    features = []
    attributes = folder / f"{name}_node_attributes.txt"
    if attributes.exists():
        features.append(_numbers(attributes, float, None))
    node_labels = folder / f"{name}_node_labels.txt"
    if node_labels.exists():
        kinds = np.unique(_numbers(node_labels, int)[:, 0], return_inverse=True)[1]
        features.append(np.eye(kinds.max(initial=-1) + 1)[kinds])
    for values, file in zip(features, (f for f in (attributes, node_labels) if f.exists()), strict=True):
        if len(values) != nodes:
            _refuse(file, f"have {nodes} lines", len(values))
    x = np.concatenate([np.zeros((nodes, 0)), *features], 1)
    return GraphCollection(
        name,
        torch.from_numpy(x).float(),
        undirected(edges, nodes),
        torch.from_numpy(np.searchsorted(owner, np.arange(graphs + 1))),
        torch.from_numpy(np.unique(labels, return_inverse=True)[1]).long(),
    )


def _refuse(path: Path, contract: str, got: object) -> None:
    raise ValueError(f"graph files: {path} must {contract}, got {got}")


def _check_nodes(path: Path, edges: np.ndarray, nodes: int) -> None:
    wrong = edges[(edges < 0) | (edges >= nodes)]
    if wrong.size:
        _refuse(path, f"name nodes in [0, {nodes})", int(wrong[0]))


def _numbers(path: Path, kind: type, columns: int | None = 1) -> np.ndarray:
    """Lines of numbers between commas or blanks: [lines, columns]; None takes the first line's count."""
    try:
        rows = [line.replace(",", " ").split() for line in path.read_text().splitlines() if line.strip()]
        width = columns if columns is not None else len(rows[0]) if rows else 1
        if any(len(row) < width for row in rows):
            raise ValueError(f"a line with fewer than {width} numbers")
        return (
            np.array([[kind(word) for word in row[:width]] for row in rows])
            .reshape(len(rows), width)
            .astype(np.int64 if kind is int else np.float64)
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"graph files: {path} must hold lines of numbers, got {error}") from None


def _dictionary_edges(graph: dict, nodes: int, path: Path) -> Tensor:
    pairs = []
    for node, neighbours in graph.items():
        if not isinstance(node, int) or not isinstance(neighbours, list):
            _refuse(path, "map numbers to lists", f"{type(node).__name__} to {type(neighbours).__name__}")
        for other in neighbours:
            if not isinstance(other, int) or not 0 <= other < nodes or not 0 <= node < nodes:
                _refuse(path, f"name nodes in [0, {nodes})", f"{node!r} and {other!r}"[:80])
            pairs.append((other, node))
    return undirected(np.array(pairs, np.int64).reshape(-1, 2).T, nodes)


def _node_graph(path: Path, x: np.ndarray, edges: np.ndarray, y: np.ndarray) -> NodeGraph:
    """Checked arrays as a NodeGraph, edges in both directions."""
    if x.ndim != 2 or x.dtype.kind not in "fiub" or not np.isfinite(x).all():
        _refuse(path, "have finite features [N, F]", f"{x.dtype} {list(x.shape)}")
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or (len(y) and int(y.max()) > len(y)):
        _refuse(path, f"have a class below N for each of {len(x)} nodes", f"{y.dtype} {list(y.shape)}")
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        _refuse(path, "have integer edges [2, E]", f"{edges.dtype} {list(edges.shape)}")
    _check_nodes(path, edges, len(x))
    return NodeGraph(
        path.stem,
        torch.from_numpy(np.ascontiguousarray(x, np.float32)),
        undirected(edges.astype(np.int64), len(x)),
        torch.from_numpy(np.maximum(y.astype(np.int64), -1)),
    )

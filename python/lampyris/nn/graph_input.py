"""Graphs as users have them, `edge_index`, compressed rows, PyG's `Data`, turned into compressed rows.

Every graph layer reads compressed rows by destination: node i hears from ``col[row_ptr[i]:row_ptr[i + 1]]``.
A conversion is done once for each ``edge_index`` object and kept as long as that object lives unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["GraphRows", "csr_from_edge_index", "edge_index_from_csr", "graph_csr", "graph_ptr_from_batch"]

_converted: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


class GraphRows(NamedTuple):
    """Compressed rows by destination.

    Attributes:
        row_ptr: [N + 1] int64, N destinations.
        col: [E] int64, the sources of each destination, in the order in which the edges came.
        edge: [E] int64, the place of each entry of ``col`` in ``edge_index``: ``weight[edge]`` puts values
            given per edge in the order of ``col``. None when compressed rows were given.
    """

    row_ptr: Tensor
    col: Tensor
    edge: Tensor | None


def graph_csr(graph, num_nodes: int | None = None, num_sources: int | None = None) -> GraphRows:
    """Compressed rows of any graph that the graph layers accept.

    Args:
        graph: ``edge_index`` [2, E] integer, (source, destination); or the pair (row_ptr [N + 1], col [E]);
            or an object with an ``edge_index``, as PyG's ``Data``.
        num_nodes: number of destinations N, usually x.shape[0]; None: one more than the largest index
            (or the object's ``num_nodes``).
        num_sources: number of sources of a bipartite graph (neighbour sampling); N when None.

    Returns:
        The rows; ``edge`` is None for a pair.

    Raises:
        TypeError: none of these.
        ValueError: a shape, dtype or device is wrong, or an index is out of range. Under torch.compile
            ranges are left to the operators.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[2, 0, 1], [0, 1, 0]])
        >>> rows = graph_csr(edge_index, num_nodes=3)
        >>> rows.row_ptr.tolist(), rows.col.tolist(), rows.edge.tolist()
        ([0, 2, 3, 3], [2, 1, 0], [0, 2, 1])
        >>> graph_csr((rows.row_ptr, rows.col), num_nodes=3).edge is None
        True
    """
    if isinstance(graph, Tensor):
        return csr_from_edge_index(graph, num_nodes, num_sources)
    if isinstance(graph, (tuple, list)) and len(graph) in (2, 3) and isinstance(graph[0], Tensor):
        return _checked_rows(*graph[:2], num_nodes, num_sources)
    if isinstance(getattr(graph, "edge_index", None), Tensor):
        nodes = getattr(graph, "num_nodes", None) if num_nodes is None else num_nodes
        return csr_from_edge_index(graph.edge_index, nodes, num_sources)
    raise TypeError(
        "graph input: graph must be edge_index [2, E], (row_ptr, col) or an object with an edge_index,"
        f" got {type(graph).__name__}"
    )


def csr_from_edge_index(
    edge_index: Tensor, num_nodes: int | None = None, num_sources: int | None = None
) -> GraphRows:
    """Sort the edges by destination, stable: within a row they keep the order in which they came.

    The result is kept for this ``edge_index`` object until it is changed in place or dies. Under
    torch.compile it is computed in the graph, and ``num_nodes`` must be given.

    Args:
        edge_index: [2, E], any integer dtype: sources, destinations.
        num_nodes: number of destinations; None: one more than the largest index.
        num_sources: number of sources; ``num_nodes`` when None.

    Returns:
        The rows on the device of ``edge_index``.

    Raises:
        ValueError: shape, dtype, or an index out of range, named with its place.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> csr_from_edge_index(edge_index, 2).col is csr_from_edge_index(edge_index, 2).col
        True
    """
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"graph input: edge_index must be [2, E], got {list(edge_index.shape)}")
    _check_integer("edge_index", edge_index)
    if torch.compiler.is_compiling():
        if num_nodes is None:
            raise ValueError("graph input: num_nodes must be given under torch.compile, got None")
        return _sort(edge_index, num_nodes)
    key = (num_nodes, num_sources)
    version = None if edge_index.is_inference() else edge_index._version
    found = _converted.get(edge_index)
    if version is not None and found is not None and found[0] == version and key in found[1]:
        return found[1][key]
    nodes, sources = num_nodes, num_sources
    if nodes is None:
        rows = edge_index if sources is None else edge_index[1]
        nodes = int(rows.max()) + 1 if rows.numel() else 0
    sources = nodes if sources is None else sources
    _check_range("edge_index[0]", edge_index[0], sources)
    _check_range("edge_index[1]", edge_index[1], nodes)
    rows = _sort(edge_index, nodes)
    if version is not None:
        kept = found[1] if found is not None and found[0] == version else {}
        _converted[edge_index] = (version, {**kept, key: rows})
    return rows


def edge_index_from_csr(row_ptr: Tensor, col: Tensor) -> Tensor:
    """The edges of compressed rows as edge_index [2, E] int64, sorted by destination.

    Args:
        row_ptr: [N + 1] integer, from 0 to E, never falling.
        col: [E] integer, >= 0.

    Raises:
        ValueError: shapes, dtypes or pointers are not these.

    Example:
        >>> import torch
        >>> edge_index_from_csr(torch.tensor([0, 2, 3]), torch.tensor([1, 0, 1])).tolist()
        [[1, 0, 1], [0, 0, 1]]
    """
    sources = int(col.max()) + 1 if col.numel() and not torch.compiler.is_compiling() else 0
    rows = _checked_rows(row_ptr, col, None, sources)
    node = torch.arange(rows.row_ptr.shape[0] - 1, device=col.device)
    target = torch.repeat_interleave(node, rows.row_ptr.diff(), output_size=col.shape[0])
    return torch.stack([rows.col, target])


def graph_ptr_from_batch(batch: Tensor, num_graphs: int | None = None) -> Tensor:
    """Pointers from a batch vector: nodes graph_ptr[g] to graph_ptr[g + 1] belong to graph g.

    Args:
        batch: [N], any integer dtype, the graph of each node, never falling.
        num_graphs: B; None: one more than the largest entry. Must be given under torch.compile.

    Returns:
        [B + 1] int64; a graph that is not named is empty.

    Raises:
        ValueError: shape, dtype, an entry out of range, or an unsorted batch, named with its place.

    Example:
        >>> import torch
        >>> graph_ptr_from_batch(torch.tensor([0, 0, 2])).tolist()
        [0, 2, 2, 3]
    """
    if batch.dim() != 1:
        raise ValueError(f"graph input: batch must be [N], got {list(batch.shape)}")
    _check_integer("batch", batch)
    batch = batch.long()
    if torch.compiler.is_compiling():
        if num_graphs is None:
            raise ValueError("graph input: num_graphs must be given under torch.compile, got None")
    else:
        falls = (batch.diff() < 0).nonzero()
        if len(falls):
            place = int(falls[0]) + 1
            raise ValueError(
                f"graph input: batch must not fall, got {int(batch[place])} after {int(batch[place - 1])}"
                f" at [{place}]"
            )
        if num_graphs is None:
            num_graphs = int(batch[-1]) + 1 if batch.numel() else 0
        _check_range("batch", batch, num_graphs)
    return torch.searchsorted(batch, torch.arange(num_graphs + 1, device=batch.device))


def _sort(edge_index: Tensor, nodes: int) -> GraphRows:
    source, destination = edge_index[0].long(), edge_index[1].long()
    destination, edge = torch.sort(destination, stable=True)
    row_ptr = torch.searchsorted(destination, torch.arange(nodes + 1, device=edge_index.device))
    return GraphRows(row_ptr, source[edge], edge)


def _checked_rows(row_ptr: Tensor, col: Tensor, nodes: int | None, sources: int | None) -> GraphRows:
    for name, value in (("row_ptr", row_ptr), ("col", col)):
        if not isinstance(value, Tensor) or value.dim() != 1:
            got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"graph input: {name} must be [{'N + 1' if name == 'row_ptr' else 'E'}], got {got}"
            )
        _check_integer(name, value)
    if row_ptr.device != col.device:
        raise ValueError(
            f"graph input: row_ptr and col must be on one device, got {row_ptr.device} and {col.device}"
        )
    if row_ptr.shape[0] != (row_ptr.shape[0] if nodes is None else nodes + 1) or row_ptr.shape[0] == 0:
        expected = "N + 1" if nodes is None else nodes + 1
        raise ValueError(f"graph input: row_ptr must be [{expected}], got {list(row_ptr.shape)}")
    if not torch.compiler.is_compiling():
        _check_rows(row_ptr, col, row_ptr.shape[0] - 1 if sources is None else sources)
    return GraphRows(row_ptr.long(), col.long(), None)


def _check_rows(row_ptr: Tensor, col: Tensor, sources: int) -> None:
    """Once for each pair of objects: what has been seen right is not read again."""
    inference = row_ptr.is_inference() or col.is_inference()
    state = None if inference else (id(row_ptr), row_ptr._version, col._version, sources)
    if state is not None and _converted.get(col) == state:
        return
    falls = (row_ptr.diff() < 0).nonzero()
    if len(falls):
        place = int(falls[0]) + 1
        raise ValueError(
            f"graph input: row_ptr must not fall, got {int(row_ptr[place])} after {int(row_ptr[place - 1])}"
            f" at [{place}]"
        )
    if int(row_ptr[0]) != 0 or int(row_ptr[-1]) != col.shape[0]:
        raise ValueError(
            f"graph input: row_ptr must rise from 0 to {col.shape[0]},"
            f" got {int(row_ptr[0])} to {int(row_ptr[-1])}"
        )
    _check_range("col", col, sources)
    if state is not None:
        _converted[col] = state


def _check_integer(name: str, value: Tensor) -> None:
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"graph input: {name} must have an integer dtype, got {value.dtype}")


def _check_range(name: str, value: Tensor, size: int) -> None:
    if not value.numel():
        return
    low, high = (int(v) for v in value.aminmax())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        place = int((value == wrong).nonzero()[0])
        raise ValueError(f"graph input: {name} must be in [0, {size}), got {wrong} at [{place}]")

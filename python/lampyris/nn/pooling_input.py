"""What graph pooling takes and gives: batches in every form as nodes and rows, and the named results."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .graph_input import GraphRows, graph_csr, graph_ptr_from_batch

__all__ = ["PoolingOutput", "SelectOutput", "as_nodes", "select_output"]


class SelectOutput(NamedTuple):
    """Which node goes to which cluster.

    Attributes:
        s: [N, K] assignment, rows sum to 1.
        graph_ptr: [B + 1] or None for one graph.
        batch: [N] as it was given, or None.

    Example:
        >>> import torch
        >>> so = SelectOutput(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), None, None)
        >>> so.cluster_index.tolist(), so.num_nodes, so.num_supernodes
        ([0, 1], 2, 2)
    """

    s: Tensor
    graph_ptr: Tensor | None
    batch: Tensor | None

    @property
    def s_inv(self) -> Tensor:
        """[K, N], the transpose."""
        return self.s.transpose(-2, -1)

    @property
    def num_nodes(self) -> int:
        return self.s.shape[0]

    @property
    def num_supernodes(self) -> int:
        return self.s.shape[1]

    @property
    def cluster_index(self) -> Tensor:
        """[N] int64: the cluster with the largest share of each node."""
        return self.s.argmax(1)


class PoolingOutput(NamedTuple):
    """A pooled batch; iterates in the order of torch-geometric-pool.

    Attributes:
        x: [B, K, F], or [B K, F] with ``sparse_output``.
        edge_index: [B, K, K] adjacency, or [2, edges].
        edge_weight: None, or [edges].
        batch: None, or [B K].
        mask: None; every graph has all K clusters.
        so: the selection.
        loss: {name: [] tensor}.
    """

    x: Tensor
    edge_index: Tensor
    edge_weight: Tensor | None
    batch: Tensor | None
    mask: Tensor | None
    so: SelectOutput
    loss: dict[str, Tensor]

    @property
    def adj(self) -> Tensor:
        """The same as ``edge_index``."""
        return self.edge_index

    @property
    def has_loss(self) -> bool:
        return bool(self.loss)

    def get_loss_value(self, name: str | None = None):
        """One loss, or the list of all."""
        return list(self.loss.values()) if name is None else self.loss[name]


def select_output(s: Tensor, graph_ptr: Tensor | None, batch: Tensor | None) -> SelectOutput:
    """A selection as `SoftPooling` hands it out."""
    return SelectOutput(s, graph_ptr, batch)


def as_nodes(
    x: Tensor,
    adj,
    edge_weight: Tensor | None,
    mask: Tensor | None,
    batch: Tensor | None,
    graph_ptr: Tensor | None,
    num_graphs: int | None,
) -> tuple[Tensor, GraphRows | None, Tensor | None, Tensor | None]:
    """x [N, F], rows, weights in the order of the rows, graph_ptr (None for one graph).

    Raises:
        ValueError: shapes that do not fit each other.
    """
    if isinstance(adj, Tensor) and adj.is_floating_point():
        return _dense(x, adj, edge_weight, mask)
    if x.dim() != 2 or mask is not None:
        raise ValueError(
            f"MinCutPooling: x must be [N, F] without a mask unless adj is dense, got {list(x.shape)}"
        )
    if graph_ptr is None and batch is not None:
        if batch.shape[0] != x.shape[0]:
            raise ValueError(f"MinCutPooling: batch must be [{x.shape[0]}], got {list(batch.shape)}")
        graph_ptr = graph_ptr_from_batch(batch, num_graphs)
    if adj is None:
        return x, None, None, graph_ptr
    rows = graph_csr(adj, x.shape[0])
    if edge_weight is None:
        edge_weight = getattr(adj, "edge_weight", None)
    if edge_weight is not None:
        edges = rows.col.shape[0]
        if edge_weight.numel() != edges:
            raise ValueError(f"MinCutPooling: edge_weight must be [{edges}], got {list(edge_weight.shape)}")
        edge_weight = edge_weight.flatten() if rows.edge is None else edge_weight.flatten()[rows.edge]
    return x, rows, edge_weight, graph_ptr


def _dense(x: Tensor, adj: Tensor, edge_weight: Tensor | None, mask: Tensor | None):
    """A dense batch as complete graphs whose edge weights are the entries of ``adj``."""
    if edge_weight is not None:
        raise ValueError("MinCutPooling: edge_weight must be None with a dense adj, got a tensor")
    x, adj = (x[None], adj[None]) if adj.dim() == 2 and x.dim() == 2 else (x, adj)
    graphs, nodes = x.shape[0], x.shape[1]
    if x.dim() != 3 or list(adj.shape) != [graphs, nodes, nodes]:
        raise ValueError(
            "MinCutPooling: adj must be [B, N, N] with x [B, N, F],"
            f" got {list(adj.shape)} and {list(x.shape)}"
        )
    if mask is not None:
        return _masked(x, adj, mask)
    ptr = torch.arange(graphs * nodes + 1, device=x.device) * nodes
    first = torch.arange(graphs, device=x.device)[:, None, None] * nodes
    col = (first + torch.arange(nodes, device=x.device)).expand(graphs, nodes, nodes)
    graph_ptr = torch.arange(graphs + 1, device=x.device) * nodes
    return x.flatten(0, 1), GraphRows(ptr, col.flatten(), None), adj.flatten(), graph_ptr


def _masked(x: Tensor, adj: Tensor, mask: Tensor):
    mask = mask.bool()
    if mask.shape != x.shape[:2]:
        raise ValueError(f"MinCutPooling: mask must be {list(x.shape[:2])}, got {list(mask.shape)}")
    graph, row, col = (mask[:, :, None] & mask[:, None, :]).nonzero(as_tuple=True)
    place = (mask.flatten().cumsum(0) - 1).view(mask.shape)
    sizes = mask.sum(1)
    degree = torch.repeat_interleave(sizes, sizes)
    row_ptr = torch.nn.functional.pad(degree.cumsum(0), (1, 0))
    graph_ptr = torch.nn.functional.pad(sizes.cumsum(0), (1, 0))
    return x[mask], GraphRows(row_ptr, place[graph, col], None), adj[graph, row, col], graph_ptr

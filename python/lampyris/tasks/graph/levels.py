"""A batch of graphs before and after pooling: flat compressed rows, or [B, K, K] of equal size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .message_passing import SparseProduct, normalise_dense, sparse_rows

__all__ = ["Dense", "Flat", "flat_batch"]


@dataclass
class Flat:
    """B undirected graphs one after the other.

    Attributes:
        x: [N, F].
        row_ptr, col: compressed rows [N + 1], [E]; every edge in both directions, of weight 1.
        graph_ptr: [B + 1].
    """

    x: Tensor
    row_ptr: Tensor
    col: Tensor
    graph_ptr: Tensor
    _matrix: Tensor | None = field(default=None, repr=False)
    _weight: Tensor | None = field(default=None, repr=False)

    @property
    def weight(self) -> Tensor:
        """[E], 1 / sqrt(d_i d_j)."""
        if self._weight is None:
            degree = self.row_ptr.diff()
            scale = degree.clamp(min=1).to(self.x.dtype).rsqrt()
            self._weight = torch.repeat_interleave(scale, degree) * scale[self.col]
        return self._weight

    @property
    def batch(self) -> Tensor:
        """[N], the graph of each node."""
        sizes = self.graph_ptr.diff()
        return torch.repeat_interleave(torch.arange(len(sizes)), sizes)

    def propagate(self, x: Tensor) -> Tensor:
        """D^-1/2 A D^-1/2 x."""
        if self._matrix is None:
            nodes = self.row_ptr.shape[0] - 1
            self._matrix = sparse_rows(self.row_ptr, self.col, self.weight, nodes)
        return SparseProduct.apply(x, self._matrix, self._matrix)  # symmetric

    def neighbours(self, x: Tensor) -> Tensor:
        """A x, without normalisation."""
        root = self.row_ptr.diff().to(x.dtype).sqrt()[:, None]
        return root * self.propagate(root * x)

    def with_x(self, x: Tensor) -> Flat:
        """The same graphs with other features."""
        return replace(self, x=x)

    def mean(self) -> Tensor:
        """[B, F], the mean over the nodes of each graph."""
        total = self.x.new_zeros(len(self.graph_ptr) - 1, self.x.shape[1]).index_add_(0, self.batch, self.x)
        return total / self.graph_ptr.diff().clamp(min=1)[:, None]


@dataclass
class Dense:
    """B graphs of K nodes each.

    Attributes:
        x: [B, K, F].
        adj: [B, K, K], symmetric, >= 0.
        normalised: that ``adj`` is D^-1/2 A D^-1/2 already.
    """

    x: Tensor
    adj: Tensor
    normalised: bool = False
    _operator: Tensor | None = field(default=None, repr=False)

    @property
    def operator(self) -> Tensor:
        """[B, K, K], normalised."""
        if self._operator is None:
            self._operator = self.adj if self.normalised else normalise_dense(self.adj)
        return self._operator

    def propagate(self, x: Tensor) -> Tensor:
        """D^-1/2 A D^-1/2 x."""
        return self.operator @ x

    def neighbours(self, x: Tensor) -> Tensor:
        """A x."""
        return self.adj @ x

    def with_x(self, x: Tensor) -> Dense:
        """The same graphs with other features."""
        return replace(self, x=x)

    def mean(self) -> Tensor:
        """[B, F]."""
        return self.x.mean(1)


def flat_batch(graphs: list[tuple[Tensor, Tensor, Tensor]]) -> Flat:
    """One batch of (x [N, F], row_ptr [N + 1], col [E]).

    Example:
        >>> import torch
        >>> one = torch.ones(2, 3), torch.tensor([0, 1, 2]), torch.tensor([1, 0])
        >>> batch = flat_batch([one, one])
        >>> batch.row_ptr.tolist(), batch.col.tolist(), batch.graph_ptr.tolist()
        ([0, 1, 2, 3, 4], [1, 0, 3, 2], [0, 2, 4])
    """
    sizes = torch.tensor([0, *(len(x) for x, _, _ in graphs)]).cumsum(0)
    edges = torch.tensor([0, *(len(col) for _, _, col in graphs)]).cumsum(0)
    rows = [row_ptr[1:] + edges[i] for i, (_, row_ptr, _) in enumerate(graphs)]
    return Flat(
        torch.cat([x for x, _, _ in graphs]),
        torch.cat([torch.zeros(1, dtype=torch.int64), *rows]),
        torch.cat([col + sizes[i] for i, (_, _, col) in enumerate(graphs)]),
        sizes,
    )

"""The message passing layer of the pooling tasks, and the normalised adjacency that it multiplies with."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lampyris.nn.graph_input import csr_from_edge_index

__all__ = ["GCS", "Propagation", "SparseProduct", "normalise_dense", "sparse_rows"]


class SparseProduct(torch.autograd.Function):
    """A x for a sparse matrix and its transpose, which the backward multiplies with."""

    @staticmethod
    def forward(ctx, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed @ gradient.contiguous(), None, None


class Propagation:
    """D^-1/2 A D^-1/2 of an undirected graph, without self loops, as one sparse matrix.

    Args:
        edge_index: [2, E] int64, every edge in both directions, in any order; parallel edges add up.
        num_nodes: N.
        weight: [E], >= 0; ones when None. Nodes without an edge stay rows of zeros.

    Attributes:
        row_ptr, col: the compressed rows, [N + 1] and [E].
        weight: [E], the normalised weights in the order of ``col``.

    Raises:
        ValueError: a negative or non-finite weight, or an index out of range.

    Example:
        >>> import torch
        >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> Propagation(path, 3)(torch.tensor([[1.0], [0.0], [1.0]])).square().flatten().round().tolist()
        [0.0, 2.0, 0.0]

    Source: Bianchi, Grattarola, Alippi, ICML 2020: the adjacency of the GCS layer and of the cut.
    """

    def __init__(self, edge_index: Tensor, num_nodes: int, weight: Tensor | None = None):
        weight = torch.ones(edge_index.shape[1]) if weight is None else weight.float()
        if weight.numel() and not bool(((weight >= 0) & weight.isfinite()).all()):
            raise ValueError("graph task: weight must be finite and not negative, got one that is not")
        # Sorted by destination and source, parallel edges added up: what torch's sparse matrices ask for.
        csr_from_edge_index(edge_index, num_nodes)  # its checks
        code = edge_index[1].long() * num_nodes + edge_index[0]
        code, place = code.unique(return_inverse=True)
        weight = torch.zeros(len(code)).index_add_(0, place, weight)
        row, self.col = code // max(num_nodes, 1), code % max(num_nodes, 1)
        degree = torch.zeros(num_nodes).index_add_(0, row, weight)
        scale = torch.where(degree > 0, degree.clamp(min=1e-30).rsqrt(), torch.zeros(()))
        self.weight = weight * scale[self.col] * scale[row]
        self.row_ptr = torch.searchsorted(row, torch.arange(num_nodes + 1))
        self.num_nodes = num_nodes
        self._matrix = sparse_rows(self.row_ptr, self.col, self.weight, num_nodes)
        back = torch.argsort(self.col, stable=True)
        back_ptr = torch.searchsorted(self.col[back], torch.arange(num_nodes + 1))
        self._transposed = sparse_rows(back_ptr, row[back], self.weight[back], num_nodes)

    def __call__(self, x: Tensor) -> Tensor:
        """The neighbours' features, weighted and summed: [N, F] -> [N, F], differentiable."""
        return SparseProduct.apply(x, self._matrix, self._transposed)

    @property
    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """(row_ptr, col, weight), as the pooling operators take them."""
        return self.row_ptr, self.col, self.weight


class GCS(nn.Module):
    """Graph convolution with a skip weight: act(A x W_m + x W_s + b).

    Args:
        in_channels, out_channels: F, F'.
        activation: of the result; None: linear.

    Example:
        >>> import torch
        >>> layer = GCS(3, 8, torch.relu)
        >>> layer(torch.rand(4, 3), lambda x: x.mean(0, keepdim=True).expand_as(x)).shape
        torch.Size([4, 8])
    """

    def __init__(
        self, in_channels: int, out_channels: int, activation: Callable[[Tensor], Tensor] | None = None
    ):
        super().__init__()
        self.message = nn.Linear(in_channels, out_channels)
        self.skip = nn.Linear(in_channels, out_channels, bias=False)
        self.activation = activation
        for layer in (self.message, self.skip):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.message.bias)

    def forward(self, x: Tensor, propagate: Callable[[Tensor], Tensor]) -> Tensor:
        """[..., N, F] -> [..., N, F']; ``propagate`` multiplies with the normalised adjacency."""
        # The product with A costs by its width: it is taken on the narrower side of W_m.
        if self.message.in_features <= self.message.out_features:
            mixed = self.message(propagate(x))
        else:
            mixed = propagate(x @ self.message.weight.T) + self.message.bias
        result = mixed + self.skip(x)
        return result if self.activation is None else self.activation(result)


def normalise_dense(adjacency: Tensor) -> Tensor:
    """D^-1/2 A D^-1/2 of dense symmetric adjacencies [..., N, N]; empty rows stay zero.

    Example:
        >>> import torch
        >>> normalise_dense(torch.tensor([[0.0, 4.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 0.0]])).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    degree = adjacency.sum(-1)
    scale = torch.where(degree > 0, degree.clamp(min=1e-12).rsqrt(), torch.zeros_like(degree))
    return adjacency * scale.unsqueeze(-1) * scale.unsqueeze(-2)


def sparse_rows(row_ptr: Tensor, col: Tensor, weight: Tensor, nodes: int) -> Tensor:
    """Compressed rows as a torch sparse matrix [N, N]."""
    with warnings.catch_warnings():  # "Sparse CSR tensor support is in beta state"
        warnings.filterwarnings("ignore", message="Sparse CSR", category=UserWarning)
        return torch.sparse_csr_tensor(row_ptr, col, weight, (nodes, nodes), check_invariants=True)

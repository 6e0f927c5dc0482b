"""minCUT pooling and its relatives on compressed rows."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops import _mincut_products
from lampyris.ops._mincut_losses import LOSSES, connect, losses

__all__ = ["mincut_lift", "mincut_pool"]

_HALVES = (torch.float16, torch.bfloat16)


def mincut_pool(
    x: Tensor,
    logits: Tensor,
    row_ptr: Tensor,
    col: Tensor,
    edge_weight: Tensor | None = None,
    *,
    graph_ptr: Tensor | None = None,
    loss: str = "mincut",
    hard: bool = False,
    temperature: float = 1.0,
    normalize: bool = False,
    symmetric: bool | None = None,
    remove_self_loops: bool = True,
    degree_norm: bool = True,
    assignment: bool = False,
) -> tuple[Tensor, ...]:
    """Pool every graph of a batch to K clusters and give the losses that train the clusters.

    S = softmax(logits / temperature), one row a node. The pooled features are S^T X; the pooled adjacency is
    S^T A S without its diagonal, divided by the roots of its row sums. A holds edge_weight (1 when None) at
    (row, col); it need not be symmetric. Memory is O(E + N (K + F)): no N x N and no E x K buffer. Results do
    not depend on the number of threads.

    ========================  ====================================  ==========================================
    loss                      cut_loss                              ortho_loss
    ========================  ====================================  ==========================================
    mincut                    -Tr(S^T A S) / Tr(S^T D S)            |S^T S / |S^T S| - I / sqrt(K)|
    dmon                      -Tr(S^T B S) / 2m (-modularity)       sqrt(K) / N |sum of rows of S| - 1
    just_balance              0                                     -Tr(sqrt(S^T S)) / sqrt(N K)
    total_variation           sum of a_ij |s_i - s_j|_1 / 2E        1 - asymmetric norm / (N (K - 1))
    ========================  ====================================  ==========================================

    D and d are the row sums of A, 2m their total, B = A - d d^T / 2m; the root in just_balance is of each
    entry; the asymmetric norm is the sum of (K - 1) (s - q) above and q - s below the value q of rank N / K
    of a cluster's column. Losses are means over the graphs. A graph without nodes adds 0, one without
    edges has cut loss 0, a cluster without outside links a row of zeros: never NaN, also in the gradients.

    Uniform logits are a stationary point of mincut and dmon: start from others (`nn.MinCutPooling` has ways).

    Args:
        x: node features [N, F], float32 or float64 (halves are computed in float32).
        logits: [N, K], like x.
        row_ptr, col: compressed rows [N + 1], [E], int64: node i hears from col[row_ptr[i]:row_ptr[i + 1]].
            Edges stay within a graph. On CUDA entries out of range count as absent; on the CPU they raise.
        edge_weight: [E] like x, >= 0 where the losses shall keep their bounds; differentiable.
        graph_ptr: [B + 1] int64; graph g has nodes graph_ptr[g] to graph_ptr[g + 1]. One graph when None.
        loss: one of the table.
        hard: pool with the arg-max cluster (lowest index of equals); gradients are those of the soft
            assignment (straight through).
        temperature: > 0.
        normalize: use D^-1/2 A D^-1/2 in place of A, as the paper does (A is then meant to be symmetric).
        symmetric: that A equals its transpose, for the backward; None looks (linear in E), True trusts.
        remove_self_loops, degree_norm: the two steps on the pooled adjacency.
        assignment: return S too.

    Returns:
        (x_pooled [B, K, F], adj [B, K, K], cut_loss [], ortho_loss []), and s [N, K] with ``assignment``.

    Raises:
        ValueError: a shape, dtype, device, pointer, index or option is not one of the above.

    Example:
        >>> import torch
        >>> row_ptr, col = torch.tensor([0, 1, 2, 3, 4]), torch.tensor([1, 0, 3, 2])
        >>> logits = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
        >>> x, adj, cut, ortho = mincut_pool(torch.arange(4.0)[:, None], logits, row_ptr, col, hard=True)
        >>> x.tolist(), adj.tolist(), cut.item(), round(ortho.item(), 6)
        ([[[1.0], [5.0]]], [[[0.0, 0.0], [0.0, 0.0]]], -1.0, 0.0)

    Source: Bianchi et al., ICML 2020 (mincut); Tsitsulin et al., JMLR 2023 (dmon); Bianchi, NLDL 2023
    (just_balance); Hansen and Bianchi, ICML 2023 (total_variation).
    """
    if loss not in LOSSES:
        known = ", ".join(map(repr, LOSSES))
        raise ValueError(f"mincut_pool: loss must be one of {known}, got {loss!r}")
    dtype = x.dtype
    x, logits = _widen(x), _widen(logits)
    edge_weight = None if edge_weight is None else _widen(edge_weight)
    if graph_ptr is None:
        graph_ptr = _one_graph(x)
    pooled = _mincut_products.products(
        x, logits, row_ptr, col, edge_weight, graph_ptr, float(temperature), hard, normalize,
        loss == "total_variation", symmetric,
    )  # fmt: skip
    cut, other = losses(loss, pooled, row_ptr, graph_ptr)
    adj = connect(pooled.adj, remove_self_loops, degree_norm)
    out = pooled.x, adj, cut, other, pooled.s
    if dtype in _HALVES:
        out = tuple(value.to(dtype) for value in out)
    return out if assignment else out[:4]


def mincut_lift(x: Tensor, s: Tensor, graph_ptr: Tensor | None = None) -> Tensor:
    """Give every node the features of its clusters: x_lifted = s x, the unpooling of a soft assignment.

    Args:
        x: pooled features [B, K, F], float32 or float64 (halves are computed in float32).
        s: assignment [N, K], like x.
        graph_ptr: [B + 1] int64, as in `mincut_pool`; one graph when None.

    Returns:
        [N, F]. Differentiable in x and s.

    Raises:
        ValueError: a shape, dtype, device or pointer is not one of the above.

    Example:
        >>> import torch
        >>> mincut_lift(torch.tensor([[[2.0], [4.0]]]), torch.tensor([[1.0, 0.0], [0.5, 0.5]])).tolist()
        [[2.0], [3.0]]
    """
    if graph_ptr is None:
        graph_ptr = _one_graph(s)
    return _mincut_products.lift(_widen(x), _widen(s), graph_ptr).to(x.dtype)


def _one_graph(nodes: Tensor) -> Tensor:
    """[0, N], on the device without a copy from the host."""
    ends = torch.arange(2, device=nodes.device)
    return ends * (nodes.shape[0] if nodes.dim() else 0)


def _widen(t: Tensor) -> Tensor:
    return t.float() if t.dtype in _HALVES else t

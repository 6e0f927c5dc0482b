"""What the graph poolers share: selection, one compiled pass, lifting; names of torch-geometric-pool."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris import ops

from .graph_input import graph_csr
from .pooling_input import PoolingOutput, SelectOutput, as_nodes, select_output
from .selection import MLPSelect

__all__ = ["SoftPooling"]


class SoftPooling(torch.nn.Module):
    """What the four poolers share: an MLP selects, `ops.mincut_pool` does the rest.

    Args:
        in_channels: F, or [F, hidden, ...] of the MLP that gives the assignment logits.
        k: clusters of every graph.
        act: activation between the layers of the MLP, a name of `torch.nn.functional`; None is linear.
        dropout: of the MLP's hidden layers, and of the logits with ``logit_dropout``.
        temperature: of the softmax; may be changed at any time (annealing).
        hard: pool with the arg-max cluster, gradients straight through.
        normalize: use D^-1/2 A D^-1/2, as the paper of minCUT does before pooling.
        symmetric: None looks whether A equals its transpose, True trusts, False never assumes it.
        remove_self_loops, degree_norm: of the pooled adjacency.
        edge_weight_norm: divide it by its largest absolute entry per graph.
        s_inv_op: "transpose" lifts with S, "inverse" with the pseudo-inverse of S^T.
        lift: the same choice for lifting; "precomputed" is that of ``s_inv_op``.
        sparse_output: pooled x [B K, F], edge_index [2, B K K], edge_weight and batch, as a batch of complete
            graphs whose weights carry the adjacency, in place of [B, K, F] and [B, K, K].
        batched, cache_preprocessing: taken for code written for torch-geometric-pool; nothing is padded here
            and conversions are always kept, so there is nothing to choose.
    """

    loss_kind = ""
    loss_names: tuple[str, str] = ("", "")
    extra_ortho_coeff = 0.0

    def __init__(
        self,
        in_channels: int | list[int],
        k: int,
        act: str | None = None,
        dropout: float = 0.0,
        *,
        coefficients: tuple[float, float] = (1.0, 1.0),
        temperature: float = 1.0,
        hard: bool = False,
        normalize: bool = False,
        symmetric: bool | None = None,
        remove_self_loops: bool = True,
        degree_norm: bool = True,
        edge_weight_norm: bool = False,
        s_inv_op: str = "transpose",
        lift: str = "precomputed",
        sparse_output: bool = False,
        batched: bool = True,
        cache_preprocessing: bool = False,
    ) -> None:
        super().__init__()
        if s_inv_op not in ("transpose", "inverse"):
            raise ValueError(f"MinCutPooling: s_inv_op must be 'transpose' or 'inverse', got {s_inv_op!r}")
        if lift not in ("precomputed", "transpose", "inverse"):
            raise ValueError(
                f"MinCutPooling: lift must be 'precomputed', 'transpose' or 'inverse', got {lift!r}"
            )
        self.selector = MLPSelect(in_channels, k, act, dropout)
        self.k = k
        self.coefficients = coefficients
        self.temperature = temperature
        self.hard = hard
        self.normalize = normalize
        self.symmetric = symmetric
        self.remove_self_loops = remove_self_loops
        self.degree_norm = degree_norm
        self.edge_weight_norm = edge_weight_norm
        self.inverse_lift = "inverse" in (lift, s_inv_op) and lift != "transpose"
        self.sparse_output = sparse_output

    def reset_parameters(self) -> None:
        """Draw the selector's weights again."""
        self.selector.reset_parameters()

    def break_symmetry(self, x: Tensor, method: str = "kmeans", scale: float = 2.0) -> None:
        """Set the selector so that the first assignments of ``x`` differ; see `MLPSelect.break_symmetry`."""
        self.selector.break_symmetry(x, method, scale)

    def forward(
        self,
        x: Tensor,
        adj=None,
        edge_weight: Tensor | None = None,
        so: SelectOutput | None = None,
        mask: Tensor | None = None,
        batch: Tensor | None = None,
        batch_pooled: Tensor | None = None,
        lifting: bool = False,
        *,
        graph_ptr: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> PoolingOutput | Tensor:
        """Pool a batch of graphs, or lift pooled features back with ``lifting``.

        Args:
            x: [N, F]; [B, N, F] with a dense ``adj``; pooled features when lifting.
            adj: edge_index [2, E] (source, destination); (row_ptr, col); an object with an edge_index; or a
                dense adjacency [N, N] or [B, N, N], as this layer returns it, through which gradients flow.
            edge_weight: [E] or [E, 1], in the order of ``adj``.
            so: the selection of an earlier call, for lifting.
            mask: [B, N] bool, the real nodes of a dense batch.
            batch: [N], graph of each node, never falling.
            batch_pooled: taken and not needed: pooled features carry their graph.
            lifting: return x lifted to the nodes of ``so``.
            graph_ptr: [B + 1] in place of ``batch``.
            num_graphs: B; needed with ``batch`` under torch.compile.

        Returns:
            `PoolingOutput` with x [B, K, F], edge_index (= adj) [B, K, K], so and loss, a dict with the two
            losses times their coefficients; lifted features [N, F].
        """
        if lifting:
            return self.lift(x, so)
        x, rows, weight, graph_ptr = as_nodes(x, adj, edge_weight, mask, batch, graph_ptr, num_graphs)
        inputs = (x, self.selector(x), rows.row_ptr, rows.col, weight)
        options = {
            "graph_ptr": graph_ptr,
            "hard": self.hard,
            "temperature": self.temperature,
            "normalize": self.normalize,
            "symmetric": self.symmetric,
        }
        pooled, adjacency, cut, other, s = ops.mincut_pool(
            *inputs,
            loss=self.loss_kind,
            remove_self_loops=self.remove_self_loops,
            degree_norm=self.degree_norm,
            assignment=True,
            **options,
        )
        if self.edge_weight_norm:
            largest = adjacency.abs().amax((1, 2), keepdim=True)
            adjacency = adjacency / torch.where(largest == 0, torch.ones_like(largest), largest)
        values = zip(self.loss_names, (cut, other), self.coefficients, strict=True)
        loss = {name: value * coefficient for name, value, coefficient in values if name}
        if self.extra_ortho_coeff:
            loss["ortho_loss"] = ops.mincut_pool(*inputs, **options)[3] * self.extra_ortho_coeff
        so = select_output(s, graph_ptr, batch)
        if self.sparse_output:
            return _sparse(pooled, adjacency, so, loss)
        return PoolingOutput(pooled, adjacency, None, None, None, so, loss)

    def select(self, x: Tensor, batch: Tensor | None = None, **ignored) -> SelectOutput:
        """The assignment alone: softmax of the MLP, [N, K]."""
        s = torch.softmax(self.selector(x) / self.temperature, 1)
        _, _, _, graph_ptr = as_nodes(x, None, None, None, batch, None, None)
        return select_output(s, graph_ptr, batch)

    def reduce(self, x: Tensor, so: SelectOutput, batch: Tensor | None = None, **ignored):
        """(S^T X [B, K, F], batch of the clusters [B K])."""
        if so.graph_ptr is None:
            pooled = (so.s.T @ x)[None]
        else:
            sizes = so.graph_ptr.diff().tolist()
            pooled = torch.stack(
                [s.T @ part for s, part in zip(so.s.split(sizes), x.split(sizes), strict=True)]
            )
        return pooled, torch.arange(len(pooled), device=x.device).repeat_interleave(self.k)

    def connect(self, edge_index, so: SelectOutput, edge_weight: Tensor | None = None, **ignored):
        """(pooled adjacency [B, K, K], None)."""
        rows = graph_csr(edge_index, so.s.shape[0])
        weight = edge_weight if edge_weight is None or rows.edge is None else edge_weight.flatten()[rows.edge]
        _, adjacency, _, _ = ops.mincut_pool(
            so.s[:, :0],
            so.s.log(),
            rows.row_ptr,
            rows.col,
            weight,
            graph_ptr=so.graph_ptr,
            normalize=self.normalize,
            remove_self_loops=self.remove_self_loops,
            degree_norm=self.degree_norm,
        )
        return adjacency, None

    def lift(self, x_pool: Tensor, so: SelectOutput, **ignored) -> Tensor:
        """Pooled features [B, K, F] (or [B K, F]) back on the nodes: [N, F]."""
        graphs = 1 if so.graph_ptr is None else so.graph_ptr.shape[0] - 1
        pooled = x_pool.reshape(graphs, self.k, -1)
        if self.inverse_lift:
            identity, _ = self.reduce(so.s, so)
            pooled = torch.linalg.pinv(identity, hermitian=True) @ pooled
        return ops.mincut_lift(pooled, so.s, so.graph_ptr)

    def extra_repr(self) -> str:
        return f"k={self.k}, loss={self.loss_kind}, hard={self.hard}, temperature={self.temperature}"


def _sparse(pooled: Tensor, adjacency: Tensor, so: SelectOutput, loss: dict) -> PoolingOutput:
    graphs, clusters, _ = adjacency.shape
    node = torch.arange(graphs * clusters, device=pooled.device).view(graphs, 1, clusters)
    source = node.expand(graphs, clusters, clusters)
    edge_index = torch.stack((source.flatten(), source.transpose(1, 2).flatten()))
    batch = torch.arange(graphs, device=pooled.device).repeat_interleave(clusters)
    return PoolingOutput(pooled.flatten(0, 1), edge_index, adjacency.flatten(), batch, None, so, loss)

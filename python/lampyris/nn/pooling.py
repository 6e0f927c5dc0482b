"""Graph pooling by learned clusters, with the select-reduce-connect-lift names of torch-geometric-pool."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris import ops

from .graph_input import graph_csr
from .pooling_input import PoolingOutput, SelectOutput, as_nodes, select_output
from .selection import MLPSelect

__all__ = ["AsymCheegerCutPooling", "DMoNPooling", "JustBalancePooling", "MinCutPooling", "SoftPooling"]


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
        sparse_output: pooled x [B K, F], edge_index [2, B K K], edge_weight and batch, as a batch of complete
            graphs whose weights carry the adjacency, in place of [B, K, F] and [B, K, K].
    """

    loss_kind = ""
    loss_names: tuple[str, str] = ("", "")

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
        sparse_output: bool = False,
    ) -> None:
        super().__init__()
        if s_inv_op not in ("transpose", "inverse"):
            raise ValueError(f"MinCutPooling: s_inv_op must be 'transpose' or 'inverse', got {s_inv_op!r}")
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
        self.s_inv_op = s_inv_op
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
        pooled, adjacency, cut, other, s = ops.mincut_pool(
            x,
            self.selector(x),
            rows.row_ptr,
            rows.col,
            weight,
            graph_ptr=graph_ptr,
            loss=self.loss_kind,
            hard=self.hard,
            temperature=self.temperature,
            normalize=self.normalize,
            symmetric=self.symmetric,
            remove_self_loops=self.remove_self_loops,
            degree_norm=self.degree_norm,
            assignment=True,
        )
        if self.edge_weight_norm:
            largest = adjacency.abs().amax((1, 2), keepdim=True)
            adjacency = adjacency / torch.where(largest == 0, torch.ones_like(largest), largest)
        values = zip(self.loss_names, (cut, other), self.coefficients, strict=True)
        loss = {name: value * coefficient for name, value, coefficient in values if name}
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
        if self.s_inv_op == "inverse":
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


class MinCutPooling(SoftPooling):
    """minCUT pooling: a normalised cut and an orthogonality loss train the clusters.

    Other arguments as in `SoftPooling`. The paper normalises A first: ``normalize=True``; the default takes A
    as it is, like torch-geometric-pool.

    Args:
        in_channels: F, or [F, hidden, ...].
        k: clusters of every graph.
        cut_loss_coeff, ortho_loss_coeff: factors of the two losses.

    Example:
        >>> import torch
        >>> pool = MinCutPooling([3, 8], k=2, act="relu")
        >>> x, edge_index = torch.randn(4, 3), torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> out = pool(x, edge_index)
        >>> out.x.shape, out.adj.shape, sorted(out.loss), pool(out.x, so=out.so, lifting=True).shape
        (torch.Size([1, 2, 3]), torch.Size([1, 2, 2]), ['cut_loss', 'ortho_loss'], torch.Size([4, 3]))

    Source: Bianchi, Grattarola, Alippi, Spectral clustering with graph neural networks, ICML 2020.
    """

    loss_kind = "mincut"
    loss_names = ("cut_loss", "ortho_loss")

    def __init__(
        self,
        in_channels: int | list[int],
        k: int,
        act: str | None = None,
        dropout: float = 0.0,
        cut_loss_coeff: float = 1.0,
        ortho_loss_coeff: float = 1.0,
        **options,
    ) -> None:
        super().__init__(
            in_channels, k, act, dropout, coefficients=(cut_loss_coeff, ortho_loss_coeff), **options
        )


class DMoNPooling(SoftPooling):
    """Modularity and a collapse penalty train the clusters.

    Args:
        in_channels, k, act, dropout, options: as in `SoftPooling`.
        spectral_loss_coeff, cluster_loss_coeff: factors of the two losses.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> sorted(DMoNPooling(3, k=2)(torch.randn(4, 3), edge_index).loss)
        ['cluster_loss', 'spectral_loss']

    Source: Tsitsulin, Palowitch, Perozzi, Mueller, JMLR 2023.
    """

    loss_kind = "dmon"
    loss_names = ("spectral_loss", "cluster_loss")

    def __init__(
        self,
        in_channels: int | list[int],
        k: int,
        act: str | None = None,
        dropout: float = 0.0,
        spectral_loss_coeff: float = 1.0,
        cluster_loss_coeff: float = 1.0,
        **options,
    ) -> None:
        super().__init__(
            in_channels, k, act, dropout, coefficients=(spectral_loss_coeff, cluster_loss_coeff), **options
        )


class JustBalancePooling(SoftPooling):
    """One loss, the balance of the clusters, for features that message passing has smoothed enough.

    Args:
        in_channels, k, act, dropout, options: as in `SoftPooling`.
        loss_coeff: factor of the loss.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> list(JustBalancePooling(3, k=2)(torch.randn(4, 3), edge_index).loss)
        ['balance_loss']

    Source: Bianchi, Simplifying clustering with graph neural networks, NLDL 2023.
    """

    loss_kind = "just_balance"
    loss_names = ("", "balance_loss")

    def __init__(
        self,
        in_channels: int | list[int],
        k: int,
        act: str | None = None,
        dropout: float = 0.0,
        loss_coeff: float = 1.0,
        **options,
    ) -> None:
        super().__init__(in_channels, k, act, dropout, coefficients=(0.0, loss_coeff), **options)


class AsymCheegerCutPooling(SoftPooling):
    """Total variation over the edges and an asymmetric-norm balance give sharp clusters.

    Args:
        in_channels, k, act, dropout, options: as in `SoftPooling`.
        totvar_coeff, balance_coeff: factors of the two losses.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> sorted(AsymCheegerCutPooling(3, k=2)(torch.randn(4, 3), edge_index).loss)
        ['balance_loss', 'total_variation_loss']

    Source: Hansen, Bianchi, Total variation graph neural networks, ICML 2023.
    """

    loss_kind = "total_variation"
    loss_names = ("total_variation_loss", "balance_loss")

    def __init__(
        self,
        in_channels: int | list[int],
        k: int,
        act: str | None = None,
        dropout: float = 0.0,
        totvar_coeff: float = 1.0,
        balance_coeff: float = 1.0,
        **options,
    ) -> None:
        super().__init__(in_channels, k, act, dropout, coefficients=(totvar_coeff, balance_coeff), **options)

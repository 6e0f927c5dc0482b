"""Graph pooling by learned clusters, with the select-reduce-connect-lift names of torch-geometric-pool."""

from __future__ import annotations

from .soft_pooling import SoftPooling

__all__ = ["AsymCheegerCutPooling", "DMoNPooling", "JustBalancePooling", "MinCutPooling"]


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
        ortho_loss_coeff: factor of minCUT's orthogonality loss, left out at 0.

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
        ortho_loss_coeff: float = 0.0,
        **options,
    ) -> None:
        super().__init__(
            in_channels, k, act, dropout, coefficients=(spectral_loss_coeff, cluster_loss_coeff), **options
        )
        self.extra_ortho_coeff = ortho_loss_coeff


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

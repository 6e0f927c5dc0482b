"""The assignment of nodes to clusters: an MLP on their features, and starts that break its symmetry."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["MLPSelect"]


class MLPSelect(torch.nn.Module):
    """Assignment logits [N, K] of node features [N, F].

    Args:
        in_channels: F, or [F, hidden, ...].
        k: clusters.
        act: activation between layers, a name of `torch.nn.functional`; None is linear.
        dropout: of the hidden layers.

    Example:
        >>> import torch
        >>> MLPSelect([3, 8], k=5, act="relu")(torch.zeros(7, 3)).shape
        torch.Size([7, 5])
    """

    def __init__(
        self, in_channels: int | list[int], k: int, act: str | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        widths = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        if k < 1:
            raise ValueError(f"MLPSelect: k must be >= 1, got {k}")
        if act is not None and not callable(getattr(torch.nn.functional, act, None)):
            raise ValueError(f"MLPSelect: act must name a function of torch.nn.functional, got {act!r}")
        sizes = zip(widths, [*widths[1:], k], strict=True)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in sizes)
        self.act = act
        self.dropout = dropout

    def reset_parameters(self) -> None:
        for layer in self.layers:
            layer.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[-1](self._hidden(x))

    def _hidden(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x)
            if self.act is not None:
                x = getattr(torch.nn.functional, self.act)(x)
            if self.dropout:
                x = torch.nn.functional.dropout(x, self.dropout, self.training)
        return x

    @torch.no_grad()
    def break_symmetry(
        self, x: Tensor, method: str = "kmeans", scale: float = 2.0, generator: torch.Generator | None = None
    ) -> None:
        """Set the last layer so that logits of ``x`` are balanced and far from uniform.

        Uniform assignments are a stationary point of the minCUT losses, and small logits are near it.

        Args:
            x: node features [N, F] with N >= 1.
            method: "kmeans": a logit is minus the squared distance of the hidden features to one of K centres
                that k-means++ draws from ``x`` (linear in them after a common term is dropped); "projection":
                the random weights stay and are centred and scaled.
            scale: standard deviation of the logits over the nodes afterwards.
            generator: of the random numbers.

        Raises:
            ValueError: another method; no nodes; features equal in all nodes, which no start can tell apart.

        Example:
            >>> import torch
            >>> select = MLPSelect(2, k=2)
            >>> x = torch.tensor([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]])
            >>> select.break_symmetry(x, scale=4.0, generator=torch.Generator().manual_seed(0))
            >>> s = select(x).softmax(1)
            >>> bool((s[0] - s[1]).abs().max() < 0.1), bool((s[0] - s[2]).abs().max() > 0.9)
            (True, True)
        """
        if method not in ("kmeans", "projection"):
            raise ValueError(f"MLPSelect: method must be 'kmeans' or 'projection', got {method!r}")
        if x.shape[0] < 1:
            raise ValueError(f"MLPSelect: x must be [N, F] with N >= 1, got {list(x.shape)}")
        training, self.training = self.training, False
        hidden = self._hidden(x)
        self.training = training
        last = self.layers[-1]
        if method == "kmeans":
            centres = _spread(hidden, last.out_features, generator)
            last.weight.copy_(2 * centres)
            last.bias.copy_(-centres.square().sum(1))
        logits = last(hidden)
        logits -= logits.mean(1, keepdim=True)  # the softmax does not see a common term
        mean = logits.mean(0) if method == "projection" else torch.zeros_like(logits[0])
        std = (logits - mean).std(correction=0)
        if not std > 0:
            raise ValueError("MLPSelect: x must differ between nodes to break the symmetry, got equal rows")
        last.weight.sub_(last.weight.mean(0)).mul_(scale / std)
        last.bias.sub_(last.bias.mean()).mul_(scale / std)
        last.bias.sub_(mean * scale / std)


def _spread(points: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """k-means++: each centre is drawn with the square of its distance to those before; repeated if few."""
    first = torch.randint(len(points), (1,), generator=generator).item()
    chosen = [first]
    nearest = (points - points[first]).square().sum(1)
    for _ in range(count - 1):
        weights = nearest if nearest.sum() > 0 else torch.ones_like(nearest)
        chosen.append(torch.multinomial(weights.double().cpu(), 1, generator=generator).item())
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).square().sum(1))
    return points[chosen]

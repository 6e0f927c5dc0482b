"""Networks by name: GOAT in the variants that the tasks compare, and the plain baselines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lampyris.nn import GOATConv

from .baselines import BASELINES, baseline

__all__ = ["GOATS", "GOATNetwork", "network"]

GOATS = {
    "GOAT": {"attention": "gat", "weighting": "none", "skip": False},
    "GOAT-sigmoid": {"attention": "gat", "weighting": "sigmoid"},
    "GOATv2": {"attention": "gatv2", "weighting": "sigmoid"},
}
"""Name -> options of GOATConv. "GOAT" is the layer of the paper, whose order is not trained."""


class GOATNetwork(nn.Module):
    """Layers of GOATConv with ELU between them; each node hears from itself too.

    Args:
        inputs: features of a node.
        hidden: width between layers, all heads together: a multiple of ``heads``.
        outputs: classes or targets.
        layers: graph layers.
        heads: of every layer but the last, which has one (with ``readout`` all alike).
        dropout: before each layer.
        readout: the last layer has ``hidden`` outputs and a linear map follows; without it the last
            layer's cell has ``outputs`` units.
        skip: adds a linear map of each layer's input to its output, as SAGE has it.
        cell: recurrent cell.
        options: further options of GOATConv.

    Raises:
        ValueError: ``hidden`` is no multiple of ``heads``.

    Example:
        >>> import torch
        >>> net = GOATNetwork(3, 8, 2, heads=2, readout=True)
        >>> net(torch.ones(4, 3), torch.tensor([[0, 1], [1, 0]])).shape
        torch.Size([4, 2])
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        *,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.5,
        readout: bool = True,
        skip: bool = True,
        cell: str = "lstm",
        **options,
    ) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"GOAT network: hidden must be a multiple of heads = {heads}, got {hidden}")
        self.layers, self.skips = nn.ModuleList(), nn.ModuleList()
        width = inputs
        for place in range(layers):
            last = place + 1 == layers and not readout
            units, count = (outputs, 1) if last else (hidden // heads, heads)
            self.layers.append(GOATConv(width, units, count, cell=cell, **options))
            self.skips.append(nn.Linear(width, units * count) if skip else nn.Identity())
            width = units * count
        self.readout = nn.Linear(hidden, outputs) if readout else None
        self.dropout, self.skip = dropout, skip

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for place, (layer, skip) in enumerate(zip(self.layers, self.skips, strict=True)):
            x = nn.functional.dropout(x, self.dropout, self.training)
            new = layer(x, edge_index)
            x = new + skip(x) if self.skip else new
            if self.readout is not None or place + 1 < len(self.layers):
                x = nn.functional.elu(x)
        return x if self.readout is None else self.readout(x)


def network(name: str, inputs: int, hidden: int, outputs: int, **options) -> nn.Module:
    """A network ``forward(x [N, inputs], edge_index [2, E]) -> [N, outputs]`` by name.

    Args:
        name: a key of `GOATS` or of `BASELINES`.
        inputs, hidden, outputs: widths.
        options: as `GOATNetwork` or `baseline` take them.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> type(network("GOAT", 3, 8, 2)).__name__, type(network("GIN", 3, 8, 2)).__name__
        ('GOATNetwork', '_Network')
    """
    if name in GOATS:
        return GOATNetwork(inputs, hidden, outputs, **{**GOATS[name], **options})
    if name not in BASELINES:
        raise ValueError(f"network: name must be one of {', '.join([*GOATS, *BASELINES])}, got {name!r}")
    return baseline(name, inputs, hidden, outputs, **options)


def seeded(seed: int, name: str, *widths: int, **options) -> nn.Module:
    """`network` whose weights, and the dropout that follows, come from ``seed``."""
    torch.manual_seed(seed)
    return network(name, *widths, **options)

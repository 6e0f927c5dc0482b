"""Spiking neurons that hear the neighbours of an event one after the other, in a chosen order."""

from __future__ import annotations

import torch
from torch import Tensor

from .goat import GOATConv, _centres
from .graph_input import GraphRows

__all__ = ["EVENT_ORDERS", "EventGOATBlock"]

EVENT_ORDERS = ("learned", "time", "distance", "random")


class EventGOATBlock(torch.nn.Module):
    """One spiking GOAT layer on an event graph: rank-order coding of the neighbours of each event.

    An edge j -> i carries the message g_ij [x_j, o_ij]: features of the neighbour, offsets of the edge
    (for events dx, dy, dt and whether the polarities agree), and a learned gate g = sigmoid(s). The score is
    that of GATv2, s = a . LeakyReLU(W x_i + V x_j + U o_ij). Leaky neurons hear the messages in ``order``,
    the last of them with the least decay, and count their spikes.

    Only the order differs between the four settings; gate and messages are the same functions:

    * "learned": rising score;
    * "time": oldest first;
    * "distance": farthest pixel first;
    * "random": drawn anew in each call in training, the same draw in every call in evaluation.

    Args:
        in_channels: features of an event.
        out_channels: neurons.
        offset_channels: offsets of an edge; the first three are dx, dy, dt.
        order: one of the four.
        decay, threshold: of the neurons.
        early_exit: a neuron is silent after its first spike, and a row is read no further once all have
            spiked.

    Raises:
        ValueError: another order.

    Example:
        >>> import torch
        >>> from lampyris.nn import graph_csr
        >>> rows = graph_csr((torch.tensor([0, 0, 1]), torch.tensor([0])), 2)
        >>> block = EventGOATBlock(1, 8)
        >>> spikes, steps = block(torch.ones(2, 1), rows, torch.zeros(1, 4))
        >>> spikes.shape, steps.tolist()
        (torch.Size([2, 8]), [[0], [1]])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        offset_channels: int = 4,
        *,
        order: str = "learned",
        decay: float = 0.8,
        threshold: float = 0.5,
        early_exit: bool = False,
    ) -> None:
        super().__init__()
        if order not in EVENT_ORDERS:
            raise ValueError(f"EventGOATBlock: order must be one of {', '.join(EVENT_ORDERS)}, got {order!r}")
        self.order = order
        self.target = torch.nn.Linear(in_channels, out_channels)
        self.source = torch.nn.Linear(in_channels, out_channels, bias=False)
        self.offset = torch.nn.Linear(offset_channels, out_channels, bias=False)
        self.attend = torch.nn.Linear(out_channels, 1)
        self.conv = GOATConv(
            (in_channels + offset_channels, in_channels),
            out_channels,
            cell="lif",
            attention="given",
            weighting="none",
            add_self_loops=False,
            decay=decay,
            threshold=threshold,
            early_exit=early_exit,
        )

    def forward(self, x: Tensor, rows: GraphRows, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """Hear the neighbours.

        Args:
            x: features [N, in_channels].
            rows: the event graph; edges in the order of ``col``.
            offsets: [E, offset_channels].

        Returns:
            (spikes [N, out_channels], counted and differentiable; messages that each row has read, int32
            [N, 1]).
        """
        score = _centres(self.target(x), rows) + self.source(x)[rows.col] + self.offset(offsets)
        score = self.attend(torch.nn.functional.leaky_relu(score, 0.2))
        messages = torch.sigmoid(score) * torch.cat([x[rows.col], offsets], 1)
        edges = torch.arange(len(rows.col), device=x.device)
        key = self.key(score[:, 0].detach(), offsets)
        return self.conv((messages, x), (rows.row_ptr, edges), score=key, return_steps=True)

    def key(self, score: Tensor, offsets: Tensor) -> Tensor:
        """What the edges are ordered by [E]: the largest is heard last."""
        if self.order == "learned":
            return score
        if self.order == "time":
            return -offsets[:, 2]
        if self.order == "distance":
            return -offsets[:, :2].square().sum(1)
        generator = None if self.training else torch.Generator(device=score.device).manual_seed(0)
        return torch.rand(score.shape, generator=generator, device=score.device)

    def extra_repr(self) -> str:
        return f"order={self.order!r}"

"""Graph convolution that reads the neighbours of a node one after the other, in a learned order."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from lampyris import ops

from .graph_input import GraphRows, graph_csr

__all__ = ["GOATConv"]

_GATES = {"lstm": 4, "gru": 3, "scan": 2, "lif": 1}
_RECURRENT = ("lstm", "gru")
_ATTENTIONS = ("gat", "gatv2", "given")
_WEIGHTINGS = ("none", "softmax", "sigmoid", "score")
_with_loops: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


class GOATConv(torch.nn.Module):
    """Graph ordering attention: score the neighbours, order them, run a recurrent cell over them.

    Every head has scores, an order and a cell of its own. The neighbour with the largest score is read last
    (first with ``descending``); ties keep the order of the edges. A node without neighbours gets zeros.

    Scores of node i and its neighbour j, with learned a, W and V:

    * "gat": LeakyReLU(a . [W x_i, W x_j]). This grows with a . W x_j in every neighbourhood, so that one
      ranking of all nodes orders them all.
    * "gatv2": a . LeakyReLU(W x_i + V x_j), an order that depends on the centre.
    * "given": passed to ``forward``.

    Order has no gradient. Scores learn through the factor of the inputs that ``weighting`` makes of them:
    softmax over the neighbourhood, sigmoid, or the score itself. With "none", as the paper has it, the
    parameters of the score get no gradient at all.

    Args:
        in_channels: features of a node; a pair (sources, destinations) for bipartite graphs of two kinds.
        out_channels: hidden size H of the cell of one head.
        heads: number of heads.
        cell: "lstm", "gru", "scan" (a linear gated recurrence without recurrent weights) or "lif" (spiking
            neurons that count their spikes; see `lampyris.ops.goat_aggregate`).
        attention: "gat", "gatv2" or "given".
        weighting: "sigmoid", "softmax", "score" or "none".
        concat: heads side by side, [N, heads H]; else their mean, [N, H].
        add_self_loops: every node also hears from itself, as the last of its edges. Must be False with
            given scores or edge features.
        edge_channels: features of an edge that "gat" and "gatv2" take into the score, or None.
        score_channels: rows of W of a head; ``out_channels`` when None.
        negative_slope: of the LeakyReLU.
        bias: learn a bias of the gates; that of an LSTM's forget gate starts at 1.
        descending, early_exit, decay, threshold: as in `lampyris.ops.goat_aggregate`.

    Raises:
        ValueError: an argument is none of these.

    Example:
        >>> import torch
        >>> layer = GOATConv(3, 4, heads=2, cell="gru")
        >>> edge_index = torch.tensor([[0, 1, 2], [2, 2, 1]])  # source -> destination
        >>> layer(torch.randn(3, 3), edge_index).shape
        torch.Size([3, 8])

    Source: Chatzianastasis et al., Graph Ordering Attention Networks, AAAI 2023; "gatv2" is the score of
    Brody et al., How attentive are graph attention networks?, ICLR 2022.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        *,
        cell: str = "lstm",
        attention: str = "gat",
        weighting: str = "sigmoid",
        concat: bool = True,
        add_self_loops: bool = True,
        edge_channels: int | None = None,
        score_channels: int | None = None,
        negative_slope: float = 0.2,
        bias: bool = True,
        descending: bool = False,
        early_exit: bool = False,
        decay: float = 0.5,
        threshold: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("cell", cell, tuple(_GATES)),
            ("attention", attention, _ATTENTIONS),
            ("weighting", weighting, _WEIGHTINGS),
        ):
            if value not in known:
                raise ValueError(f"GOATConv: {name} must be one of {', '.join(known)}, got {value!r}")
        if early_exit and cell != "lif":
            raise ValueError(f"GOATConv: early_exit must be False for cell {cell}, got True")
        sources, targets = in_channels if isinstance(in_channels, tuple) else (in_channels, in_channels)
        for name, value in (
            ("in_channels", min(sources, targets)),
            ("out_channels", out_channels),
            ("heads", heads),
            ("score_channels", out_channels if score_channels is None else score_channels),
        ):
            if value < 1:
                raise ValueError(f"GOATConv: {name} must be >= 1, got {value}")
        if edge_channels is not None and attention == "given":
            raise ValueError(f"GOATConv: edge_channels must be None with given scores, got {edge_channels}")
        if add_self_loops and (attention == "given" or edge_channels is not None):
            raise ValueError(
                "GOATConv: add_self_loops must be False with given scores or edge features, got True"
            )
        if add_self_loops and sources != targets:
            raise ValueError(
                "GOATConv: add_self_loops must be False where sources and destinations differ, got True"
            )
        self.in_channels, self.out_channels, self.heads = in_channels, out_channels, heads
        self.cell, self.attention, self.weighting = cell, attention, weighting
        self.concat, self.add_self_loops, self.edge_channels = concat, add_self_loops, edge_channels
        self.negative_slope = negative_slope
        self.options = {
            "cell": cell,
            "descending": descending,
            "early_exit": early_exit,
            "decay": decay,
            "threshold": threshold,
        }
        gates, channels = _GATES[cell] * out_channels, score_channels or out_channels

        def parameter(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(torch.empty(heads, *shape))

        self.weight_ih = parameter(gates, sources)
        self.weight_hh = parameter(gates, out_channels) if cell in _RECURRENT else None
        self.bias = parameter(gates) if bias else None
        # W and V map to [heads, channels]; "gat" has one W for both ends when their features agree.
        self.score_source = self.score_target = self.score_edge = None
        if attention != "given":
            self.score_source = parameter(channels, sources)
            if attention == "gatv2" or sources != targets:
                self.score_target = parameter(channels, targets)
            if edge_channels is not None:
                self.score_edge = parameter(channels, edge_channels)
        halves = {"gat": 2, "gatv2": 1, "given": 0}[attention]
        self.attend = parameter(halves, channels) if halves else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in +-1 / sqrt(H) as torch's recurrent cells; Xavier for the scores."""
        bound = 1 / math.sqrt(self.out_channels)
        for parameter in (self.weight_hh, self.bias):
            if parameter is not None:
                torch.nn.init.uniform_(parameter, -bound, bound)
        for parameter in (
            self.weight_ih,
            self.score_source,
            self.score_target,
            self.score_edge,
            self.attend,
        ):
            if parameter is None:
                continue
            for head in parameter:
                torch.nn.init.xavier_uniform_(head)
        if self.cell == "lstm" and self.bias is not None:
            with torch.no_grad():
                self.bias[:, self.out_channels : 2 * self.out_channels].fill_(1.0)

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor],
        graph,
        edge_attr: Tensor | None = None,
        *,
        score: Tensor | None = None,
        return_steps: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Aggregate.

        Args:
            x: features [N, F], or a pair (sources [S, F], destinations [N, F']) of a bipartite graph, as
                neighbour sampling makes them.
            graph: edge_index [2, E] (source, destination), a pair (row_ptr [N + 1], col [E]), or an object
                with an ``edge_index``.
            edge_attr: [E, edge_channels], in the order of the edges as given.
            score: for attention "given", [E] or [E, heads] in the order of the edges as given.
            return_steps: also return how many neighbours each row has read, int32 [N, heads].

        Returns:
            [N, heads H], or [N, H] without ``concat``.

        Raises:
            ValueError: a shape does not fit, or an argument is missing or not wanted.
        """
        source, target = x if isinstance(x, (tuple, list)) else (x, x)
        rows = graph_csr(graph, target.shape[0], source.shape[0])
        edge_attr = self._per_edge("edge_attr", edge_attr, self.edge_channels is not None, rows)
        score = self._per_edge("score", score, self.attention == "given", rows)
        if self.add_self_loops:
            if source.shape[0] < target.shape[0]:
                raise ValueError(
                    "GOATConv: sources must begin with the destinations for self loops,"
                    f" got {source.shape[0]} sources and {target.shape[0]} destinations"
                )
            rows = with_self_loops(rows)
        if score is None:
            score, per_source = self._score(source, target, edge_attr, rows)
        else:
            score = score[:, None] if score.dim() == 1 else score
            score, per_source = score.expand(-1, self.heads), False
        out = ops.goat_aggregate(
            source,
            score,
            rows.row_ptr,
            rows.col,
            self.weight_ih,
            self.weight_hh,
            self.bias,
            weighting=self.weighting,
            per_source=per_source,
            return_steps=return_steps,
            **self.options,
        )
        out, steps = out if return_steps else (out, None)
        out = out.flatten(1) if self.concat else out.mean(1)
        return (out, steps) if return_steps else out

    def _per_edge(self, name: str, value: Tensor | None, wanted: bool, rows: GraphRows) -> Tensor | None:
        """Values of edges in the order of the rows."""
        if (value is not None) != wanted:
            must = "be given" if wanted else "be None"
            raise ValueError(f"GOATConv: {name} must {must} in this layer, got {type(value).__name__}")
        if value is None:
            return None
        if value.shape[0] != rows.col.shape[0]:
            raise ValueError(
                f"GOATConv: {name} must have shape [E, ...], E = {rows.col.shape[0]}, got {list(value.shape)}"
            )
        return value if rows.edge is None else value.index_select(0, rows.edge)

    def _score(
        self, source: Tensor, target: Tensor, edge_attr: Tensor | None, rows: GraphRows
    ) -> tuple[Tensor, bool]:
        """Scores [E, heads], or keys [S, heads] that order every row alike; and which of the two."""
        if self.attention == "gat":
            # a . W x is one product with a^T W [heads, F].
            to_source = torch.einsum("hc,hcf->hf", self.attend[:, 1], self.score_source)
            key = source @ to_source.T
            if self.weighting == "none" and edge_attr is None:
                return key.detach(), True
            weight = self.score_source if self.score_target is None else self.score_target
            to_target = torch.einsum("hc,hcf->hf", self.attend[:, 0], weight)
            e = _centres(target @ to_target.T, rows) + key.index_select(0, rows.col)
            if edge_attr is not None:
                e = e + edge_attr @ torch.einsum("hc,hcf->hf", self.attend[:, 1], self.score_edge).T
            return torch.nn.functional.leaky_relu(e, self.negative_slope), False
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.weighting != "none"):
            e = _centres(target @ self.score_target.flatten(0, 1).T, rows)
            e = e + (source @ self.score_source.flatten(0, 1).T).index_select(0, rows.col)
            if edge_attr is not None:
                e = e + edge_attr @ self.score_edge.flatten(0, 1).T
            e = torch.nn.functional.leaky_relu(e, self.negative_slope).unflatten(1, (self.heads, -1))
            return torch.einsum("ehc,hc->eh", e, self.attend[:, 0]), False

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, heads={self.heads}, cell={self.cell!r}, "
            f"attention={self.attention!r}, weighting={self.weighting!r}"
        )


def _centres(values: Tensor, rows: GraphRows) -> Tensor:
    """values [N, ...] of the destination of every edge [E, ...]."""
    edges = rows.col.shape[0]
    node = torch.arange(rows.row_ptr.shape[0] - 1, device=rows.col.device)
    row = torch.repeat_interleave(node, rows.row_ptr.diff(), output_size=edges)
    return values.index_select(0, row)


def with_self_loops(rows: GraphRows) -> GraphRows:
    """Every row with its own node as the last entry. Kept for each pair of rows; edges are not told apart."""
    known = None if torch.compiler.is_compiling() else _with_loops.get(rows.col)
    if known is not None and known[0] is rows.row_ptr:
        return known[1]
    nodes, edges = rows.row_ptr.shape[0] - 1, rows.col.shape[0]
    node = torch.arange(nodes, device=rows.col.device)
    row = torch.repeat_interleave(node, rows.row_ptr.diff(), output_size=edges)
    col = torch.empty(edges + nodes, dtype=torch.int64, device=rows.col.device)
    col = col.index_copy(0, torch.arange(edges, device=rows.col.device) + row, rows.col)
    col = col.index_copy(0, rows.row_ptr[1:] + node, node)
    row_ptr = rows.row_ptr + torch.arange(nodes + 1, device=rows.col.device)
    looped = GraphRows(row_ptr, col, None)
    if not torch.compiler.is_compiling():
        _with_loops[rows.col] = (rows.row_ptr, looped)
    return looped

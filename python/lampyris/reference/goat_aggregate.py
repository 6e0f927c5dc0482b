"""Ordered aggregation of neighbours, one neighbour of every row at a time."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["goat_aggregate"]


class _Fire(torch.autograd.Function):
    """u > threshold; rectangle surrogate of width 1."""

    @staticmethod
    def forward(ctx, u, threshold):
        ctx.save_for_backward(u)
        ctx.threshold = threshold
        return (u > threshold).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return torch.where((u - ctx.threshold).abs() < 0.5, grad, torch.zeros_like(grad)), None


def goat_aggregate(
    x: Tensor,
    score: Tensor,
    row_ptr: Tensor,
    col: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    cell: str = "lstm",
    weighting: str = "none",
    descending: bool = False,
    early_exit: bool = False,
    per_source: bool | None = None,
    decay: float = 0.5,
    threshold: float = 1.0,
    return_steps: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Twin of `lampyris.ops.goat_aggregate`.

    Example:
        >>> import torch
        >>> x, score = torch.tensor([[1.0], [4.0]]), torch.tensor([[0.7], [0.2]])
        >>> row_ptr, col = torch.tensor([0, 2, 2]), torch.tensor([0, 1])
        >>> goat_aggregate(x, score, row_ptr, col, torch.ones(1, 1, 1), cell="lif", per_source=False).tolist()
        [[[1.0]], [[0.0]]]
    """
    edges, nodes = col.numel(), row_ptr.numel() - 1
    if per_source is None:
        per_source = score.shape[0] != edges
    score = score[col] if per_source else score
    row = torch.repeat_interleave(torch.arange(nodes, device=x.device), row_ptr.diff())
    weight = _weights(score, row, nodes, weighting)
    outputs, steps = [], []
    for head in range(weight_ih.shape[0]):
        key = -score[:, head] if descending else score[:, head]  # NaN stays last
        order = torch.argsort(key.detach(), stable=True)
        order = order[torch.argsort(row[order], stable=True)]
        inputs = (x @ weight_ih[head].T)[col[order]]
        if weight is not None:
            inputs = inputs * weight[order, head, None]
        if bias is not None:
            inputs = inputs + bias[head]
        recurrent = None if weight_hh is None else weight_hh[head]
        out, read = _run(inputs, row_ptr, recurrent, cell, early_exit, decay, threshold)
        outputs.append(out)
        steps.append(read)
    out = torch.stack(outputs, 1)
    return (out, torch.stack(steps, 1)) if return_steps else out


def _weights(score: Tensor, row: Tensor, nodes: int, weighting: str) -> Tensor | None:
    if weighting == "none":
        return None
    if weighting == "score":
        return score
    if weighting == "sigmoid":
        return torch.sigmoid(score)
    place = row[:, None].expand_as(score)
    largest = torch.full((nodes, score.shape[1]), -torch.inf, dtype=score.dtype, device=score.device)
    largest = largest.scatter_reduce(0, place, score.detach(), "amax")
    e = torch.exp(score - largest[row])
    return e / torch.zeros_like(largest).scatter_add(0, place, e)[row]


def _run(inputs, row_ptr, recurrent, cell, early_exit, decay, threshold):
    """The cell over the rows of ordered inputs [E, G H]: step t of all rows that have one."""
    first, degree = row_ptr[:-1], row_ptr.diff()
    hidden = inputs.shape[1] // {"lstm": 4, "gru": 3, "scan": 2, "lif": 1}[cell]
    h = inputs.new_zeros(degree.numel(), hidden)
    for used in (inputs, recurrent):
        h = h if used is None else h + used[:0].sum()  # 0, so that there are gradients when E is 0
    state = torch.zeros_like(h)  # c of an LSTM, the membrane of a neuron
    steps = torch.zeros_like(degree, dtype=torch.int32)
    for t in range(int(degree.max()) if degree.numel() else 0):
        rows = (degree > t).nonzero()[:, 0]
        if cell == "lif" and early_exit:
            rows = rows[(h[rows] == 0).any(1)]
        steps[rows] += 1
        a, old, s = inputs[first[rows] + t], h[rows], state[rows]
        if cell == "lstm":
            i, f, g, o = (a + old @ recurrent.T).chunk(4, 1)
            s = torch.sigmoid(f) * s + torch.sigmoid(i) * torch.tanh(g)
            new = torch.sigmoid(o) * torch.tanh(s)
        elif cell == "gru":
            (r, z, n), (hr, hz, hn) = a.chunk(3, 1), (old @ recurrent.T).chunk(3, 1)
            r, z = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
            n = torch.tanh(n + r * hn)
            new = n + z * (old - n)
        elif cell == "scan":
            z, candidate = a.chunk(2, 1)
            new = old + torch.sigmoid(z) * (candidate - old)
        else:
            u = decay * s + a
            spike = _Fire.apply(u, threshold)
            if early_exit:
                spike = torch.where(old > 0, torch.zeros_like(spike), spike)
            s = torch.where(spike > 0, torch.zeros_like(u), u)
            new = old + spike
        h = h.index_copy(0, rows, new)
        state = state.index_copy(0, rows, s)
    return h, steps

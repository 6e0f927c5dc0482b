"""Ordered aggregation of neighbours by a recurrent cell."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops import _goat_cuda  # noqa: F401  (registers the operators for CUDA)

__all__ = ["goat_aggregate"]

_GATES = {"lstm": 4, "gru": 3, "scan": 2, "lif": 1}
_RECURRENT = ("lstm", "gru")
_SAVED = {"lstm": 2, "gru": 1, "scan": 1, "lif": 1}
_WEIGHTINGS = ("none", "softmax", "sigmoid", "score")
_HALVES = (torch.float16, torch.bfloat16)


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
    """Order the neighbours of every node by score and run a recurrent cell over them.

    Row i reads its neighbours j = col[row_ptr[i]:row_ptr[i + 1]] from the lowest score to the highest, so
    that the most important one comes last; equal scores keep their places, NaN comes last either way. With
    a factor g of the edge (see ``weighting``), the input of a step is a = g W_ih x_j + bias, and

    * lstm, gates i, f, g, o: torch's LSTM on a + W_hh h;
    * gru, gates r, z, n: torch's GRU, n = tanh(a_n + r (W_hh h)_n);
    * scan, gates z and candidate: h' = h + sigmoid(a_z) (a_candidate - h), no recurrent weights;
    * lif: neurons u = decay v + a that spike where u > threshold and are then reset to 0; the result
      counts the spikes. Rectangle surrogate of width 1, reset detached. With ``early_exit`` a neuron
      stops at its first spike, and a row is read only until all have: with ``descending`` the most
      important neighbours come first, and the rest is not looked at.

    Features are projected once per node, not per edge; memory is O(E heads H) whatever the degrees. The
    result and its gradients are the same at any number of threads.

    Args:
        x: features [S, F] of the sources, float32 or float64; float16 and bfloat16 (and what autocast
            makes of them) are computed in float32.
        score: [E, heads] of every edge, or [S, heads] of every source, which orders all rows by one
            ranking. S and E may be equal: then ``per_source`` must say which.
        row_ptr, col: neighbourhoods [N + 1] and [E], int64, by destination.
        weight_ih: [heads, G H, F], G gates of H hidden units.
        weight_hh: [heads, G H, H] for lstm and gru, else None.
        bias: [heads, G H] or None.
        cell: "lstm", "gru", "scan" or "lif".
        weighting: factor of the inputs. "none" is 1, as in the paper, and gives ``score`` no gradient;
            "softmax" of the scores of a row, "sigmoid", or the "score" itself. NaN then reaches the rows
            that hold it.
        descending: from the highest score to the lowest.
        early_exit: for lif only.
        per_source: what ``score`` is; None tells by its shape.
        decay, threshold: of lif, in the unit of its input.
        return_steps: also return how many neighbours every row has read.

    Returns:
        The last state [N, heads, H], zeros for rows without neighbours; with ``return_steps`` also int32
        [N, heads].

    Raises:
        ValueError: a shape, dtype, device or word is not one of the above; row_ptr or col out of range. On
            CUDA, indices are not read back: an input out of range counts as 0.

    Example:
        >>> import torch
        >>> x, score = torch.tensor([[1.0], [4.0]]), torch.tensor([[0.7], [0.2]])
        >>> row_ptr, col = torch.tensor([0, 2, 2]), torch.tensor([0, 1])
        >>> goat_aggregate(x, score, row_ptr, col, torch.ones(1, 1, 1), cell="lif", per_source=False).tolist()
        [[[1.0]], [[0.0]]]

    Source: Chatzianastasis et al., Graph Ordering Attention Networks, AAAI 2023; "scan" is minGRU of Feng et
    al., Were RNNs all we needed?, 2024; "lif" is rank-order coding, Thorpe and Gautrais 1998.
    """
    _check(x, weight_ih, weight_hh, bias, cell, weighting, early_exit)
    per_source = _tell(score, x.shape[0], col.numel(), weight_ih.shape[0], per_source)
    dtype = x.dtype
    if dtype in _HALVES:
        x = x.float()
    weight_ih, weight_hh, bias = (None if t is None else t.to(x.dtype) for t in (weight_ih, weight_hh, bias))
    if score.dtype in _HALVES:
        score = score.float()
    order = torch.ops.lampyris._goat_order(score.detach(), row_ptr, col, per_source, descending)
    with torch.autocast(x.device.type, enabled=False):
        p = (x @ weight_ih.flatten(0, 1).T).unflatten(1, weight_ih.shape[:2])
    factor = None
    if weighting != "none":
        if per_source:
            score = score.index_select(0, col)
        factor = _factor(score.to(x.dtype), row_ptr, weighting)
    tensors = (p, factor, weight_hh, bias)
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    out, steps, _ = torch.ops.lampyris.goat_aggregate(
        p, factor, order, row_ptr, col, weight_hh, bias, cell, early_exit, decay, threshold, save
    )
    out = out.to(dtype)
    return (out, steps) if return_steps else out


def _factor(score: Tensor, row_ptr: Tensor, weighting: str) -> Tensor:
    if weighting == "score":
        return score
    if weighting == "sigmoid":
        return torch.sigmoid(score)
    return torch.ops.lampyris._goat_softmax(score, row_ptr)


def _check(x, weight_ih, weight_hh, bias, cell, weighting, early_exit) -> None:
    for name, word, known in (("cell", cell, _GATES), ("weighting", weighting, _WEIGHTINGS)):
        if word not in known:
            raise ValueError(f"goat_aggregate: {name} must be one of {', '.join(known)}, got {word!r}")
    if early_exit and cell != "lif":
        raise ValueError(f"goat_aggregate: early_exit must be False for cell {cell}, got True")
    if x.dim() != 2:
        raise ValueError(f"goat_aggregate: x must have shape [S, F], got {list(x.shape)}")
    if x.dtype not in (torch.float32, torch.float64, *_HALVES):
        raise ValueError(f"goat_aggregate: x must have a floating dtype, got {x.dtype}")
    gates = _GATES[cell]
    shape = weight_ih.shape
    if len(shape) != 3 or min(shape[:2]) < 1 or shape[1] % gates or shape[2] != x.shape[1]:
        raise ValueError(
            f"goat_aggregate: weight_ih must have shape [heads, {gates} H, {x.shape[1]}], got {list(shape)}"
        )
    heads, width = shape[:2]
    if (weight_hh is not None) != (cell in _RECURRENT):
        must, got = ("be a tensor", "None") if weight_hh is None else ("be None", "a tensor")
        raise ValueError(f"goat_aggregate: weight_hh must {must} for cell {cell}, got {got}")
    if weight_hh is not None and tuple(weight_hh.shape) != (heads, width, width // gates):
        raise ValueError(
            f"goat_aggregate: weight_hh must have shape {[heads, width, width // gates]},"
            f" got {list(weight_hh.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (heads, width):
        raise ValueError(f"goat_aggregate: bias must have shape {[heads, width]}, got {list(bias.shape)}")
    for name, value in (("weight_ih", weight_ih), ("weight_hh", weight_hh), ("bias", bias)):
        if value is not None and value.device != x.device:
            raise ValueError(
                f"goat_aggregate: {name} and x must be on one device, got {value.device} and {x.device}"
            )


def _tell(score: Tensor, sources: int, edges: int, heads: int, per_source: bool | None) -> bool:
    """Whether score is per source, by its shape where that is not said."""
    if score.dim() != 2 or score.shape[1] != heads:
        raise ValueError(
            f"goat_aggregate: score must have shape [E, {heads}] or [S, {heads}], got {list(score.shape)}"
        )
    if not score.is_floating_point():
        raise ValueError(f"goat_aggregate: score must have a floating dtype, got {score.dtype}")
    if per_source is None:
        if sources == edges:
            raise ValueError(
                f"goat_aggregate: per_source must be given where S = E, got None and {sources} of both"
            )
        per_source = score.shape[0] == sources
    name, rows = ("S", sources) if per_source else ("E", edges)
    if score.shape[0] != rows:
        raise ValueError(
            f"goat_aggregate: score must have shape [{name}, heads] = {[rows, heads]},"
            f" got {list(score.shape)}"
        )
    return per_source


@torch.library.register_fake("lampyris::_goat_order")
def _(score, row_ptr, col, per_source, descending):
    return score.new_empty((score.shape[1], col.shape[0]), dtype=torch.int32)


@torch.library.register_fake("lampyris::goat_aggregate")
def _(p, factor, order, row_ptr, col, weight_hh, bias, cell, early_exit, decay, threshold, save):
    heads, hidden, rows = p.shape[1], p.shape[2] // _GATES[cell], row_ptr.shape[0] - 1
    states = p.new_empty((heads, col.shape[0], _SAVED[cell], hidden)) if save else None
    return p.new_empty((rows, heads, hidden)), p.new_empty((rows, heads), dtype=torch.int32), states


@torch.library.register_fake("lampyris::_goat_aggregate_backward")
def _(grad, p, factor, order, row_ptr, col, weight_hh, bias, states, steps, cell, early_exit, decay,
      threshold, wants_factor):  # fmt: skip
    wanted = (factor if wants_factor else None, weight_hh, bias)
    return p.new_empty(p.shape), *(None if t is None else t.new_empty(t.shape) for t in wanted)


@torch.library.register_fake("lampyris::_goat_steps_grad")
def _(grad, p, factor, order, row_ptr, col, weight_hh, bias, states, steps, cell, *options):
    by_input = p.new_empty((col.shape[0], *p.shape[1:]))
    return by_input, torch.empty_like(by_input) if cell == "gru" else None


@torch.library.register_fake("lampyris::_goat_softmax")
def _(score, row_ptr):
    return score.new_empty(score.shape)


@torch.library.register_fake("lampyris::_goat_softmax_backward")
def _(grad, y, row_ptr):
    return y.new_empty(y.shape)


def _setup(ctx, inputs, output) -> None:
    *tensors, cell, early_exit, decay, threshold, ctx.saved_states = inputs
    ctx.options = (cell, early_exit, decay, threshold)
    ctx.save_for_backward(*tensors, output[2], output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx, grad, *_):
    if grad is None:
        return (None,) * 12
    tensors = ctx.saved_tensors
    if not ctx.saved_states:
        raise RuntimeError(
            "goat_aggregate: x must require grad when the operator is called, got a call without"
        )
    grad_p, grad_factor, grad_weight, grad_bias = torch.ops.lampyris._goat_aggregate_backward(
        grad, *tensors, *ctx.options, ctx.needs_input_grad[1]
    )
    return grad_p, grad_factor, None, None, None, grad_weight, grad_bias, *(None,) * 5


def _softmax_setup(ctx, inputs, output) -> None:
    ctx.save_for_backward(output, inputs[1])


def _softmax_backward(ctx, grad):
    y, row_ptr = ctx.saved_tensors
    return torch.ops.lampyris._goat_softmax_backward(grad, y, row_ptr), None


def _no_double_backward(ctx, *grads):
    raise RuntimeError("goat_aggregate: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::goat_aggregate", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_goat_softmax", _softmax_backward, setup_context=_softmax_setup)
for _name in ("_goat_aggregate_backward", "_goat_softmax_backward"):
    torch.library.register_autograd(f"lampyris::{_name}", _no_double_backward)

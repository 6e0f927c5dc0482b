"""Gradients of SpikingJelly's LIFNode and ParametricLIFNode against ours, surrogate by surrogate.

TOLERANCE is relative to the largest gradient of the case: both sides sum up to T = 8 float32 products
in different orders. The gradient of PLIF's w is one number, the float32 sum over all neuron-steps of
products of both signs: SUM_TOLERANCE of its own size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.equality.rows import Row
from benchmarks.peers import lif_spikingjelly
from lampyris import ops

__all__ = ["rows"]

STEPS, NEURONS = 8, 8192
TOLERANCE = 2e-6
SUM_TOLERANCE = 1e-5
ALPHA = 1.5
# ours -> theirs; alpha is 1 / width in all of them
SURROGATES = {
    "rectangle": "Rect",
    "triangle": "PiecewiseQuadratic",
    "sigmoid": "Sigmoid",
    "atan": "ATan",
    "fast_sigmoid": "SoftSign",
    "piecewise_exponential": "PiecewiseExp",
}


def _row(case: str, theirs: Tensor, mine: Tensor, tolerance: float = TOLERANCE) -> Row:
    scale = float(theirs.abs().max())
    error = float((mine - theirs).abs().max()) / scale
    steps = STEPS * NEURONS
    return Row(case, steps, f"max error {error:.1e}", f"within {tolerance:.0e}", error <= tolerance)


def _inputs() -> tuple[Tensor, Tensor]:
    generator = torch.manual_seed(0)
    return torch.randn(STEPS, NEURONS, generator=generator) * 1.5, torch.randn(STEPS, NEURONS)


def _surrogate(name: str):
    from spikingjelly.activation_based import surrogate

    return getattr(surrogate, SURROGATES[name])(alpha=ALPHA)


def _lif(name: str, reset: str, detach: bool, input_decayed: bool) -> Row:
    x, grad = _inputs()
    x.requires_grad_()
    node = lif_spikingjelly(
        input_decayed=input_decayed, reset=reset, detach_reset=detach, surrogate=_surrogate(name)
    )
    (theirs,) = torch.autograd.grad(node(x), x, grad)
    gain = 0.5 if input_decayed else 1.0
    options = {"reset": reset, "detach_reset": detach, "inclusive": True, "membrane": None}
    spikes, _ = ops.lif(x, 0.5, 1.0, gain=gain, surrogate=name, width=1.0 / ALPHA, **options)
    (mine,) = torch.autograd.grad(spikes, x, grad)
    form = "x decayed" if input_decayed else "x as is"
    case = f"d x, {name}, {reset}, detach_reset={detach}, {form}"
    return _row(case, theirs, mine)


def _plif(name: str, reset: str) -> list[Row]:
    """ParametricLIFNode: 1 / tau = sigmoid(w); ours gets decay = 1 - sigmoid(w), gain = sigmoid(w)."""
    from spikingjelly.activation_based import neuron

    x, grad = _inputs()
    x.requires_grad_()
    node = neuron.ParametricLIFNode(
        init_tau=3.0,
        v_reset=0.0 if reset == "hard" else None,
        surrogate_function=_surrogate(name),
        detach_reset=True,
        step_mode="m",
    )
    theirs = torch.autograd.grad(node(x), (x, node.w), grad)
    w = node.w.detach().clone().requires_grad_()
    k = w.sigmoid()
    options = {"reset": reset, "inclusive": True, "surrogate": name, "width": 1.0 / ALPHA}
    spikes, _ = ops.lif(x, 1.0 - k, 1.0, gain=k, membrane=None, **options)
    mine = torch.autograd.grad(spikes, (x, w), grad)
    return [
        _row(f"PLIF d x, {name}, {reset}", theirs[0], mine[0]),
        _row(f"PLIF d w, {name}, {reset}", theirs[1], mine[1], SUM_TOLERANCE),
    ]


def rows() -> list[Row]:
    """Every comparison of gradients."""
    out = []
    for name in SURROGATES:
        for reset, detach in (("hard", True), ("hard", False), ("soft", True), ("soft", False)):
            for input_decayed in (True, False):
                out.append(_lif(name, reset, detach, input_decayed))
        for reset in ("hard", "soft"):
            out += _plif(name, reset)
    return out

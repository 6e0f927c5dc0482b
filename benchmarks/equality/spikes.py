"""Spikes of every peer against ours: bit for bit where the rules are the same.

Random currents of 1.5 standard deviations, float32, no membrane near the threshold by less than a
rounding step: the peers write V + (x - V) / tau, ours decay V + gain x, which differ in the last bit.
What happens at the threshold itself is compared on membranes that reach it exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.equality.rows import Row
from benchmarks.peers import lif_norse, lif_sinabs, lif_snntorch, lif_spikingjelly
from lampyris import ops

__all__ = ["rows"]

STEPS, BATCH, NEURONS = 16, 8, 1024
TAUS = (2.0, 4.0 / 3.0, 10.0)
# Facts of these libraries, not of ours: the peer resets once more without a spike, or a step late.
DELAYED = "differs: the peer subtracts one step late, undecayed"
TWICE = "differs: the peer resets again while V stays above the threshold"


def ours(x: Tensor, tau: float, input_decayed: bool, reset: str, inclusive: bool) -> Tensor:
    """The neuron of the peers in our parameters."""
    gain = 1.0 / tau if input_decayed else 1.0
    decay = 1.0 - 1.0 / tau
    return ops.lif(x, decay, 1.0, gain=gain, reset=reset, inclusive=inclusive, membrane=None)[0]


def _currents(seed: int = 0) -> Tensor:
    return torch.randn(STEPS, BATCH, NEURONS, generator=torch.manual_seed(seed)) * 1.5


def _row(case: str, x: Tensor, theirs: Tensor, mine: Tensor, claim: str) -> Row:
    different = int((theirs != mine).sum())
    found = f"{different} of {int(mine.sum())} spikes differ ({different / float(mine.sum()):.1%})"
    return Row(case, x.numel(), "bit-equal" if different == 0 else found, claim,
               different == 0 or claim != "equal")  # fmt: skip


def _form(input_decayed: bool) -> str:
    return "x decayed" if input_decayed else "x as is"


def _inclusive_peers(x: Tensor) -> list[Row]:
    """SpikingJelly and sinabs spike where U >= threshold."""
    out = []
    for tau in TAUS:
        for reset in ("hard", "soft"):
            for input_decayed in (True, False):
                mine = ours(x, tau, input_decayed, reset, True)
                peers = {"SpikingJelly LIFNode": lif_spikingjelly, "sinabs LIF": lif_sinabs}
                for name, factory in peers.items():
                    if name == "sinabs LIF" and tau != 2.0:
                        continue  # it computes exp(-1 / tau_mem): only tau = 2 comes out exact
                    theirs = factory(tau=tau, input_decayed=input_decayed, reset=reset)(x)
                    case = f"{name}, tau {tau:.3g}, {reset}, {_form(input_decayed)}"
                    out.append(_row(case, x, theirs, mine, "equal"))
    return out


def _strict_peers(x: Tensor) -> list[Row]:
    """snnTorch and Norse spike where U > threshold."""
    out = []
    for input_decayed in (True, False):
        form = _form(input_decayed)
        mine = ours(x, 2.0, input_decayed, "hard", False)
        for name, factory in {"snnTorch Leaky": lif_snntorch, "Norse LIFBoxCell": lif_norse}.items():
            theirs = factory(input_decayed=input_decayed)(x)
            out.append(_row(f"{name}, tau 2, hard, {form}", x, theirs, mine, "equal"))
        mine = ours(x, 2.0, input_decayed, "soft", False)
        for delay, why in ((True, DELAYED), (False, TWICE)):
            theirs = lif_snntorch(input_decayed=input_decayed, reset="soft", reset_delay=delay)(x)
            case = f"snnTorch Leaky, subtract, reset_delay={delay}, {form}"
            out.append(_row(case, x, theirs, mine, why))
    return out


def _integrate(x: Tensor) -> list[Row]:
    from spikingjelly.activation_based import neuron

    out = []
    for reset, v_reset in (("hard", 0.0), ("soft", None)):
        node = neuron.IFNode(v_reset=v_reset, step_mode="m")
        mine = ops.lif(x, 1.0, 1.0, reset=reset, inclusive=True, membrane=None)[0]
        out.append(_row(f"SpikingJelly IFNode, {reset}", x, node(x), mine, "equal"))
    return out


def _at_the_threshold() -> list[Row]:
    """Currents of 1 / 4 steps: membranes are exact and meet the threshold often."""
    x = torch.randint(-4, 9, (4, BATCH, 4 * NEURONS), generator=torch.manual_seed(1)) / 4.0
    x = torch.cat([x, x.flip(0), x, x.flip(0)])
    out = []
    for name, factory, inclusive in (
        ("SpikingJelly LIFNode", lif_spikingjelly, True),
        ("sinabs LIF", lif_sinabs, True),
        ("snnTorch Leaky", lif_snntorch, False),
        ("Norse LIFBoxCell", lif_norse, False),
    ):
        mine = ours(x, 2.0, False, "hard", inclusive)
        case = f"{name}, ties at the threshold, inclusive={inclusive}"
        out.append(_row(case, x, factory(input_decayed=False)(x), mine, "equal"))
    return out


def rows() -> list[Row]:
    """Every comparison of spikes."""
    x = _currents()
    with torch.no_grad():
        return [*_inclusive_peers(x), *_integrate(x), *_strict_peers(x), *_at_the_threshold()]

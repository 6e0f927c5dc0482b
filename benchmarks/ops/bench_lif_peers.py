"""lif, forward and backward, against other libraries' neurons and torch.compile.

All compute U = V + (x - V) / 2 with a detached hard reset. SpikingJelly's surrogate is its rectangle;
the others keep their own default, which costs them about the same.
"""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from benchmarks.ops.bench_lif import eager as eager_loop
from benchmarks.peers import NEURONS, missing
from lampyris import ops

SHAPES = [(4, 262144), (16, 262144), (100, 32768), (500, 8192)]
LARGE = (4, 2_097_152)  # 33.5 MB a tensor: above what glibc keeps by itself
LABELS = {
    "spikingjelly": "SpikingJelly LIFNode",
    "snntorch": "snnTorch Leaky, unbind",
    "norse": "Norse LIFBoxCell, unbind",
    "sinabs": "sinabs LIF",
}
_COMPILED_STEPS = 100  # compiling 500 unrolled steps takes minutes


def ours(x: Tensor) -> Tensor:
    return ops.lif(x, 0.5, 1.0, gain=0.5, membrane=None)[0]


def ours_packed(x: Tensor) -> Tensor:
    return ops.lif(x, 0.5, 1.0, gain=0.5, output="packed", membrane=None)[0].carrier


def best_form(x: Tensor) -> Tensor:
    """The eager loop with a clamp as surrogate: compiled, it saves no bool masks, which are slow."""
    v = torch.zeros_like(x[0])
    spikes = []
    for current in x.unbind(0):
        u = v + (current - v) * 0.5
        window = (u - 0.5).clamp(0.0, 1.0)
        spike = window + ((u > 1.0).to(u.dtype) - window).detach()
        v = u * (1.0 - spike.detach())
        spikes.append(spike)
    return torch.stack(spikes)


@cache
def compiled():
    torch._dynamo.config.recompile_limit = 64
    return torch.compile(best_form, fullgraph=True, dynamic=False)


def _step(function, x: Tensor, grad: Tensor) -> None:
    x.grad = None
    function(x).backward(grad)


def skipped() -> list[str]:
    reasons = {peer: missing(peer) for peer in NEURONS}
    return [f"lif against {LABELS[p]}: {r} (make bench-peers)" for p, r in reasons.items() if r]


def cases() -> list[Case]:
    neurons = {peer: factory() for peer, factory in NEURONS.items() if missing(peer) is None}
    out = []
    for steps, width in [*SHAPES, LARGE]:
        x = (torch.randn(steps, width, generator=torch.manual_seed(0)) * 1.5).requires_grad_()
        step = partial(_step, x=x, grad=torch.randn(steps, width))
        density = float(ours(x.detach()).mean())
        large = (steps, width) == LARGE
        peers = {LABELS[peer]: neuron for peer, neuron in neurons.items()}
        if large:
            peers["eager loop"] = eager_loop
        if steps <= _COMPILED_STEPS:
            peers["torch.compile, best form"] = lambda x: compiled()(x)
        for label, neuron in peers.items():
            case = partial(
                Case,
                peer=partial(step, neuron),
                peer_name=label,
                density=density,
                neuron_steps=steps * width,
                fresh_too=large,
            )
            name = f"lif {steps}x{width} f32 fwd+bwd"
            out.append(case(name, partial(step, ours)))
            if large:
                out.append(case(f"{name} packed", partial(step, ours_packed)))
    return out

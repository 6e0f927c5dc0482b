"""tdbn_add_lif against torch's batch norm, an add and an eager loop over unbound steps.

Maps are channels_last for both sides: it is the faster order for the peer too.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.harness import Case
from benchmarks.ops.bench_lif import Fire
from lampyris import ops

STEPS, BATCH = 4, 4
SHAPES = [(64, 40), (128, 20), (64, 80)]
DECAY, THRESHOLD = 0.25, 0.5


def maps(channels: int, side: int) -> Tensor:
    x = torch.randn(STEPS * BATCH, channels, side, side, generator=torch.manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last).unflatten(0, (STEPS, BATCH))


def eager(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor):
    y = F.batch_norm(x.flatten(0, 1), mean, var, weight, bias, True).unflatten(0, x.shape[:2])
    v = torch.zeros_like(x[0])
    spikes = []
    for current in (y + residual).unbind(0):
        u = DECAY * v + current
        spike = Fire.apply(u - THRESHOLD)
        v = u * (1.0 - spike.detach())
        spikes.append(spike)
    return torch.stack(spikes)


def fused(*tensors: Tensor, output: str = "dense", stream: bool = False):
    neurons = {"decay": DECAY, "threshold": THRESHOLD, "output": output, "membrane": None}
    return ops.tdbn_add_lif(*tensors, training=True, stream=stream, **neurons)[1]


def cases() -> list[Case]:
    out = []
    for channels, side in SHAPES:
        x, residual = maps(channels, side), maps(channels, side).flip(2)
        residual = residual.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (4, 4))
        weight, bias = torch.full((channels,), 0.5), torch.zeros(channels)
        running = torch.zeros(channels), torch.ones(channels)
        tensors = (x, residual, weight, bias, *running)
        density = float(fused(*tensors).mean())
        shape = f"C{channels}@{side}"

        loop = partial(eager, *tensors)
        for output in ("packed", "dense"):
            name = f"tdbn_add_lif {shape} fwd {output}"
            out.append(Case(name, partial(fused, *tensors, output=output), loop, "eager loop", density))
        name = f"tdbn_add_lif {shape} fwd dense + stream"
        out.append(Case(name, partial(fused, *tensors, stream=True), loop, "eager loop", density))

        leaves = [t.detach().requires_grad_() for t in tensors[:4]]
        grad = maps(channels, side)

        def step(function, leaves=leaves, running=running, grad=grad):
            for leaf in leaves:
                leaf.grad = None
            function(*leaves, *running).backward(grad)

        def packed(*tensors):
            return fused(*tensors, output="packed").carrier

        loop = partial(step, eager)
        name = f"tdbn_add_lif {shape} fwd+bwd"
        out.append(Case(f"{name} dense", partial(step, fused), loop, "eager loop", density))
        out.append(Case(f"{name} packed", partial(step, packed), loop, "eager loop", density))
    return out

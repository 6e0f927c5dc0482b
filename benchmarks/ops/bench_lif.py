"""lif, forward and backward, against an eager loop over unbound steps.

The eager loop is the least a user can write for v_reset = 0: decayed input, rectangle surrogate,
detached hard reset. The reference loop has the operator's general rule (v_reset, gain, any reset).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from lampyris import ops, reference

SHAPES = [(4, 262144), (16, 262144), (100, 32768), (500, 8192)]


class Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * (u.abs() < 0.5).to(grad.dtype)


def eager(x: Tensor) -> Tensor:
    v = torch.zeros_like(x[0])
    spikes = []
    for current in x.unbind(0):
        u = v + (current - v) / 2.0
        spike = Fire.apply(u - 1.0)
        v = u * (1.0 - spike.detach())
        spikes.append(spike)
    return torch.stack(spikes)


def fused(x: Tensor, output: str = "dense"):
    return ops.lif(x, 0.5, 1.0, gain=0.5, output=output, membrane=None)[0]


def packed(x: Tensor):
    return fused(x, "packed").carrier


def cases() -> list[Case]:
    out = []
    for steps, neurons in SHAPES:
        x = (torch.randn(steps, neurons, generator=torch.manual_seed(0)) * 1.5).requires_grad_()
        grad = torch.randn(steps, neurons)

        def step(function, x=x, grad=grad):
            x.grad = None
            function(x).backward(grad)

        density = float(fused(x.detach()).mean())
        shape = f"{steps}x{neurons} f32 fwd+bwd"
        loop = partial(step, eager)
        out.append(Case(f"lif {shape}", partial(step, fused), loop, "eager loop", density))
        general = partial(step, lambda x: reference.lif(x, 0.5, 1.0, gain=0.5, membrane=None)[0])
        out.append(Case(f"lif {shape}", partial(step, fused), general, "reference loop", density))
        out.append(Case(f"lif {shape} packed", partial(step, packed), loop, "eager loop", density))
    return out

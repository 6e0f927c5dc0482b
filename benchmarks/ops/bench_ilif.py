"""ilif, forward and backward, against an eager loop over unbound steps (SpikeYOLO's form)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from lampyris import ops

SHAPES = [(1, 1048576), (4, 262144)]
LIMIT = 4


class Count(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return u.clamp(0, LIMIT).round()

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * ((u >= 0) & (u <= LIMIT)).to(grad.dtype)


def eager(x: Tensor) -> Tensor:
    v = torch.zeros_like(x[0])
    counts = []
    for current in x.unbind(0):
        u = v * 0.25 + current
        count = Count.apply(u)
        v = u - count.detach()
        counts.append(count)
    return torch.stack(counts)


def fused(x: Tensor) -> Tensor:
    return ops.ilif(x, 0.25, 1.0, LIMIT)[0]


def cases() -> list[Case]:
    out = []
    for steps, neurons in SHAPES:
        x = (torch.randn(steps, neurons, generator=torch.manual_seed(0)) * 2).requires_grad_()
        grad = torch.randn(steps, neurons)

        def step(function, x=x, grad=grad):
            x.grad = None
            function(x).backward(grad)

        name = f"ilif {steps}x{neurons} f32 fwd+bwd"
        out.append(Case(name, partial(step, fused), partial(step, eager), "eager loop"))
    return out

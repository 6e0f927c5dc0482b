"""lif, forward and backward, against an eager loop over unbound steps.

The eager loop is the least a user can write for v_reset = 0: decayed input, rectangle surrogate,
detached hard reset. The reference loop has the operator's general rule (v_reset, gain, any reset).
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from lampyris import ops, reference

SHAPES = [(4, 262144), (16, 262144), (100, 32768), (500, 8192), (4, 2097152)]
EVERYTHING = [(16, 262144)]  # shapes with every variant


class Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * (u.abs() < 0.5).to(grad.dtype)


def eager(x: Tensor, fire: type[torch.autograd.Function] = Fire) -> Tensor:
    v = torch.zeros_like(x[0])
    spikes = []
    for current in x.unbind(0):
        u = v + (current - v) / 2.0
        spike = fire.apply(u - 1.0)
        v = u * (1.0 - spike.detach())
        spikes.append(spike)
    return torch.stack(spikes)


class FireAtan(Fire):
    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * (0.5 / (1 + (math.pi / 2 * u) ** 2))


def fused(x: Tensor, **options):
    return ops.lif(x, 0.5, 1.0, gain=0.5, membrane=None, **options)[0]


def packed(x: Tensor):
    return fused(x, output="packed").carrier


def saved_bytes(function, x: Tensor) -> float:
    """Bytes a neuron-step that the backward keeps, x and the output aside."""
    saved = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.setdefault(t.data_ptr(), t), lambda t: t):
        out = function(x)
    saved.pop(x.data_ptr(), None)
    saved.pop(out.data_ptr(), None)
    return sum(t.numel() * t.element_size() for t in saved.values()) / x.numel()


def capped(function, isa: str):
    """The call with kernels of a lower instruction set."""

    def call():
        before = torch.ops.lampyris._set_isa(isa)
        function()
        torch.ops.lampyris._set_isa(before)

    return call


def cases() -> list[Case]:
    out = []
    for steps, neurons in SHAPES:
        x = (torch.randn(steps, neurons, generator=torch.manual_seed(0)) * 1.5).requires_grad_()
        grad = torch.randn(steps, neurons)

        def step(function, x=x, grad=grad):
            x.grad = None
            function(x).backward(grad)

        density = float(fused(x.detach()).mean())
        shape = f"{steps}x{neurons}"
        kept = f"saves {saved_bytes(fused, x):.2f} B, eager {saved_bytes(eager, x):.2f}"
        ours, loop = partial(step, fused), partial(step, eager)
        out.append(Case(f"lif {shape} f32 fwd+bwd", ours, loop, f"eager loop ({kept})", density))
        name = f"lif {shape} f32 fwd+bwd packed"
        out.append(Case(name, partial(step, packed), loop, "eager loop", density))
        name = f"lif {shape} f32 fwd+bwd avx2"
        out.append(Case(name, capped(ours, "avx2"), loop, "eager loop", density))
        if (steps, neurons) not in EVERYTHING:
            continue
        general = partial(step, lambda x: reference.lif(x, 0.5, 1.0, gain=0.5, membrane=None)[0])
        out.append(Case(f"lif {shape} f32 fwd+bwd", ours, general, "reference loop", density))
        atan = partial(step, partial(fused, surrogate="atan"))
        name = f"lif {shape} f32 fwd+bwd atan"
        out.append(Case(name, atan, partial(step, partial(eager, fire=FireAtan)), "eager loop", density))
        half = x.detach().bfloat16().requires_grad_()
        rounded = {"x": half, "grad": grad.bfloat16()}
        ours, loop = partial(step, fused, **rounded), partial(step, eager, **rounded)
        out.append(Case(f"lif {shape} bf16 fwd+bwd", ours, loop, "eager loop bf16", density))
    return out

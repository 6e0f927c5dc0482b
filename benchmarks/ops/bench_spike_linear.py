"""spike_linear on packed spikes, forward and training step, against torch's linear on floats."""

from __future__ import annotations

import torch

from benchmarks.harness import Case
from lampyris import ops

SHAPES = [(1024, 1024, 1024), (2048, 512, 512), (512, 4096, 1024)]
DENSITIES = (0.05, 0.1, 0.3)


def cases() -> list[Case]:
    out = []
    for rows, inputs, outputs in SHAPES:
        for density in DENSITIES:
            random = torch.manual_seed(0)
            dense = (torch.rand(rows, inputs, generator=random) < density).float().requires_grad_()
            weight = torch.randn(outputs, inputs, generator=random).requires_grad_()
            grad = torch.randn(rows, outputs, generator=random)
            packed = ops.pack_spikes(dense.detach())
            spikes = ops.Spikes(packed.words, packed.carrier.clone().requires_grad_())

            def step(x, leaf, function, weight=weight, grad=grad):
                return torch.autograd.grad(function(x, weight), (leaf, weight), grad)

            def ours(spikes=spikes, step=step):
                return step(spikes, spikes.carrier, ops.spike_linear)

            def theirs(dense=dense, step=step):
                return step(dense, dense, torch.nn.functional.linear)

            @torch.no_grad()
            def forward(packed=packed, weight=weight):
                return ops.spike_linear(packed, weight)

            @torch.no_grad()
            def sgemm(dense=dense, weight=weight):
                return torch.nn.functional.linear(dense, weight)

            name = f"spike_linear {rows}x{inputs}x{outputs}"
            out.append(Case(f"{name} forward", forward, sgemm, "linear float32", density))
            if density == 0.1:
                out.append(Case(f"{name} fwd+bwd", ours, theirs, "linear float32", density))
    return out

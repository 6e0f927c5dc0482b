"""spike_max_pool2d on packed words, forward and backward, against torch's max_pool2d on floats."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.harness import Case
from lampyris import ops

SHAPES = [(16, 64, 80, 80), (16, 128, 40, 40)]
DENSITY = 0.1


def cases() -> list[Case]:
    out = []
    for shape in SHAPES:
        random = torch.manual_seed(0)
        dense = (torch.rand(shape, generator=random) < DENSITY).float()
        dense = dense.contiguous(memory_format=torch.channels_last).requires_grad_()
        packed = ops.pack_spikes(dense.detach(), dim=1)
        carrier = packed.carrier.clone().requires_grad_()
        spikes = ops.Spikes(packed.words, carrier, 1)
        grad = torch.randn(shape[0], shape[1], shape[2] // 2, shape[3] // 2, generator=random)
        grad = grad.contiguous(memory_format=torch.channels_last)

        def ours(spikes=spikes, grad=grad):
            out = ops.spike_max_pool2d(spikes).carrier
            torch.autograd.grad(out, spikes.carrier, grad)

        def theirs(dense=dense, grad=grad):
            torch.autograd.grad(torch.nn.functional.max_pool2d(dense, 2), dense, grad)

        name = f"spike_max_pool2d {'x'.join(map(str, shape))}"
        out.append(
            Case(
                f"{name} forward",
                partial(ops.spike_max_pool2d, packed),
                partial(torch.nn.functional.max_pool2d, dense.detach(), 2),
                "max_pool2d float32 NHWC",
                DENSITY,
            )
        )
        out.append(Case(f"{name} fwd+bwd", ours, theirs, "max_pool2d float32 NHWC", DENSITY))
    return out

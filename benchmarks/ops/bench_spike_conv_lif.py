"""spike_conv_lif against the modules it replaces: a convolution with the norm folded into it, the
residual sum and `lampyris.nn.LIF` on dense spikes in channels_last.
"""

from __future__ import annotations

import torch

from benchmarks.harness import Case
from lampyris import nn, ops

STEPS, BATCH = 4, 4
SHAPES = [(64, 64, 40), (128, 128, 20), (256, 256, 10), (32, 64, 80)]
DENSITY = 0.1


def _channels_last(x):
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])


@torch.no_grad()
def cases() -> list[Case]:
    out = []
    for cin, cout, size in SHAPES:
        generator = torch.Generator().manual_seed(0)
        maps = (STEPS, BATCH, cin, size, size)
        dense = _channels_last((torch.rand(maps, generator=generator) < DENSITY).float())
        packed = ops.pack_spikes(dense, dim=2)
        weight = torch.randint(-127, 128, (cout, cin, 3, 3), generator=generator, dtype=torch.int8)
        residual = _channels_last(
            torch.randint(-300, 300, (STEPS, BATCH, cout, size, size), generator=generator).float()
        )
        threshold = 100.0 * cin**0.5
        neuron = nn.LIF(0.25, threshold)
        conv = torch.nn.Conv2d(cin, cout, 3, padding=1).to(memory_format=torch.channels_last)
        conv.weight.copy_(weight.float())
        bias = torch.randint(-100, 100, (cout,), generator=generator, dtype=torch.int32)
        conv.bias.copy_(bias)

        @torch.no_grad()
        def modules(x=dense, a=residual, conv=conv, neuron=neuron):
            return neuron(conv(x.flatten(0, 1)).unflatten(0, x.shape[:2]) + a)

        options = {"decay": 0.25, "threshold": threshold, "padding": 1}
        integers = residual.to(torch.int16)
        exact = (packed, weight, bias)
        real = (packed, conv.weight.detach().contiguous(), conv.bias.detach())
        name = f"spike_conv_lif {STEPS}x{BATCH} {cin}-{cout} at {size}x{size} 3x3"
        for form, arguments, a in (("int8", exact, integers), ("float32", real, residual)):
            out.append(
                Case(
                    f"{name} {form}",
                    lambda r=arguments, a=a, o=options: ops.spike_conv_lif(*r, residual=a, **o),
                    modules,
                    "Conv2d + add + LIF",
                    DENSITY,
                )
            )
    return out

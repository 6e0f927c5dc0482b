"""spike_conv2d with int8 weights (exact sums) against torch's float32 convolution (oneDNN).

Packing the weights and measuring the density are part of our time; the peer gets dense float32
spikes in channels_last, its faster order here, without counting any unpacking.
"""

from __future__ import annotations

import torch

from benchmarks.harness import Case
from lampyris import ops

IMAGES = 16
SHAPES = [(64, 64, 40), (128, 128, 20), (256, 256, 10), (32, 64, 80)]
DENSITIES = (0.05, 0.1, 0.2, 0.3)


def cases() -> list[Case]:
    out = []
    for cin, cout, size in SHAPES:
        generator = torch.Generator().manual_seed(0)
        weight = torch.randint(-127, 128, (cout, cin, 3, 3), generator=generator, dtype=torch.int8)
        w = weight.float().contiguous(memory_format=torch.channels_last)
        for density in DENSITIES:
            dense = (torch.rand(IMAGES, cin, size, size, generator=generator) < density).float()
            x = dense.contiguous(memory_format=torch.channels_last)
            packed = ops.pack_spikes(dense, dim=1)
            out.append(
                Case(
                    f"spike_conv2d int8 {IMAGES} images {cin}-{cout} at {size}x{size} 3x3",
                    lambda p=packed, w=weight: ops.spike_conv2d(p, w, padding=1),
                    lambda x=x, w=w: torch.nn.functional.conv2d(x, w, padding=1),
                    "oneDNN float32",
                    density,
                )
            )
    return out

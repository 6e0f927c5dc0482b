"""spike_conv2d against torch's convolution (oneDNN), forward and the gradients of the weights.

Spikes are random, independent and identically distributed. The peer gets dense float32 spikes in
the memory order that is the faster one for it (channels_last or not), without counting any packing.
"""

from __future__ import annotations

import time

import torch

from benchmarks.harness import Case
from lampyris import ops

IMAGES = 16
SHAPES = [(64, 64, 40), (128, 128, 20), (256, 256, 10), (32, 64, 80)]
DENSITIES = (0.05, 0.1, 0.2, 0.3)


def _seconds(call) -> float:
    call()
    start = time.process_time()
    call()
    return time.process_time() - start


def _faster_order(call, *tensors):
    """The tensors in the memory order in which the call is faster."""
    orders = [
        [t.contiguous(memory_format=order) for t in tensors]
        for order in (torch.contiguous_format, torch.channels_last)
    ]
    return min(orders, key=lambda order: _seconds(lambda: call(*order)))


def _forward(x, w):
    return torch.nn.functional.conv2d(x, w, padding=1)


def _grad_weight(grad, x, w):
    options = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1, [False, True, False])
    return torch.ops.aten.convolution_backward(grad, x, w, None, *options)


def cases() -> list[Case]:
    out = []
    for cin, cout, size in SHAPES:
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(cout, cin, 3, 3, generator=generator) * 0.05
        for density in DENSITIES:
            dense = (torch.rand(IMAGES, cin, size, size, generator=generator) < density).float()
            packed = ops.pack_spikes(dense, dim=1)
            x, w = _faster_order(_forward, dense, weight)
            name = f"{IMAGES} images {cin}-{cout} at {size}x{size} 3x3"
            out.append(
                Case(
                    f"spike_conv2d {name} float32",
                    lambda p=packed, w=weight: ops.spike_conv2d(p, w, padding=1),
                    lambda x=x, w=w: _forward(x, w),
                    "oneDNN float32",
                    density,
                )
            )
            grad = torch.randn_like(_forward(x, w)).contiguous(memory_format=torch.channels_last)
            tensors = _faster_order(_grad_weight, grad, dense, weight)
            arguments = (packed.words, packed.carrier, grad, weight, 1, 1, 1, "float32")
            out.append(
                Case(
                    f"spike_conv2d {name} float32 dW",
                    lambda a=arguments: torch.ops.lampyris._spike_conv2d_grad_weight(*a),
                    lambda t=tensors: _grad_weight(*t),
                    "oneDNN float32",
                    density,
                )
            )
    return out

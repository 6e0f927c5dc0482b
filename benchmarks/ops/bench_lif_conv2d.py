"""lif_conv2d and lif_linear, training step, against neuron loop + convolution in torch.

Peers are fed channels_last maps: an eager loop and, where it can be imported, SpikingJelly, both in
float32, and the eager loop under bfloat16 autocast.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.harness import Case
from benchmarks.ops.bench_lif import eager
from lampyris import ops

SHAPES = [(4, 4, 64, 40, 40), (4, 4, 128, 20, 20), (4, 4, 256, 10, 10)]
LINEAR = (4, 256, 1024)
SPREAD = 1.6  # of the normal currents: about 10 % of the neurons fire
RULE = {"decay": 0.5, "threshold": 1.0, "gain": 0.5, "membrane": None}
PRECISIONS = ("float32", "mixed", "bfloat16")


def conv_peer(neuron, x: Tensor, weight: Tensor) -> Tensor:
    spikes = neuron(x).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return torch.nn.functional.conv2d(spikes, weight, padding=1).unflatten(0, x.shape[:2])


def autocast_peer(x: Tensor, weight: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return conv_peer(eager, x, weight).float()


def linear_peer(x: Tensor, weight: Tensor) -> Tensor:
    return torch.nn.functional.linear(eager(x), weight)


def channels_last(maps: Tensor) -> Tensor:
    if maps.dim() == 4:
        return maps.contiguous(memory_format=torch.channels_last)
    return channels_last(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])


def cases() -> list[Case]:
    out = []
    for shape in SHAPES:
        channels = shape[2]
        random = torch.manual_seed(0)
        x = channels_last(torch.randn(shape, generator=random) * SPREAD).requires_grad_()
        weight = torch.randn(channels, channels, 3, 3, generator=random) / (3 * channels**0.5)
        weight = channels_last(weight).requires_grad_()
        grad = channels_last(torch.randn(shape, generator=random))
        density = float(eager(x.detach()).mean())

        def step(function, x=x, weight=weight, grad=grad):
            return torch.autograd.grad(function(x, weight), (x, weight), grad)

        theirs = {"eager loop + conv2d float32": partial(step, partial(conv_peer, eager))}
        if peers.missing("spikingjelly") is None:
            neuron = peers.lif_spikingjelly()
            theirs["SpikingJelly + conv2d float32"] = partial(step, partial(conv_peer, neuron))
        theirs["eager loop + conv2d autocast bfloat16"] = partial(step, autocast_peer)
        for precision in PRECISIONS:

            def ours(x, weight, precision=precision):
                return ops.lif_conv2d(x, weight, **RULE, padding=1, precision=precision)[0]

            name = f"lif_conv2d {channels}@{shape[-1]} {precision} fwd+bwd"
            out += [Case(name, partial(step, ours), peer, label, density) for label, peer in theirs.items()]
    return out + linear_cases()


def linear_cases() -> list[Case]:
    random = torch.manual_seed(0)
    x = (torch.randn(LINEAR, generator=random) * SPREAD).requires_grad_()
    weight = (torch.randn(LINEAR[-1], LINEAR[-1], generator=random) / 32).requires_grad_()
    grad = torch.randn(LINEAR, generator=random)
    density = float(eager(x.detach()).mean())

    def step(function):
        return torch.autograd.grad(function(x, weight), (x, weight), grad)

    out = []
    for precision in PRECISIONS:

        def ours(x, weight, precision=precision):
            return ops.lif_linear(x, weight, **RULE, precision=precision)[0]

        name = f"lif_linear {'x'.join(map(str, LINEAR))} {precision} fwd+bwd"
        out.append(
            Case(
                name, partial(step, ours), partial(step, linear_peer), "eager loop + linear float32", density
            )
        )
    return out

"""Blocks and the tiny detector: fused path against layers one by one, and against eager torch.

The eager peer is what a user writes without this package: torch's convolution and batch norm on
channels_last images, a loop over unbound steps for the neurons. Weights and inputs are the same.
"""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from benchmarks.ops.bench_lif import Fire
from lampyris import models, nn

STEPS, BATCH = 4, 4
SHAPES = [(64, 40), (128, 20)]
TINY_BATCH = 16


class EagerLIF(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        v = torch.zeros_like(x[0])
        spikes = []
        for current in x.unbind(0):
            u = 0.25 * v + current
            spike = Fire.apply(u - 0.5)
            v = u * (1.0 - spike.detach())
            spikes.append(spike)
        return torch.stack(spikes)


def eager(block: torch.nn.Module) -> torch.nn.Module:
    """The block layer by layer, its neurons as a loop."""
    plain = layers(block)
    for name, module in list(plain.named_modules()):
        if isinstance(module, nn.LIF):
            parent, _, child = name.rpartition(".")
            setattr(plain.get_submodule(parent), child, EagerLIF())
    return plain


def layers(block: torch.nn.Module) -> torch.nn.Module:
    plain = copy.deepcopy(block)
    nn.set_fused(plain, False)
    return plain


def maps(channels: int, side: int) -> Tensor:
    x = torch.randn(STEPS * BATCH, channels, side, side, generator=torch.manual_seed(0)) * 0.4
    return x.contiguous(memory_format=torch.channels_last).unflatten(0, (STEPS, BATCH))


def train(block: torch.nn.Module, x: Tensor):
    block.zero_grad()
    block(x).square().mean().backward()


@torch.no_grad()
def infer(block: torch.nn.Module, x: Tensor):
    block(x)


def density(block: torch.nn.Module, x: Tensor) -> float:
    """Share of ones among the spikes that convolutions read."""
    with nn.monitor(block) as record:
        infer(block, x)
    rates = record.rates.values()
    return sum(rate.spikes for rate in rates) / sum(rate.steps for rate in rates)


def cases() -> list[Case]:
    torch.manual_seed(0)
    blocks = []
    for channels, side in SHAPES:
        x = maps(channels, side)
        blocks.append((f"MSBlock C{channels}@{side}", nn.MSBlock(channels), x))
    blocks.append(("EMSBlock1 64 to 64 @40", nn.EMSBlock1(64, 64), maps(64, 40)))
    blocks.append(("EMSBlock2 64 to 128 @40", nn.EMSBlock2(64, 128), maps(64, 40)))
    images = torch.randint(0, 256, (TINY_BATCH, 3, 80, 80), dtype=torch.uint8)
    blocks.append((f"tiny detector, batch {TINY_BATCH}", models.ems_yolo(10, "tiny"), images))
    out = []
    for name, block, x in blocks:
        rate = density(copy.deepcopy(block), x)
        for training, run in ((True, train), (False, infer)):
            fused = copy.deepcopy(block).train(training)
            leaf = x.clone().requires_grad_(training and x.is_floating_point())
            peers = (("layers", layers(fused)), ("eager channels_last", eager(fused)))
            for peer_name, peer in peers:
                peer = peer.to(memory_format=torch.channels_last) if peer_name != "layers" else peer
                case = f"{name} {'train step' if training else 'inference'}"
                out.append(Case(case, partial(run, fused, leaf), partial(run, peer, leaf), peer_name, rate))
    return out

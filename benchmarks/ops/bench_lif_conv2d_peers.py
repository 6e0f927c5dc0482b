"""lif_conv2d, a training step: against SpikingJelly and an eager loop with oneDNN's convolution.

SpikingJelly: LIFNode and Conv2d in float32. Eager: the loop of bench_lif and conv2d, in float32 and
under bfloat16 autocast. Maps and weights are channels_last on both sides.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.harness import Case
from benchmarks.ops.bench_lif import eager as eager_lif
from benchmarks.peers import lif_spikingjelly, missing
from lampyris import ops

STEPS, BATCH = 4, 4
SHAPES = [(64, 40), (128, 20), (256, 10)]
PRECISIONS = ("float32", "mixed", "bfloat16")


def skipped() -> list[str]:
    reason = missing("spikingjelly")
    return [f"lif_conv2d against SpikingJelly: {reason} (make bench-peers)"] if reason else []


def ours(x: Tensor, weight: Tensor, bias: Tensor, precision: str) -> Tensor:
    neuron = {"decay": 0.5, "threshold": 1.0, "gain": 0.5, "membrane": None}
    return ops.lif_conv2d(x, weight, bias, padding=1, precision=precision, **neuron)[0]


def _conv(spikes: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(spikes.flatten(0, 1), weight, bias, padding=1).unflatten(0, spikes.shape[:2])


def eager(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _conv(eager_lif(x), weight, bias)


def autocast(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return eager(x, weight, bias)


def _step(function, leaves: list[Tensor], grad: Tensor) -> None:
    for leaf in leaves:
        leaf.grad = None
    out = function(*leaves)
    out.backward(grad.to(out.dtype))


def _maps(channels: int, side: int) -> Tensor:
    x = torch.randn(STEPS * BATCH, channels, side, side) * 1.5
    return x.contiguous(memory_format=torch.channels_last).unflatten(0, (STEPS, BATCH))


def cases() -> list[Case]:
    if not hasattr(ops, "lif_conv2d"):
        return []
    peers = {"eager float32": eager, "eager autocast bfloat16": autocast}
    if missing("spikingjelly") is None:
        neuron = lif_spikingjelly()
        peers["SpikingJelly + conv float32"] = lambda x, *weights: _conv(neuron(x), *weights)
    out = []
    for channels, side in SHAPES:
        torch.manual_seed(0)
        weight = torch.randn(channels, channels, 3, 3).mul(0.05).contiguous(memory_format=torch.channels_last)
        x, grad = _maps(channels, side), _maps(channels, side)
        density = float(ops.lif(x, 0.5, 1.0, gain=0.5, membrane=None)[0].mean())
        leaves = [t.requires_grad_() for t in (x, weight, torch.zeros(channels))]
        for precision in PRECISIONS:
            step = partial(_step, partial(ours, precision=precision), leaves, grad)
            for label, peer in peers.items():
                name = f"lif_conv2d C{channels}@{side} {precision} fwd+bwd"
                peer_step = partial(_step, peer, leaves, grad)
                held = tuple(leaves[1:])
                out.append(Case(name, step, peer_step, label, density, x.numel(), held))
    return out

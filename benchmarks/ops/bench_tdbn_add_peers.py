"""tdbn_add_lif against SpikingJelly: BatchNorm2d over T, an add and LIFNode, maps in both orders."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from benchmarks.ops.bench_tdbn_add import DECAY, SHAPES, THRESHOLD, fused, maps
from benchmarks.peers import lif_spikingjelly, missing

ORDERS = {"NHWC": torch.channels_last, "NCHW": torch.contiguous_format}


def skipped() -> list[str]:
    reason = missing("spikingjelly")
    return [f"tdbn_add_lif against SpikingJelly: {reason} (make bench-peers)"] if reason else []


def spikingjelly(channels: int):
    """(x, residual) -> spikes, with EMS-YOLO's neuron; and the norm."""
    from spikingjelly.activation_based import layer

    norm = layer.BatchNorm2d(channels, step_mode="m")
    torch.nn.init.constant_(norm.weight, 0.5)
    neuron = lif_spikingjelly(tau=1.0 / (1.0 - DECAY), threshold=THRESHOLD, input_decayed=False)
    return lambda x, residual: neuron(norm(x) + residual), norm


def _step(function, leaves: list[Tensor], grad: Tensor) -> None:
    for leaf in leaves:
        leaf.grad = None
    function(*leaves).backward(grad)


def cases() -> list[Case]:
    if missing("spikingjelly"):
        return []
    out = []
    for channels, side in SHAPES:
        parameters = [torch.full((channels,), 0.5), torch.zeros(channels)]
        running = torch.zeros(channels), torch.ones(channels)
        inputs = [maps(channels, side), maps(channels, side).flip(1).clone()]
        density = float(fused(*inputs, *parameters, *running).mean())
        leaves = [t.requires_grad_() for t in (*inputs, *parameters)]
        grad = maps(channels, side)

        def packed(*leaves, running=running):
            return fused(*leaves, *running, output="packed").carrier

        ours = partial(_step, packed, leaves, grad)
        for order, memory in ORDERS.items():
            theirs = [
                t.detach().flatten(0, 1).contiguous(memory_format=memory).unflatten(0, t.shape[:2])
                for t in (*inputs, grad)
            ]
            their_leaves = [t.requires_grad_() for t in theirs[:2]]
            network, norm = spikingjelly(channels)
            peer = partial(_step, network, their_leaves, theirs[2])
            name = f"tdbn_add_lif C{channels}@{side} fwd+bwd packed"
            steps = inputs[0].numel()
            held = (*parameters, *norm.parameters(), *norm.buffers())
            out.append(Case(name, ours, peer, f"SpikingJelly {order}", density, steps, held))
    return out

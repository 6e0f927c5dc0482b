"""A training step of EMS-Res10 lite (320 x 320, T = 4, batch 4) against plain PyTorch in the authors' style.

The peer is our own writing of how such networks are usually programmed: convolutions, pooling and up-sampling
as loops over T, float spikes, a loop for the neuron, batch norm in three dimensions, the image convolved T
times. Weights, loss and targets are the same. Each side runs in a process of its own, so that the peak memory
is its own.

    python -m benchmarks.detection.bench_train_step [--rounds 3] [--size 320] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

STEPS, BATCH, SIZE, CLASSES = 4, 4, 320, 2
SIDES = ("ours float32", "ours mixed", "ours mixed, recomputed", "authors' style")
MIB = 2.0**20


class Spike(torch.autograd.Function):
    """Heaviside forward, rectangle of height and width 1 backward."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() < 0.5).float()


class LoopLIF(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        v = spike = torch.zeros_like(x[0])
        out = torch.zeros_like(x)
        for t in range(x.shape[0]):
            v = 0.25 * v * (1 - spike.detach()) + x[t]
            spike = Spike.apply(v - 0.5)
            out[t] = spike
        return out


class Loop(torch.nn.Module):
    """A module of images, step by step."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.module(x[t]) for t in range(x.shape[0])])


class Norm3d(torch.nn.Module):
    def __init__(self, norm: torch.nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm3d(norm.num_features, norm.eps, norm.momentum)
        self.norm.load_state_dict(norm.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4)


class RepeatedStem(torch.nn.Module):
    def __init__(self, stem: torch.nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.steps = Loop(_convolution(stem.conv)), Norm3d(stem.norm), stem.time_steps

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv((images.float() / 256).expand(self.steps, *images.shape)))


def _convolution(conv: torch.nn.Conv2d) -> torch.nn.Conv2d:
    plain = torch.nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        bias=conv.bias is not None,
    )
    plain.load_state_dict(conv.state_dict())
    return plain


def authors_style(model: torch.nn.Module) -> torch.nn.Module:
    """The same network from loops over T, changed in place."""
    from lampyris import nn

    nn.set_fused(model, False)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Stem):
            new: torch.nn.Module = RepeatedStem(module)
        elif name.startswith("stem"):
            continue
        elif isinstance(module, nn.LIF):
            new = LoopLIF()
        elif isinstance(module, nn.TDBatchNorm2d):
            new = Norm3d(module)
        elif isinstance(module, nn.Conv2d):
            new = Loop(_convolution(module))
        elif isinstance(module, nn.MaxPool2d):
            new = Loop(torch.nn.MaxPool2d(module.kernel_size))
        elif isinstance(module, nn.Upsample):
            new = Loop(torch.nn.Upsample(scale_factor=2, mode="nearest"))
        else:
            continue
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, new)
    return model.to(memory_format=torch.contiguous_format)


def targets() -> list[dict[str, Tensor]]:
    boxes = torch.tensor([[20.0, 30, 80, 90], [120, 60, 260, 200], [200, 210, 240, 300]])
    return [{"boxes": boxes, "labels": torch.tensor([0, 1, 0])}] * BATCH


def one_side(side: str, rounds: int, size: int) -> dict[str, float]:
    """Seconds of each step after a first one, peak memory above the weights, and the loss."""
    from lampyris import memory, models, nn
    from lampyris.tasks import detection
    from lampyris.tasks.detection.estimate import _reset_peak, _status

    if side.startswith("ours"):
        memory.reuse_pages()
    torch.manual_seed(0)
    model = models.ems_yolo(10, "lite", num_classes=CLASSES, time_steps=STEPS)
    spec = detection.HeadSpec.of(model)
    if side == "authors' style":
        model = authors_style(model)
    nn.set_precision(model, "mixed" if "mixed" in side else "float32")
    if "recomputed" in side:
        detection.recompute_blocks(model)
    images = torch.randint(0, 256, (BATCH, 3, size, size), dtype=torch.uint8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    _reset_peak()
    before, seconds, loss = _status("VmRSS:"), [], 0.0
    for _ in range(rounds + 1):
        start = time.perf_counter()
        optimizer.zero_grad()
        value = spec.loss(model(images), targets())["loss"]
        value.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        loss = value.item()
    peak = (_status("VmHWM:") - before) / MIB
    return {"seconds": statistics.median(seconds[1:]), "peak_mib": peak, "loss": loss}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options.side, options.rounds, options.size)))
        return
    command = [sys.executable, "-m", "benchmarks.detection.bench_train_step", "--rounds", str(options.rounds)]
    found = {}
    for side in SIDES:
        call = [*command, "--size", str(options.size), "--side", side]
        out = subprocess.run(call, check=True, capture_output=True, text=True).stdout
        found[side] = json.loads(out.splitlines()[-1])
    peer = found["authors' style"]
    threads = torch.get_num_threads()
    print(f"EMS-Res10 lite, {options.size} x {options.size}, T = {STEPS}, batch {BATCH}, {threads} threads")
    print(f"{'':24}{'s / step':>10}{'faster':>8}{'peak MiB':>10}{'memory':>8}{'loss':>10}")
    for side, row in found.items():
        faster, memory = peer["seconds"] / row["seconds"], row["peak_mib"] / peer["peak_mib"]
        line = f"{side:24}{row['seconds']:10.2f}{faster:8.2f}{row['peak_mib']:10.0f}{memory:8.2f}"
        print(f"{line}{row['loss']:10.5f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

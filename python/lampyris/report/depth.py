"""How gradients survive depth: isometry of every block, gradients of first over last, and what still trains.

Source: Chen et al., "A Comprehensive and Modularized Statistical Framework for Gradient Norm Equality in Deep
Neural Networks", TPAMI 2020 (block dynamical isometry: the mean of phi(J J^T) near 1); Su et al., ICCV 2023.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lampyris import nn

__all__ = ["KINDS", "DepthNetwork", "DepthRow", "block_isometry", "gradient_ratio", "study_depth", "trains"]

KINDS = ("plain", "sew", "ms", "ems")
WIDTHS = (16, 32, 48, 64)
SIZE = 32
BATCH = 32
LEARNING_RATE = 2e-3


class DepthNetwork(torch.nn.Module):
    """A classifier of four stages whose depth is free: uint8 [B, 1, 32, 32] -> logits [B, classes].

    Every stage starts with a block that changes the shape, the others keep it: "ems" has EMS blocks there
    and MS blocks between, "ms" the shortcut without a neuron, "sew" sums of spikes, "plain" no shortcuts.

    Args:
        kind: one of `KINDS`.
        depth: convolutions on the longest path, without shortcuts: even, at least 10.
        num_classes: classes.
        time_steps: T.

    Attributes:
        blocks: the residual blocks, first to last.
    """

    def __init__(self, kind: str, depth: int, num_classes: int = 10, time_steps: int = 2) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"DepthNetwork: kind must be one of {', '.join(KINDS)}, got {kind!r}")
        if depth < 10 or depth % 2:
            raise ValueError(f"DepthNetwork: depth must be even and at least 10, got {depth}")
        count = (depth - 2) // 2
        self.stem = nn.Stem(1, WIDTHS[0], time_steps=time_steps)
        blocks: list[torch.nn.Module] = []
        channels = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            stride = 1 if stage == 0 else 2
            repeats = count // 4 + (stage < count % 4)
            for index in range(repeats):
                first = index == 0
                blocks.append(_block(kind, channels, width, stride if first else 1, first))
                channels = width
        self.blocks = torch.nn.Sequential(*blocks)
        self.lif = nn.LIF()
        self.out = torch.nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        return self.out(self.lif(self.blocks(self.stem(images))).mean((0, 3, 4)))


def _block(kind: str, cin: int, cout: int, stride: int, first: bool) -> torch.nn.Module:
    if kind == "plain":
        return nn.PlainBlock(cin, cout, stride)
    if kind == "sew":
        return nn.SEWBlock(cin, cout, stride)
    if not first:
        return nn.MSBlock(cout)
    if kind == "ms":
        return nn.EMSBlock1(cin, cout, stride, spiking_shortcut=False)
    return nn.EMSBlock2(cin, cout, stride) if cout > cin else nn.EMSBlock1(cin, cout, stride)


def block_isometry(block: torch.nn.Module, x: Tensor, probes: int = 8, seed: int = 0) -> tuple[float, float]:
    """phi(J J^T) = tr(J J^T) / m of a block's Jacobian J at x, by Hutchinson probes; m numbers come out.

    Each probe is ||J^T v||^2 / m with v normal; surrogate gradients stand for the derivative of a spike, and
    norms use the batch's statistics, as in training.

    Args:
        block: a module from currents to currents.
        x: [T, B, C, H, W].
        probes: number of vectors v.
        seed: of their generator.

    Returns:
        Mean over the probes, and its standard error.

    Example:
        >>> block_isometry(torch.nn.Identity(), torch.zeros(1, 1, 64, 8, 8), probes=64)[0] > 0.95
        True
    """
    random = torch.Generator().manual_seed(seed)
    x = x.detach().requires_grad_()
    y = block(x)
    values = []
    for _ in range(probes):
        probe = torch.randn(y.shape, generator=random, dtype=y.dtype)
        (gradient,) = torch.autograd.grad(y, x, probe, retain_graph=True)
        values.append(float(gradient.double().square().sum()) / y.numel())
    spread = torch.tensor(values, dtype=torch.float64).std().item() if probes > 1 else 0.0
    return sum(values) / probes, spread / probes**0.5


def gradient_ratio(network: DepthNetwork, images: Tensor, labels: Tensor) -> float:
    """Norm of the loss's gradient at the first block's output over that at the last block's output.

    Norms of whole maps, which a block with J J^T = I keeps; 1 means neither vanishing nor exploding.
    """
    kept: list[Tensor] = []

    def keep(_: Any, __: Any, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handles = [network.blocks[place].register_forward_hook(keep) for place in (0, -1)]
    try:
        network.train()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
    finally:
        for handle in handles:
            handle.remove()
        network.zero_grad(set_to_none=True)
    first, last = (float(y.grad.double().square().sum().sqrt()) for y in kept)
    return first / last if last else float("inf")


def trains(
    network: DepthNetwork, images: Tensor, labels: Tensor, steps: int, seed: int = 0
) -> tuple[float, float]:
    """Train for some steps: mean loss of the last tenth, and accuracy on the same samples at the end."""
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    losses: list[float] = []
    network.train()
    for _ in range(steps):
        chosen = torch.randint(len(images), (BATCH,), generator=random)
        loss = torch.nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():  # batch statistics: running ones lag behind so few steps
        right = sum(
            int((network(x).argmax(1) == y).sum())
            for x, y in zip(images[:256].split(BATCH), labels[:256].split(BATCH), strict=True)
        )
    tail = losses[-max(steps // 10, 1) :]
    return sum(tail) / len(tail), right / len(images[:256])


@dataclass(frozen=True)
class DepthRow:
    """One network: isometry of its blocks (smallest, mean, largest), gradient ratio, and training."""

    kind: str
    depth: int
    phi: tuple[float, float, float]
    gradient_ratio: float
    loss: float
    accuracy: float
    seconds: float


def study_depth(
    images: Tensor,
    labels: Tensor,
    *,
    kinds: tuple[str, ...] = KINDS,
    depths: tuple[int, ...] = (10, 20, 34, 50, 100),
    steps: int = 150,
    probes: int = 4,
    seed: int = 0,
) -> list[DepthRow]:
    """Measure every kind at every depth with fresh weights, then train it.

    Args:
        images: uint8 [N, 1, 32, 32]; labels: int64 [N].
        kinds, depths: which networks.
        steps: of training, batch 32.
        probes: Hutchinson vectors a block.
        seed: of weights, batches and probes.
    """
    rows = []
    for kind in kinds:
        for depth in depths:
            start = time.monotonic()
            torch.manual_seed(seed)
            network = DepthNetwork(kind, depth)
            ratio = gradient_ratio(network, images[:BATCH], labels[:BATCH])
            phis = _isometries(network, images[: BATCH // 4], probes, seed)
            torch.manual_seed(seed)
            network = DepthNetwork(kind, depth)
            loss, accuracy = trains(network, images, labels, steps, seed)
            phi = (min(phis), sum(phis) / len(phis), max(phis))
            rows.append(DepthRow(kind, depth, phi, ratio, loss, accuracy, time.monotonic() - start))
    return rows


def _isometries(network: DepthNetwork, images: Tensor, probes: int, seed: int) -> list[float]:
    with torch.no_grad():
        x = network.stem(images)
    phis = []
    for block in network.blocks:
        phis.append(block_isometry(block, x, probes, seed)[0])
        with torch.no_grad():
            x = block(x)
    return phis

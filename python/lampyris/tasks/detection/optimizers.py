"""Optimizers of detector training: AdamW with one cycle, and the SGD cycle of the published runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["SgdCycle", "adamw_groups", "sgd_groups"]

LONGEST_WARMUP = 0.3
"""Share of a run that warm-up may take, where epochs are few."""


@dataclass(frozen=True)
class SgdCycle:
    """SGD with Nesterov momentum, linear warm-up, and one cosine from ``lr`` to ``lr * final``.

    During warm-up the rate of weights rises from 0, that of biases falls from ``warmup_bias_lr``, and the
    momentum rises from ``warmup_momentum``. Gradients are those of ``nominal_batch`` samples: the mean loss
    is multiplied by it, and smaller batches are accumulated up to it.

    Args:
        lr: highest rate.
        final: last rate over highest rate.
        momentum: after warm-up.
        weight_decay: of convolution weights, for one step per nominal batch.
        warmup_epochs: length of the warm-up, at least ``warmup_iterations`` batches, at most 30 % of the run.
        warmup_iterations: batches.
        warmup_bias_lr, warmup_momentum: where the warm-up starts.
        nominal_batch: samples per optimizer step; a larger batch is taken as it is.

    Source: Su et al., ICCV 2023, released training options; Ultralytics YOLOv5.

    Example:
        >>> cycle = SgdCycle(lr=0.01, warmup_iterations=100)
        >>> cycle.accumulation(16), cycle.accumulation(128)
        (4, 1)
        >>> [round(cycle.rate(step, 1000, 10), 3) for step in (0, 300, 999)]
        [0.0, 0.814, 0.1]
    """

    lr: float = 0.01
    final: float = 0.1
    momentum: float = 0.937
    weight_decay: float = 5e-4
    warmup_epochs: float = 3.0
    warmup_iterations: int = 1000
    warmup_bias_lr: float = 0.1
    warmup_momentum: float = 0.8
    nominal_batch: int = 64

    def __post_init__(self) -> None:
        for name in ("lr", "final", "nominal_batch"):
            if getattr(self, name) <= 0:
                raise ValueError(f"SgdCycle: {name} must be > 0, got {getattr(self, name)}")

    def accumulation(self, batch: int) -> int:
        """Batches of ``batch`` samples (over all processes) per optimizer step."""
        return max(1, round(self.nominal_batch / batch))

    def decay(self, batch: int) -> float:
        """Weight decay, in proportion to the samples of one optimizer step."""
        return self.weight_decay * batch * self.accumulation(batch) / self.nominal_batch

    def warmup(self, total: int, epochs: int, accumulation: int = 1) -> float:
        """Length of the warm-up in optimizer steps."""
        wanted = max(self.warmup_epochs * total / max(epochs, 1), self.warmup_iterations / accumulation)
        return min(wanted, LONGEST_WARMUP * total)

    def rate(self, step: int, total: int, epochs: int, accumulation: int = 1, *, start: float = 0.0) -> float:
        """Factor of ``lr`` at optimizer step ``step`` of ``total``; ``start`` is the factor at step 0."""
        last = max(total - 1, 1)
        cosine = self.final + (1 - self.final) * (1 + math.cos(math.pi * min(step / last, 1.0))) / 2
        warmup = self.warmup(total, epochs, accumulation)
        if step >= warmup:
            return cosine
        return start + (cosine - start) * step / warmup

    def momentum_at(self, step: int, total: int, epochs: int, accumulation: int = 1) -> float:
        """Momentum at optimizer step ``step`` of ``total``."""
        warmup = self.warmup(total, epochs, accumulation)
        if step >= warmup:
            return self.momentum
        return self.warmup_momentum + (self.momentum - self.warmup_momentum) * step / warmup


def _convolutions(model: torch.nn.Module) -> set[int]:
    return {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Conv2d)}


def adamw_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Convolution weights with decay, all else without."""
    convolutions = _convolutions(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if id(p) in convolutions], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in convolutions], "weight_decay": 0.0},
    ]


def sgd_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Convolution weights with decay; other weights; biases (the group whose rate starts high)."""
    convolutions = _convolutions(model)
    groups: dict[str, list[torch.nn.Parameter]] = {"decayed": [], "weights": [], "biases": []}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        plain = "biases" if name.rpartition(".")[2] == "bias" else "weights"
        groups["decayed" if id(parameter) in convolutions else plain].append(parameter)
    decay = {"decayed": weight_decay}
    return [{"params": p, "weight_decay": decay.get(name, 0.0)} for name, p in groups.items() if p]


def make(
    model: torch.nn.Module,
    sgd: SgdCycle | None,
    *,
    lr: float,
    weight_decay: float,
    batch: int,
    fused: bool,
    rates: Callable[[int, float], float],
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """Optimizer and schedule of a task.

    Args:
        model: what is trained.
        sgd: None is AdamW with ``lr`` and ``weight_decay``.
        batch: samples per batch over all processes.
        fused: one kernel for all parameters; not with automatic mixed precision, whose clipping refuses it.
        rates: (optimizer step, factor at step 0) -> factor of the highest rate.
    """
    if sgd is None:
        optimizer: Any = torch.optim.AdamW(adamw_groups(model, weight_decay), lr=lr, fused=fused)
        starts = [0.0] * len(optimizer.param_groups)
    else:
        groups = sgd_groups(model, sgd.decay(batch))
        optimizer = torch.optim.SGD(groups, lr=sgd.lr, momentum=sgd.momentum, nesterov=True)
        named = {id(p): n for n, p in model.named_parameters()}
        biases = [named[id(g["params"][0])].endswith("bias") for g in optimizer.param_groups]
        starts = [sgd.warmup_bias_lr / sgd.lr if bias else 0.0 for bias in biases]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, [lambda step, start=start: rates(step, start) for start in starts]
    )
    return optimizer, schedule

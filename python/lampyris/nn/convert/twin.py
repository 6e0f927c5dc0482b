"""The ANN twin of a spiking network, and the way back: conversion by threshold balancing.

Source of the conversion: Diehl et al., IJCNN 2015 (balancing by the largest activation); Rueckauer et al.,
Frontiers in Neuroscience 2017 (a high percentile, soft reset, pooling by what came so far); a start at half
the threshold, Bu et al., ICLR 2022.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from lampyris import ops
from lampyris.nn.ilif import ILIF
from lampyris.nn.maps import MaxPool2d
from lampyris.nn.neuron import LIF
from lampyris.nn.stem import Stem

__all__ = ["ConvertedIF", "ann_twin", "convert_twin"]

SAMPLES = 100_000
"""Activations of one layer and batch that the percentile is taken of."""


class ConvertedIF(torch.nn.Module):
    """Integrate-and-fire neurons in place of a ReLU: their mean over T approaches it, up to ``threshold``.

    ``U = V + x``; a spike of height ``threshold`` where U > threshold; then U - threshold (soft reset).
    V starts at half the threshold, which centres the rounding.

    Args:
        threshold: the largest activation that can be told, in the unit of the current.

    Example:
        >>> ConvertedIF(1.0)(torch.full((4, 1, 1), 0.7)).flatten().tolist()
        [1.0, 0.0, 1.0, 1.0]
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        if not threshold > 0:
            raise ValueError(f"ConvertedIF: threshold must be greater than 0, got {threshold}")
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        """Currents [T, B, ...] -> 0 or threshold, the same shape."""
        start = torch.full_like(x[0], self.threshold / 2)
        spikes, _ = ops.lif(x, 1.0, self.threshold, reset="soft", v_init=start)
        return spikes * self.threshold

    def extra_repr(self) -> str:
        return f"threshold={self.threshold:.4g}"


class ConvertedMaxPool2d(torch.nn.Module):
    """Max pooling of what has come so far, step by step: its mean over T is the maximum of the means.

    The maximum of every single step would be too large wherever inputs vary over T.
    """

    def __init__(self, pool: torch.nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, C, H, W] -> pooled differences [T, B, C, H', W']; spikes stay spikes."""
        pooled = self.pool(x.cumsum(0))
        return torch.cat((pooled[:1], pooled.diff(dim=0)))


def ann_twin(model: torch.nn.Module, time_steps: int = 1) -> torch.nn.Module:
    """The same graph with ReLU in place of every neuron; a copy, weights included.

    Args:
        model: a network of lampyris.nn layers.
        time_steps: T; 1 for still images. Steps of a sequence do not know of each other in an ANN.

    Returns:
        A module that is trained and evaluated like the original.

    Raises:
        ValueError: a model without neurons.

    Example:
        >>> from lampyris import nn
        >>> twin = ann_twin(torch.nn.Sequential(nn.Stem(3, 4, time_steps=4), nn.LIF(), nn.Conv2d(4, 2, 1)))
        >>> twin[0].time_steps, type(twin[1]).__name__
        (1, 'ReLU')
    """
    twin = copy.deepcopy(model)
    if not _replace(twin, (LIF, ILIF), lambda name, module: torch.nn.ReLU()):
        raise ValueError(f"ann_twin: model must hold neurons, got {type(model).__name__} without any")
    for module in twin.modules():
        if isinstance(module, Stem):
            module.time_steps = time_steps
    return twin


@torch.no_grad()
def convert_twin(
    twin: torch.nn.Module,
    batches: Iterable[Any],
    *,
    time_steps: int,
    percentile: float = 99.9,
    limit: int | None = None,
) -> torch.nn.Module:
    """Spiking network of a trained ANN twin: every ReLU becomes `ConvertedIF`, thresholds from activations.

    Max pooling becomes `ConvertedMaxPool2d`. The more steps, the nearer the twin's output.

    Args:
        twin: trained, of `ann_twin`.
        batches: inputs, or (inputs, targets), that the activations are measured on (training data).
        time_steps: T; may be changed later with `lampyris.nn.set_time_steps`.
        percentile: of the positive activations of a layer that becomes its threshold, (0, 100].
        limit: number of batches; None takes all.

    Returns:
        A copy in evaluation mode; ``twin`` is unchanged.

    Raises:
        ValueError: no ReLU, no batch, or a percentile out of range.
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"convert_twin: percentile must be in (0, 100], got {percentile}")
    network = copy.deepcopy(twin).eval()
    names = [name for name, module in network.named_modules() if isinstance(module, torch.nn.ReLU)]
    if not names:
        raise ValueError(f"convert_twin: twin must hold ReLU layers, got {type(twin).__name__} without any")
    highest: dict[str, list[float]] = {name: [] for name in names}
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: highest[name].append(_level(output, percentile))
        )
        for name in names
    ]
    for index, batch in enumerate(batches):
        if index == limit:
            break
        network(batch[0] if isinstance(batch, (tuple, list)) else batch)
    for handle in handles:
        handle.remove()
    if not all(highest.values()):
        raise ValueError("convert_twin: batches must hold at least one, got none")
    _replace(network, (torch.nn.ReLU,), lambda name, module: ConvertedIF(max(highest[name]) or 1.0))
    _replace(network, (MaxPool2d,), lambda name, module: ConvertedMaxPool2d(module))
    for module in network.modules():
        if isinstance(module, Stem):
            module.time_steps = time_steps
    return network


def _level(activations: Tensor, percentile: float) -> float:
    """The percentile of the positive activations, from an even sample of them; 0 where none is positive."""
    positive = activations[activations > 0].float()
    if not positive.numel():
        return 0.0
    step = max(positive.numel() // SAMPLES, 1)
    return float(torch.quantile(positive[::step][:SAMPLES], percentile / 100))


def _replace(model: torch.nn.Module, kinds: tuple[type, ...], make: Any) -> int:
    """Swap every layer of the kinds, after which their blocks run layer by layer. Returns their number."""
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, kinds)]
    for name, module in found:
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, make(name, module))
    return len(found)

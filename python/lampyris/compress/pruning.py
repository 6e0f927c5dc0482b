"""Magnitude pruning of exact networks: masks that stay through training and in checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .exact_conv import ExactConv2d
from .exact_layer import MaskedLayer, exact_layers

__all__ = ["Pruner", "Pruning", "cubic_sparsity", "sparsity_of"]

STRUCTURES = ("element", "vector", "nm")
SCOPES = ("layer", "global")
VECTOR = 16
"""Output channels pruned together: the accelerator's parallelism."""


@dataclass(frozen=True)
class Pruning:
    """What to prune, and when.

    Args:
        sparsity: final share of zero weights in the pruned layers, 0 <= s < 1. For "nm" it is given by n, m.
        structure: "element"; "vector": 16 output channels of one input channel and tap together; "nm": n of m
            consecutive input channels stay.
        scope: "layer": the same share in each layer; "global": one threshold for all.
        begin, end: as shares of the training steps; the share grows by the cubic ramp between them.
        every: steps between mask updates.
        n, m: of structure "nm".
        skip: names of layers to leave dense. Stem and output are never pruned.

    Raises:
        ValueError: a value out of range.
    """

    sparsity: float = 0.5
    structure: str = "element"
    scope: str = "layer"
    begin: float = 0.0
    end: float = 0.6
    every: int = 10
    n: int = 2
    m: int = 4
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"Pruning: sparsity must be in [0, 1), got {self.sparsity}")
        for name, words in (("structure", STRUCTURES), ("scope", SCOPES)):
            if getattr(self, name) not in words:
                raise ValueError(
                    f"Pruning: {name} must be one of {', '.join(words)}, got {getattr(self, name)!r}"
                )
        if not 0 <= self.begin <= self.end <= 1:
            raise ValueError(f"Pruning: must have 0 <= begin <= end <= 1, got {self.begin} and {self.end}")
        if self.every < 1 or not 1 <= self.n <= self.m:
            raise ValueError(
                f"Pruning: must have every >= 1 and 1 <= n <= m, got {self.every}, {self.n}, {self.m}"
            )
        object.__setattr__(self, "skip", tuple(self.skip))


def cubic_sparsity(step: int, begin: int, end: int, final: float) -> float:
    """``s_f (1 - (1 - (t - t0) / (t1 - t0))^3)``, 0 before t0, s_f from t1 (Zhu & Gupta 2017, equation 1).

    Example:
        >>> cubic_sparsity(5, 0, 10, 0.5)
        0.4375
    """
    if step >= end:
        return final
    if step <= begin:
        return 0.0
    return final * (1 - (1 - (step - begin) / (end - begin)) ** 3)


class Pruner:
    """Sets the masks of an exact model along a schedule.

    Args:
        model: an exact model.
        pruning: what and when.
        steps: length of the training run in optimizer steps.

    Raises:
        ValueError: no layer to prune, or a name in ``skip`` that is none.

    Example:
        >>> import torch, warnings
        >>> from lampyris import compress, models
        >>> model, images = models.ems_yolo().eval(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     _ = compress.prepare(model, compress.ExactConfig(), images)
        >>> compress.Pruner(model, compress.Pruning(0.5), steps=1).finish()
        >>> compress.sparsity_of(model)["total"] > 0.48
        True
    """

    def __init__(self, model: torch.nn.Module, pruning: Pruning, steps: int) -> None:
        layers = exact_layers(model)
        unknown = [name for name in pruning.skip if name not in layers]
        if unknown:
            raise ValueError(f"Pruner: skip must name exact layers, got {', '.join(unknown)}")
        self.layers: dict[str, ExactConv2d] = {
            name: layer
            for name, layer in layers.items()
            if isinstance(layer, ExactConv2d) and name not in pruning.skip
        }
        if not self.layers:
            raise ValueError("Pruner: model must have an exact convolution to prune, got none")
        self.pruning = pruning
        self.begin = round(pruning.begin * steps)
        self.end = round(pruning.end * steps)
        self.applied: float | None = None  # None: nothing yet in this run

    def step(self, step: int) -> None:
        """Before optimizer step ``step`` (0, 1, ...): update the masks when they are due."""
        if step < self.begin or step > self.end:
            return
        if (step - self.begin) % self.pruning.every == 0 or step == self.end:
            self.apply(cubic_sparsity(step, self.begin, self.end, self.pruning.sparsity))

    @torch.no_grad()
    def apply(self, sparsity: float) -> None:
        """Set all masks for one sparsity; weights pruned before may return."""
        pruning, layers = self.pruning, list(self.layers.values())
        self.applied = sparsity
        if pruning.structure == "nm":
            share = sparsity / pruning.sparsity if pruning.sparsity else 0.0
            for layer in layers:
                layer.set_mask(_nm_mask(layer.weight, pruning.n, pruning.m, share))
            return
        scores = [_scores(layer.weight, pruning.structure) for layer in layers]
        masks = _magnitude_masks(scores, sparsity, pruning.scope)
        for layer, mask in zip(layers, masks, strict=True):
            layer.set_mask(_spread(mask, layer.weight, pruning.structure))

    @torch.no_grad()
    def finish(self) -> None:
        """Final masks, unless they stand (also from a checkpoint); zeros written into the pruned weights."""
        untouched = self.applied is None and all(layer.dense for layer in self.layers.values())
        if untouched or (self.applied is not None and self.applied < self.pruning.sparsity):
            self.apply(self.pruning.sparsity)
        for layer in self.layers.values():
            layer.weight.mul_(layer.mask)


def sparsity_of(model: torch.nn.Module) -> dict[str, float]:
    """Share of zero *integer* weights by layer, and of all layers together under "total"."""
    zeros, sizes = {}, {}
    for name, layer in exact_layers(model).items():
        if isinstance(layer, MaskedLayer):
            weight = layer.integers()["weight"]
            zeros[name], sizes[name] = int((weight == 0).sum()), weight.size
    shares = {name: zeros[name] / sizes[name] for name in zeros}
    return {**shares, "total": sum(zeros.values()) / max(1, sum(sizes.values()))}


def _magnitude_masks(scores: Sequence[Tensor], sparsity: float, scope: str) -> list[Tensor]:
    from lampyris import ops

    return ops.magnitude_mask(list(scores), sparsity, scope=scope)


def _scores(weight: Tensor, structure: str) -> Tensor:
    """|w|, or its mean over each tile of 16 output channels: [ceil(Co / 16), Ci, K, K]."""
    if structure == "element":
        return weight.abs()
    return torch.stack([tile.abs().mean(0) for tile in weight.split(VECTOR)])


def _spread(mask: Tensor, weight: Tensor, structure: str) -> Tensor:
    return mask if structure == "element" else mask.repeat_interleave(VECTOR, 0)[: len(weight)]


def _nm_mask(weight: Tensor, n: int, m: int, share: float) -> Tensor:
    """n of m consecutive input channels stay in the given share of all groups (the weakest cut first)."""
    cout, cin = weight.shape[:2]
    if cin % m:
        raise ValueError(f"Pruner: n:m pruning must have input channels that are multiples of {m}, got {cin}")
    groups = weight.abs().reshape(cout, cin // m, m, -1)
    order = groups.argsort(dim=2, descending=True).argsort(dim=2)
    keep = order < n
    lost = torch.where(keep, torch.zeros_like(groups), groups).sum(2)
    cut = round(share * lost.numel())
    chosen = torch.zeros(lost.numel(), dtype=torch.bool, device=weight.device)
    chosen[lost.flatten().argsort(stable=True)[:cut]] = True
    keep = keep | ~chosen.view_as(lost).unsqueeze(2)
    return keep.reshape(weight.shape)

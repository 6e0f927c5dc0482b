"""Largest currents of each stream on a calibration set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from lampyris.capture import Graph, Node

__all__ = ["Calibration", "calibrate", "inputs_of"]


class Calibration:
    """max|x| of every X, by node name, and how much was run.

    Attributes:
        largest: {node: max|x|} of stems, convolutions, adds and copies of streams.
        batches, images: number run.
    """

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}
        self.batches = 0
        self.images = 0

    def observe(self, node: Node, value: Tensor) -> None:
        if node.kind == "stream":
            steps = value[:1] if value.stride(0) == 0 else value
            low, high = torch.aminmax(steps)
            largest = max(-float(low), float(high))
            self.largest[node.name] = max(self.largest.get(node.name, 0.0), largest)


def inputs_of(batch: Any) -> Tensor:
    """The input tensor of a batch: the batch itself, or the first of (inputs, targets)."""
    return batch if isinstance(batch, Tensor) else batch[0]


def calibrate(graph: Graph, folded: torch.nn.Module, batches: Iterable[Any], limit: int) -> Calibration:
    """Run the folded float network on at most ``limit`` batches.

    Raises:
        ValueError: no batch came, or a current is not finite.
    """
    result = Calibration()
    device = next(folded.parameters()).device
    for batch in batches:
        inputs = inputs_of(batch).to(device)
        graph.run(folded, inputs, result.observe)
        result.batches += 1
        result.images += inputs.shape[-4]
        if result.batches == limit:
            break
    if not result.batches:
        raise ValueError("prepare: calibration must give at least one batch, got none")
    for name, value in result.largest.items():
        if not value < float("inf"):
            raise ValueError(
                f"prepare: currents of {name} must be finite on the calibration set, got {value}"
            )
    return result

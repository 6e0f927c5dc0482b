"""Exact neurons."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lampyris import nn, ops

from .exact_layer import Entry, ExactLayer

__all__ = ["ExactLIF"]

MEMBRANE_MIN = -(2**17)
MEMBRANE_MAX = 2**17 - 1


class ExactLIF(ExactLayer, nn.LIF):
    """Integer currents [T, B, C, H, W] in float32 -> spikes 0/1.

    `lampyris.ops.lif` with floor rounding against the integer threshold Theta; each part of a concatenation
    has its own. The surrogate is float training's, in integer units: width Theta / V_th.

    Args:
        neuron: gives the float settings.
        entry: the neuron's part of the plan; ``segments`` lists {channels, theta, scale} in channel order.
    """

    def __init__(self, neuron: nn.LIF, entry: Entry) -> None:
        nn.LIF.__init__(
            self,
            entry["decay"],
            entry["v_th"],
            gain=entry["gain"],
            inclusive=entry["inclusive"],
            surrogate=neuron.surrogate,
            width=entry["width"],
        )
        self.entry = entry

    def forward(self, x: Tensor, state: Tensor | None = ...) -> Tensor | tuple[Tensor, Tensor]:
        before = None if state is ... else state
        membrane = "trace" if self.recorder is not None else None if state is ... else "last"
        spikes, v = self.run(x, before, membrane=membrane)
        if self.recorder is not None:
            saturated = self._count_saturated(x, v, before)
            self.recorder.neuron(self.entry["name"], spikes, v, saturated)
            v = v[-1]
        return spikes if state is ... else (spikes, v)

    def run(
        self, x: Tensor, state: Tensor | None = None, *, membrane: str | None = "last", output: str = "dense"
    ) -> tuple[Tensor | ops.Spikes, Tensor | None]:
        segments = self.entry["segments"]
        if len(segments) == 1:
            return self._fire(x, segments[0], state, membrane, output)
        channels = [segment["channels"] for segment in segments]
        parts = x.split(channels, dim=2)
        states = [None] * len(parts) if state is None else state.split(channels, dim=1)
        fired = [self._fire(*part, membrane, "dense") for part in zip(parts, segments, states, strict=True)]
        spikes = torch.cat([part for part, _ in fired], dim=2)
        v = None if membrane is None else torch.cat([part for _, part in fired], dim=-3)
        return ops.pack_spikes(spikes, dim=2) if output == "packed" else spikes, v

    def _fire(
        self, x: Tensor, segment: dict, state: Tensor | None, membrane: str | None, output: str
    ) -> tuple[Tensor | ops.Spikes, Tensor | None]:
        return ops.lif(
            x,
            self.decay,
            float(segment["theta"]),
            gain=self.gain,
            inclusive=self.inclusive,
            surrogate=self.surrogate,
            width=self.width * segment["scale"],
            rounding="floor",
            v_init=state,
            membrane=membrane,
            output=output,
        )

    def _count_saturated(self, x: Tensor, membrane: Tensor, state: Tensor | None) -> int:
        """Membranes that sat18 changes before the comparison; the trace holds V after reset."""
        first = torch.zeros_like(membrane[:1]) if state is None else state[None]
        before = torch.cat([first, membrane[:-1]])
        u = torch.floor(self.decay * before + self.gain * x)
        return int(((u < MEMBRANE_MIN) | (u > MEMBRANE_MAX)).sum())

    def thresholds(self) -> np.ndarray:
        """Strict integer thresholds int32 [C]: a spike where V > threshold."""
        parts = [
            np.full(s["channels"], s["theta"] - int(self.inclusive), np.int32) for s in self.entry["segments"]
        ]
        return np.concatenate(parts)

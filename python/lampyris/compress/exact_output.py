"""Exact output convolution with its read-out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lampyris import nn

from .arithmetic import convolve
from .exact_conv import copy_geometry, place_like
from .exact_layer import Entry, MaskedLayer, to_integers
from .quantizers import output_bias, output_weight

__all__ = ["ExactOutput"]


class ExactOutput(MaskedLayer, nn.Conv2d):
    """Spikes [T, B, C_in, H, W] -> real predictions [1, B, C_out, H, W], already the mean over T.

    ``acc += P + B`` over t in integers, read out as ``acc d_c / T`` in float64 and rounded once to float32:
    a task's loss sees exactly what the device's integers decode to. The `TimeMean` behind has one step left.

    Args:
        conv: gives geometry and device.
        entry: the convolution's part of the plan; ``step`` lists d_c.
    """

    def __init__(self, conv: torch.nn.Conv2d, entry: Entry) -> None:
        nn.Conv2d.__init__(self, **copy_geometry(conv), bias=True)
        place_like(self, conv.weight)
        self.entry = entry
        self._steps: dict[torch.device, Tensor] = {}
        self._init_mask()

    def step(self) -> Tensor:
        """d_c, float64 [C_out], on the weight's device."""
        device = self.weight.device
        if device not in self._steps:
            self._steps[device] = torch.tensor(self.entry["step"], dtype=torch.float64, device=device)
        return self._steps[device]

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 5:
            raise ValueError(f"{self.entry['name']}: x must have shape [T, B, C, H, W], got {list(x.shape)}")
        steps = x.shape[0]
        weight, bias = self.quantized()
        # the sum over t of integer convolutions is the convolution of the sum; the plan proves < 2^24
        acc = convolve(x.sum(0), weight, bias * steps, self.stride[0], self.padding[0])
        if self.recorder is not None:
            self.recorder.accumulator(self.entry["name"], acc)
        real = acc.double() * self.step().view(1, -1, 1, 1) / steps
        return real.float().unsqueeze(0)

    def quantized(self) -> tuple[Tensor, Tensor]:
        """(q_w, q_b): integers in float32, with straight-through gradients."""
        return output_weight(self.masked_weight(), self.step()), output_bias(self.bias, self.step())

    @torch.no_grad()
    def unclamped_weight(self) -> Tensor:
        return output_weight(self.masked_weight(), self.step(), limit=None)

    @torch.no_grad()
    def integers(self) -> dict[str, np.ndarray]:
        weight, bias = self.quantized()
        name = self.entry["name"]
        return {
            "weight": to_integers(weight, np.int8, name),
            "bias": to_integers(bias, np.int16, name),
            "step": np.array(self.entry["step"], np.float64),
        }

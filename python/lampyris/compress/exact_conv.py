"""Exact convolution of spikes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lampyris import nn

from .arithmetic import EXACT_LIMIT, convolve, convolve_spikes, prefers_integers
from .exact_layer import Entry, MaskedLayer, to_integers
from .pending import PendingCurrent
from .quantizers import synapse_bias, synapse_weight
from .saturation import count_clamped, sat16
from .steps import BIAS_LIMIT, WEIGHT_LIMIT

__all__ = ["ExactConv2d", "copy_geometry", "place_like"]


def copy_geometry(conv: torch.nn.Conv2d) -> dict[str, int]:
    """Arguments of `nn.Conv2d` that rebuild ``conv``."""
    return {
        "cin": conv.in_channels,
        "cout": conv.out_channels,
        "kernel_size": conv.kernel_size[0],
        "stride": conv.stride[0],
        "padding": conv.padding[0],
    }


def place_like(layer: torch.nn.Module, weight: Tensor) -> None:
    """Move ``layer`` to the device and memory format of ``weight``."""
    channels_last = weight.is_contiguous(memory_format=torch.channels_last)
    layer.to(weight.device, memory_format=torch.channels_last if channels_last else torch.contiguous_format)


class ExactConv2d(MaskedLayer, nn.Conv2d):
    """Spikes [T, B, C_in, H, W] -> currents X [T, B, C_out, H', W'], integers in float32.

    ``X = sat16((P << s) + B + A)`` on target ems, ``P + B`` on v1 (docs/contract.md section 2).
    ``weight`` and ``bias`` are the folded float32 parameters; their integers are recomputed in each forward
    on the frozen step V_th / Theta. A convolution that a residual sum completes returns a `PendingCurrent`.

    Args:
        conv: gives geometry, device and memory format.
        entry: the convolution's part of the plan.
    """

    def __init__(self, conv: torch.nn.Conv2d, entry: Entry) -> None:
        nn.Conv2d.__init__(self, **copy_geometry(conv), bias=True)
        place_like(self, conv.weight)
        self.entry = entry
        self._init_mask()

    def forward(self, x: Tensor) -> Tensor | PendingCurrent:
        if x.dim() != 5:
            raise ValueError(f"{self.entry['name']}: x must have shape [T, B, C, H, W], got {list(x.shape)}")
        weight, bias = self.quantized()
        shift = self.entry["shift"]
        stride, padding = self.stride[0], self.padding[0]
        fan_in = weight[0].numel()
        images = x.flatten(0, 1)
        if prefers_integers(images):
            current = convolve_spikes(images, weight, bias, shift, stride, padding)
        elif fan_in * WEIGHT_LIMIT * 2**shift + BIAS_LIMIT < EXACT_LIMIT:
            # the shift inside the weights and the bias inside the convolution save a pass each
            current = convolve(images, weight * 2.0**shift if shift else weight, bias, stride, padding)
        else:
            # |P| < 2^24 (the plan limits the fan-in); a shifted value beyond 2^24 clamps whatever is added
            current = convolve(images, weight, None, stride, padding) * 2.0**shift + bias.view(1, -1, 1, 1)
        current = current.unflatten(0, x.shape[:2])
        return self.finish(current, None) if self.entry["add"] is None else PendingCurrent(self, current)

    def finish(self, current: Tensor, shortcut: Tensor | None) -> Tensor:
        """X from (P << s) + B and the shortcut A."""
        x = current if shortcut is None else current + shortcut
        if not self.entry["saturate"]:
            if self.recorder is not None:
                self.recorder.stream(self.entry["name"], x, 0)
            return x
        if self.recorder is None:
            return sat16(x)
        clamped = count_clamped(x)
        x = sat16(x)
        self.recorder.stream(self.entry["name"], x, clamped)
        return x

    def quantized(self) -> tuple[Tensor, Tensor]:
        """(q_W, q_b): integers in float32, with straight-through gradients."""
        e = self.entry
        weight = synapse_weight(self.masked_weight(), e["theta"], e["v_th"], e["shift"])
        return weight, synapse_bias(self.bias, e["theta"], e["v_th"])

    @torch.no_grad()
    def unclamped_weight(self) -> Tensor:
        e = self.entry
        return synapse_weight(self.masked_weight(), e["theta"], e["v_th"], e["shift"], limit=None)

    @torch.no_grad()
    def integers(self) -> dict[str, np.ndarray]:
        weight, bias = self.quantized()
        name = self.entry["name"]
        return {"weight": to_integers(weight, np.int8, name), "bias": to_integers(bias, np.int16, name)}

"""Exact stem: integer images to currents, on the host."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lampyris import nn

from .arithmetic import EXACT_LIMIT, convolve
from .exact_conv import place_like
from .exact_layer import Entry, MaskedLayer, to_integers
from .quantizers import stem_bias, stem_weight
from .saturation import count_clamped, sat16, shift_round

__all__ = ["PIXEL_MAX", "ExactStem", "stem_bound"]

PIXEL_MAX = 255


def stem_bound(weight: Tensor, bias: Tensor, k: int) -> int:
    """Largest |acc + b32| over uint8 images, plus the rounding constant 2^(k-1)."""
    positive = weight.clamp(min=0).flatten(1).sum(1).double() * PIXEL_MAX + bias.double()
    negative = weight.clamp(max=0).flatten(1).sum(1).double() * PIXEL_MAX + bias.double()
    largest = int(torch.maximum(positive.abs(), negative.abs()).max())
    return largest + (2 ** (k - 1) if k > 0 else 0)


class ExactStem(MaskedLayer, nn.Stem):
    """Images [B, C, H, W] or [1 | T, B, C, H, W], integers 0..255 -> currents X [T, B, C_out, H', W'].

    ``X = sat16(shift_round(acc + b32, k))`` (docs/contract.md section 2, "Input"). A still image is computed
    once and expanded over T.

    Args:
        stem: gives geometry, T, input exponent and device.
        entry: the stem's part of the plan.
    """

    def __init__(self, stem: nn.Stem, entry: Entry) -> None:
        torch.nn.Module.__init__(self)
        source = getattr(stem, "conv", stem)
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"):
            setattr(self, name, getattr(source, name))
        like = torch.nn.Conv2d(**_torch_geometry(source), device=source.weight.device)
        self.weight, self.bias = like.weight, like.bias
        self.time_steps = stem.time_steps
        self.input_exponent = stem.input_exponent
        place_like(self, source.weight)
        self.entry = entry
        self._init_mask()

    def forward(self, images: Tensor) -> Tensor:
        steps = self.time_steps
        x = images.unsqueeze(0) if images.dim() == 4 else images
        if x.dim() != 5 or x.shape[0] not in (1, steps):
            contract = f"have shape [B, C, H, W] or [1 or {steps}, B, C, H, W]"
            raise ValueError(f"{self.entry['name']}: images must {contract}, got {list(images.shape)}")
        weight, bias = self.quantized()
        acc = convolve(x.flatten(0, 1), weight, bias, self.stride[0], self.padding[0])
        current = shift_round(acc, self.entry["k"]).unflatten(0, x.shape[:2])
        if self.recorder is not None:
            clamped = count_clamped(current)
            self.recorder.stream(self.entry["name"], sat16(current), clamped)
        current = sat16(current)
        return current if x.shape[0] == steps else current.expand(steps, *current.shape[1:])

    def quantized(self) -> tuple[Tensor, Tensor]:
        """(q_W, b32): integers in float32, with straight-through gradients."""
        e = self.entry
        weight = stem_weight(self.masked_weight(), e["theta"], e["v_th"], e["k"], e["exponent"])
        return weight, stem_bias(self.bias, e["theta"], e["v_th"], e["k"])

    @torch.no_grad()
    def unclamped_weight(self) -> Tensor:
        e = self.entry
        return stem_weight(self.masked_weight(), e["theta"], e["v_th"], e["k"], e["exponent"], limit=None)

    @torch.no_grad()
    def integers(self) -> dict[str, np.ndarray]:
        weight, bias = self.quantized()
        name, bound = self.entry["name"], stem_bound(weight, bias, self.entry["k"])
        if bound >= EXACT_LIMIT:
            raise ValueError(f"integer_network: {name} must keep |acc + b32| below 2^24, got {bound}")
        return {"weight": to_integers(weight, np.int8, name), "bias": to_integers(bias, np.int32, name)}


def _torch_geometry(conv: torch.nn.Conv2d) -> dict[str, object]:
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
    return {name: getattr(conv, name) for name in names}

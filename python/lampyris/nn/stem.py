"""The first layer: from integer images to currents over T steps."""

from __future__ import annotations

import torch
from torch import Tensor

from .conv import Conv2d
from .norm import TDBatchNorm2d

__all__ = ["Stem", "set_time_steps"]


class Stem(torch.nn.Module):
    """Convolution and norm on integer images with real value ``pixel * 2^-input_exponent``.

    A still image is the same at every step: it is computed once and expanded over T without a copy. A
    sequence [T, B, C, H, W] is computed step by step.

    Args:
        cin, cout: channels of image and output.
        kernel_size, stride: of the convolution.
        gamma: initial weight of the norm.
        time_steps: T of the output; may be changed at any time (`set_time_steps`).
        input_exponent: p; 8 for 8-bit images, 0 for event counts.

    Example:
        >>> import torch
        >>> stem = Stem(3, 16, time_steps=4)
        >>> stem(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([4, 2, 16, 16, 16])
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel_size: int = 3,
        stride: int = 2,
        gamma: float = 0.5,
        time_steps: int = 1,
        input_exponent: int = 8,
    ) -> None:
        super().__init__()
        self.conv = Conv2d(cin, cout, kernel_size, stride)
        self.norm = TDBatchNorm2d(cout, gamma)
        self.time_steps = time_steps
        self.input_exponent = input_exponent

    def forward(self, images: Tensor) -> Tensor:
        """Integer images (uint8 or float) [B, C, H, W] or [1 | T, B, C, H, W] -> [T, B, C_out, H', W'].

        Raises:
            ValueError: another rank, or a number of steps that is neither 1 nor ``time_steps``.
        """
        steps = self.time_steps
        x = images.unsqueeze(0) if images.dim() == 4 else images
        if x.dim() != 5 or x.shape[0] not in (1, steps):
            contract = f"have shape [B, C, H, W] or [1 or {steps}, B, C, H, W]"
            raise ValueError(f"Stem: images must {contract}, got {list(images.shape)}")
        x = self.norm(self.conv(self._real_values(x)))
        return x if x.shape[0] == steps else x.expand(steps, *x.shape[1:])

    def _real_values(self, x: Tensor) -> Tensor:
        dtype = self.conv.weight.dtype
        return x.to(dtype).mul(2.0**-self.input_exponent) if self.input_exponent else x.to(dtype)

    def extra_repr(self) -> str:
        return f"time_steps={self.time_steps}, input_exponent={self.input_exponent}"


def set_time_steps(model: torch.nn.Module, time_steps: int) -> None:
    """Set T of every `Stem` in ``model``: a model trained at T = 1 runs at T = 4 with the same weights.

    Raises:
        ValueError: T < 1, or a model without a stem.
    """
    if time_steps < 1:
        raise ValueError(f"set_time_steps: time_steps must be >= 1, got {time_steps}")
    stems = [module for module in model.modules() if isinstance(module, Stem)]
    if not stems:
        raise ValueError(f"set_time_steps: model must hold a lampyris.nn.Stem, got {type(model).__name__}")
    for stem in stems:
        stem.time_steps = time_steps

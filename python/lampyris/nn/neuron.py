"""Spiking neurons over all time steps at once."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris import ops

__all__ = ["IF", "LIF"]


class LIF(torch.nn.Module):
    """Leaky integrate-and-fire neurons, all T steps in one call (`lampyris.ops.lif`).

    ``U = v_reset + decay (V - v_reset) + gain x``; a spike where ``U > threshold`` (or ``>=``); then
    V is reset. V = 0 before the first step and nothing persists between calls. The defaults are EMS-YOLO's
    (Su et al., ICCV 2023): decay 0.25, threshold 0.5, hard reset to 0, rectangle surrogate of width 1.

    Args:
        decay: factor of the membrane per step, dimensionless.
        threshold: in the unit of the current x.
        gain, reset, v_reset, detach_reset, inclusive, surrogate, width: as in `lampyris.ops.lif`.

    Example:
        >>> import torch
        >>> LIF()(torch.full((3, 1, 1, 1, 1), 0.4)).flatten().tolist()
        [0.0, 0.0, 1.0]
    """

    def __init__(
        self,
        decay: float = 0.25,
        threshold: float = 0.5,
        *,
        gain: float = 1.0,
        reset: str = "hard",
        v_reset: float = 0.0,
        detach_reset: bool = True,
        inclusive: bool = False,
        surrogate: str = "rectangle",
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.decay = decay
        self.threshold = threshold
        self.gain = gain
        self.reset = reset
        self.v_reset = v_reset
        self.detach_reset = detach_reset
        self.inclusive = inclusive
        self.surrogate = surrogate
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """Currents [T, B, C, H, W] -> spikes 0/1 of the same shape."""
        spikes, _ = ops.lif(
            x,
            self.decay,
            self.threshold,
            gain=self.gain,
            reset=self.reset,
            v_reset=self.v_reset,
            detach_reset=self.detach_reset,
            inclusive=self.inclusive,
            surrogate=self.surrogate,
            width=self.width,
            membrane=None,
        )
        return spikes

    def extra_repr(self) -> str:
        return f"decay={self.decay}, threshold={self.threshold}, gain={self.gain}, reset={self.reset!r}"


class IF(LIF):
    """Integrate-and-fire: `LIF` without leak (decay 1).

    Example:
        >>> import torch
        >>> IF()(torch.full((3, 1, 1, 1, 1), 0.3)).flatten().tolist()
        [0.0, 1.0, 0.0]
    """

    def __init__(self, threshold: float = 0.5, **options) -> None:
        super().__init__(1.0, threshold, **options)

"""From real values to currents or spikes over T steps.

All three take x [B, ...] and give [T, B, ...]. `PoissonEncoder` and `LatencyEncoder` read x as an intensity
in [0, 1]: below 0 counts as 0, above 1 as 1, so scale images first (`image / 255`). None is differentiable
with respect to x except `DirectEncoder`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["DirectEncoder", "LatencyEncoder", "PoissonEncoder"]


class _Encoder(torch.nn.Module):
    def __init__(self, time_steps: int) -> None:
        super().__init__()
        if time_steps < 1:
            raise ValueError(f"{type(self).__name__}: time_steps must be >= 1, got {time_steps}")
        self.time_steps = time_steps

    def _check(self, x: Tensor) -> None:
        if x.dim() < 1 or not x.dtype.is_floating_point:
            what = f"{x.dtype} {list(x.shape)}"
            raise ValueError(f"{type(self).__name__}: x must be floating-point [B, ...], got {what}")

    def extra_repr(self) -> str:
        return f"time_steps={self.time_steps}"


class DirectEncoder(_Encoder):
    """The same currents at every step: x [B, ...] expanded to [T, B, ...] without a copy.

    Layers up to the first neuron then run once (as after `Stem`). Any dtype and range.

    Args:
        time_steps: T.

    Example:
        >>> import torch
        >>> DirectEncoder(4)(torch.ones(2, 3)).stride()
        (0, 3, 1)
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...] -> [T, B, ...], stride 0 over T."""
        return x.expand(self.time_steps, *x.shape)


class PoissonEncoder(_Encoder):
    """Independent spikes with probability x per step (a Bernoulli process): rates carry the value.

    Args:
        time_steps: T.
        generator: the random generator to draw from, on x's device; None takes torch's global one.

    Example:
        >>> import torch
        >>> encode = PoissonEncoder(1000, generator=torch.Generator().manual_seed(0))
        >>> encode(torch.tensor([[0.0, 0.5, 1.0]])).mean(0).round(decimals=1).tolist()
        [[0.0, 0.5, 1.0]]
    """

    def __init__(self, time_steps: int, generator: torch.Generator | None = None) -> None:
        super().__init__(time_steps)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Intensities [B, ...] in [0, 1] -> spikes 0/1 [T, B, ...]."""
        self._check(x)
        shape = (self.time_steps, *x.shape)
        # Drawn in float32 whatever x is: half precision has too few values below small probabilities.
        draw = torch.rand(shape, generator=self.generator, device=x.device)
        return (draw < x).to(x.dtype)


class LatencyEncoder(_Encoder):
    """One spike per element, earlier for larger values; values <= 0 never fire.

    "linear": step round((T - 1) (1 - x)). "log": step round((T - 1) - ln(1 + a x)) with
    a = exp(T - 1) - 1, the time that a leaky integrator needs.

    Args:
        time_steps: T.
        mode: "linear" or "log" (T <= 80, where exp(T - 1) fits float32).

    Example:
        >>> import torch
        >>> LatencyEncoder(3)(torch.tensor([[1.0, 0.5, 0.1, 0.0]]))[:, 0].tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """

    def __init__(self, time_steps: int, mode: str = "linear") -> None:
        super().__init__(time_steps)
        if mode not in ("linear", "log"):
            raise ValueError(f"LatencyEncoder: mode must be 'linear' or 'log', got {mode!r}")
        if mode == "log" and time_steps > 80:
            raise ValueError(f"LatencyEncoder: time_steps must be <= 80 with mode 'log', got {time_steps}")
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """Intensities [B, ...] in [0, 1] -> spikes 0/1 [T, B, ...], at most one per element."""
        self._check(x)
        value, last = x.clamp(0, 1), self.time_steps - 1
        if self.mode == "linear":
            step = (last * (1 - value)).round()
        else:
            step = (last - torch.log1p(math.expm1(last) * value)).round()
        steps = torch.arange(self.time_steps, device=x.device, dtype=x.dtype)
        return ((steps.view(-1, *[1] * x.dim()) == step) & (x > 0)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, mode={self.mode!r}"

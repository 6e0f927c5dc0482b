"""Membranes that are read instead of compared: a SiLU of every step, or the value after the last one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .conv import Conv2d
from .folding import check_rank
from .norm import TDBatchNorm2d

__all__ = ["LastMembrane", "SiLUConv", "SiLUMembrane"]


class LastMembrane(torch.nn.Module):
    """Leaky integration without spikes: currents [T, B, C, H, W] -> V after the last step [B, C, H, W].

    ``V = decay V + gain x`` from 0. The read-out that the paper describes, where `TimeMean` is the released
    code's; with decay 0.25 the last step counts three times as much as all earlier ones together.

    Args:
        decay: factor of the membrane per step.
        gain: factor of the input.

    Example:
        >>> import torch
        >>> LastMembrane(0.25)(torch.ones(3, 1, 1, 1, 1)).item()
        1.3125
    """

    takes_state = True

    def __init__(self, decay: float = 0.25, gain: float = 1.0) -> None:
        super().__init__()
        self.decay = decay
        self.gain = gain

    def forward(self, x: Tensor, state: Tensor | None = ...) -> Tensor | tuple[Tensor, Tensor]:
        check_rank("LastMembrane", x)
        v = None if state is ... else state
        for step in x:
            v = step * self.gain if v is None else v * self.decay + step * self.gain
        return v if state is ... else (v, v)

    def extra_repr(self) -> str:
        return f"decay={self.decay}, gain={self.gain}"


class SiLUMembrane(torch.nn.Module):
    """The released code's ``act=True`` neuron: it emits SiLU(V), real values, and resets by the same value.

    ``V_t = decay V_{t-1} (1 - s_{t-1}) + x_t``, ``s = SiLU(V)``, s detached in the reset.
    It does not spike: a convolution behind it multiplies, so that networks with it are not exported.

    Args:
        decay: factor of the membrane per step.

    Example:
        >>> import torch
        >>> [round(v, 4) for v in SiLUMembrane()(torch.ones(2, 1)).flatten().tolist()]
        [0.7311, 0.7941]

    Source: behaviour of the released EMS-YOLO checkpoints' head convolutions.
    """

    takes_state = True

    def __init__(self, decay: float = 0.25) -> None:
        super().__init__()
        self.decay = decay

    def forward(self, x: Tensor, state: Tensor | None = ...) -> Tensor | tuple[Tensor, Tensor]:
        v = None if state is ... else state
        out = []
        for step in x:
            v = step if v is None else self.decay * v * (1 - F.silu(v).detach()) + step
            out.append(F.silu(v))
        values = torch.stack(out)
        return values if state is ... else (values, v)

    def extra_repr(self) -> str:
        return f"decay={self.decay}"


class SiLUConv(torch.nn.Module):
    """Convolution of currents, norm, `SiLUMembrane`: [T, B, C_in, H, W] -> real values [T, B, C_out, H', W'].

    The two layers before the detection convolutions of the released ``resnet18`` and ``resnet34-cat`` files.
    Its parameters are those of `LCB`, its place is taken by one with ``full_spike``.

    Example:
        >>> import torch
        >>> SiLUConv(8, 4)(torch.zeros(2, 1, 8, 6, 6)).shape
        torch.Size([2, 1, 4, 6, 6])
    """

    def __init__(self, cin: int, cout: int, kernel_size: int = 3, decay: float = 0.25) -> None:
        super().__init__()
        self.conv = Conv2d(cin, cout, kernel_size)
        self.norm = TDBatchNorm2d(cout)
        self.silu = SiLUMembrane(decay)

    def forward(self, x: Tensor) -> Tensor:
        return self.silu(self.norm(self.conv(x)))

"""Spiking neurons over all time steps at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lampyris import ops

__all__ = ["IF", "LIF", "PLIF"]

_HALF = (torch.float16, torch.bfloat16)


class LIF(torch.nn.Module):
    """Leaky integrate-and-fire neurons, all T steps in one call (`lampyris.ops.lif`).

    ``U = v_reset + decay (V - v_reset) + gain x``; a spike where ``U > threshold`` (or ``>=``); then
    V is reset. V = v_reset before the first step, and nothing persists between calls: `forward` takes and
    returns the membrane when it is given one, `lampyris.nn.streaming` does so for a whole model. The
    defaults are EMS-YOLO's (Su et al., ICCV 2023): decay 0.25, threshold 0.5, hard reset to 0, rectangle
    surrogate of width 1.

    Args:
        decay: factor of the membrane per step, dimensionless; like ``threshold`` and ``gain`` a float, a
            Tensor broadcastable to x.shape[1:] (kept as a buffer), or a Parameter (learned as it is).
        threshold: in the unit of the current x.
        gain, reset, v_reset, detach_reset, inclusive, surrogate, width: as in `lampyris.ops.lif`.

    Example:
        >>> import torch
        >>> LIF()(torch.full((3, 1, 1, 1, 1), 0.4)).flatten().tolist()
        [0.0, 0.0, 1.0]
    """

    takes_state = True

    def __init__(
        self,
        decay: float | Tensor = 0.25,
        threshold: float | Tensor = 0.5,
        *,
        gain: float | Tensor = 1.0,
        reset: str = "hard",
        v_reset: float = 0.0,
        detach_reset: bool = True,
        inclusive: bool = False,
        surrogate: str = "rectangle",
        width: float | Tensor = 1.0,
    ) -> None:
        super().__init__()
        self._set("decay", decay)
        self._set("threshold", threshold)
        self._set("gain", gain)
        self.reset = reset
        self.v_reset = v_reset
        self.detach_reset = detach_reset
        self.inclusive = inclusive
        self.surrogate = surrogate
        self._set("width", width)

    def _set(self, name: str, value: float | Tensor) -> None:
        keep_setting(self, name, value)

    def forward(self, x: Tensor, state: Tensor | None = ...) -> Tensor | tuple[Tensor, Tensor]:
        """Spikes of the currents x, from rest or from ``state``.

        Args:
            x: currents [T, B, ...], any rank and strides.
            state: membrane [B, ...] left by an earlier call, or None for rest; left out, no state is
                returned.

        Returns:
            Spikes 0/1 of x's shape; with ``state`` given, (spikes, membrane after the last step).

        Example:
            >>> import torch
            >>> lif, x = LIF(), torch.full((3, 1, 1), 0.4)
            >>> _, state = lif(x[:2], None)
            >>> lif(x[2:], state)[0].item()
            1.0
        """
        if state is ...:
            return self.run(x, membrane=None)[0]
        return self.run(x, state)

    def run(
        self, x: Tensor, state: Tensor | None = None, *, membrane: str | None = "last", output: str = "dense"
    ) -> tuple[Tensor | ops.Spikes, Tensor | None]:
        """`lampyris.ops.lif` with the layer's settings: (spikes, membrane).

        Args:
            x: currents [T, B, ...].
            state: membrane [B, ...] before the first step, None for rest.
            membrane: "last", "trace" (after every step) or None.
            output: "dense" or "packed".
        """
        return ops.lif(
            x,
            self.decay,
            self.threshold,
            v_init=self.rest(x) if state is None else state,
            membrane=membrane,
            output=output,
            **self.rule(),
        )

    def rule(self) -> dict[str, Any]:
        """The layer's settings beside decay and threshold, as options of `lampyris.ops.lif`."""
        return {
            "gain": self.gain,
            "reset": self.reset,
            "v_reset": self.v_reset,
            "detach_reset": self.detach_reset,
            "inclusive": self.inclusive,
            "surrogate": self.surrogate,
            "width": self.width,
        }

    def rest(self, x: Tensor) -> Tensor | None:
        """The membrane before the first step; None where the operator's 0 is right."""
        if self.v_reset == 0:
            return None
        dtype = torch.float32 if x.dtype in _HALF else x.dtype
        return torch.full(x.shape[1:], self.v_reset, dtype=dtype, device=x.device)

    def extra_repr(self) -> str:
        return f"{show_settings(self)}, reset={self.reset!r}"


class IF(LIF):
    """Integrate-and-fire: `LIF` without leak (decay 1).

    Example:
        >>> import torch
        >>> IF()(torch.full((3, 1, 1, 1, 1), 0.3)).flatten().tolist()
        [0.0, 1.0, 0.0]
    """

    def __init__(self, threshold: float | Tensor = 0.5, **options) -> None:
        super().__init__(1.0, threshold, **options)


class PLIF(LIF):
    """`LIF` with a learned decay, and learned threshold and gain on request.

    Args:
        decay: initial decay, in (0, 1) (in [0, 1] for "clamp").
        threshold, gain: (initial) values, as in `LIF`.
        shape: of every learned parameter, broadcastable to x.shape[1:]: () one value, (C, 1, 1) one per
            channel of maps, (C, H, W) or (N,) one per neuron.
        learn: which of "decay", "threshold", "gain" are learned.
        parametrization: of the decay: "sigmoid" (decay = sigmoid(raw_decay)) or "clamp" (raw_decay limited
            to [0, 1]; no gradient outside).
        decay_input: gain = 1 - decay, so that the input is averaged with the membrane.
        options: ``reset``, ``v_reset``, ``detach_reset``, ``inclusive``, ``surrogate``, ``width`` of `LIF`.

    Raises:
        ValueError: a decay out of range, an unknown name, or a gain beside ``decay_input``.

    Example:
        >>> import torch
        >>> plif = PLIF(0.25, shape=(3, 1, 1))
        >>> plif(torch.full((3, 1, 3, 1, 1), 0.4)).sum().backward()
        >>> plif.decay.shape, plif.raw_decay.grad.shape
        (torch.Size([3, 1, 1]), torch.Size([3, 1, 1]))

    Source: Fang et al., "Incorporating Learnable Membrane Time Constant", ICCV 2021.
    """

    def __init__(
        self,
        decay: float = 0.5,
        threshold: float | Tensor = 0.5,
        *,
        gain: float | Tensor = 1.0,
        shape: tuple[int, ...] = (),
        learn: tuple[str, ...] = ("decay",),
        parametrization: str = "sigmoid",
        decay_input: bool = False,
        **options,
    ) -> None:
        unknown = sorted({*learn} - {"decay", "threshold", "gain"})
        if unknown:
            raise ValueError(f"PLIF: learn must hold 'decay', 'threshold', 'gain', got {unknown[0]!r}")
        if parametrization not in ("sigmoid", "clamp"):
            raise ValueError(f"PLIF: parametrization must be 'sigmoid' or 'clamp', got {parametrization!r}")
        if decay_input and (isinstance(gain, Tensor) or gain != 1 or "gain" in learn):
            raise ValueError("PLIF: gain must be left out with decay_input (it is 1 - decay), got both")
        sigmoid = parametrization == "sigmoid"
        if not (0 < decay < 1 if sigmoid else 0 <= decay <= 1):
            raise ValueError(f"PLIF: decay must be in {'(0, 1)' if sigmoid else '[0, 1]'}, got {decay}")
        self.parametrization, self.decay_input, self.shape = parametrization, decay_input, tuple(shape)
        self.learn = tuple(learn)
        super().__init__(decay, threshold, gain=gain, **options)

    def _set(self, name: str, value: float | Tensor) -> None:
        if name == "decay":
            raw = torch.full(self.shape, float(value))
            raw = torch.logit(raw) if self.parametrization == "sigmoid" else raw
            if "decay" in self.learn:
                self.raw_decay = torch.nn.Parameter(raw)
            else:
                self.register_buffer("raw_decay", raw)
        elif name == "gain":
            super()._set("own_gain", self._learned(name, value))
        else:
            super()._set(name, self._learned(name, value))

    def _learned(self, name: str, value: float | Tensor) -> float | Tensor:
        if name not in self.learn:
            return value
        return torch.nn.Parameter(torch.as_tensor(value, dtype=torch.float32).expand(self.shape).clone())

    @property
    def decay(self) -> Tensor:
        """Factor of the membrane per step, of shape ``shape``."""
        raw = self.raw_decay
        return torch.sigmoid(raw) if self.parametrization == "sigmoid" else raw.clamp(0, 1)

    @property
    def gain(self) -> float | Tensor:
        """Factor of the input."""
        return 1 - self.decay if self.decay_input else self.own_gain


def keep_setting(neuron: torch.nn.Module, name: str, value: float | Tensor) -> None:
    """Set an attribute: a Tensor as a buffer, a Parameter as itself."""
    if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
        neuron.register_buffer(name, value)
    else:
        setattr(neuron, name, value)


def show_settings(neuron: torch.nn.Module) -> str:
    """decay, threshold and gain for a repr."""
    return ", ".join(f"{name}={_show(getattr(neuron, name))}" for name in ("decay", "threshold", "gain"))


def _show(value: float | Tensor) -> str:
    if not isinstance(value, Tensor):
        return str(value)
    return f"{value.item():.4g}" if value.numel() == 1 else f"tensor {list(value.shape)}"

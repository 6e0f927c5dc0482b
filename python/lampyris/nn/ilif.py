"""Neurons that emit several spikes at once in training."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris import ops

from .neuron import keep_setting, show_settings

__all__ = ["ILIF", "set_max_spikes"]


class ILIF(torch.nn.Module):
    """Integer leaky integrate-and-fire neurons (`lampyris.ops.ilif`): up to ``max_spikes`` spikes per step.

    ``U = decay V + gain x``; ``counts = round(clamp(U / threshold, 0, max_spikes))``; then
    V = U - threshold counts.
    A network trained on counts runs on binary spikes by `expand`, which writes each step as ``max_spikes``
    steps whose spikes add up to the count.

    Args:
        max_spikes: most spikes of a step, 1 to 255.
        decay, threshold, gain: as in `LIF`: floats, Tensors (buffers) or Parameters.

    Example:
        >>> import torch
        >>> ilif = ILIF(max_spikes=4)
        >>> counts = ilif(torch.tensor([[2.25], [9.0]]))
        >>> counts.flatten().tolist(), ilif.expand(counts).flatten().tolist()
        ([2.0, 4.0], [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])

    Source: Luo et al., "Integer-Valued Training and Spike-Driven Inference SNN" (SpikeYOLO), ECCV 2024.
    """

    takes_state = True

    def __init__(
        self,
        max_spikes: int = 4,
        decay: float | Tensor = 0.25,
        threshold: float | Tensor = 1.0,
        *,
        gain: float | Tensor = 1.0,
    ) -> None:
        super().__init__()
        self.max_spikes = max_spikes
        for name, value in (("decay", decay), ("threshold", threshold), ("gain", gain)):
            keep_setting(self, name, value)

    def forward(self, x: Tensor, state: Tensor | None = ...) -> Tensor | tuple[Tensor, Tensor]:
        """Currents [T, B, ...] -> counts of the same shape; with ``state`` given, (counts, membrane)."""
        if state is ...:
            return self.run(x)[0]
        return self.run(x, state)

    def run(self, x: Tensor, state: Tensor | None = None, *, membrane: str = "last") -> tuple[Tensor, Tensor]:
        """(counts, membrane); ``membrane`` is "last" or "trace" (one call per step)."""
        if membrane == "last":
            return ops.ilif(x, self.decay, self.threshold, self.max_spikes, gain=self.gain, v_init=state)
        counts, trace = [], []
        for step in x.split(1):
            count, state = self.run(step, state)
            counts.append(count)
            trace.append(state)
        return torch.cat(counts), torch.stack(trace)

    def expand(self, counts: Tensor) -> Tensor:
        """Counts [T, ...] -> spikes 0/1 [T max_spikes, ...] (`lampyris.ops.ilif_expand`)."""
        return ops.ilif_expand(counts, self.max_spikes)

    def extra_repr(self) -> str:
        return f"max_spikes={self.max_spikes}, {show_settings(self)}"


def set_max_spikes(model: torch.nn.Module, max_spikes: int) -> None:
    """Set D of every `ILIF` in ``model``: the same weights with more or fewer spikes per step.

    Raises:
        ValueError: D outside 1..255, or a model without such neurons.

    Example:
        >>> layer = ILIF(4)
        >>> set_max_spikes(layer, 1)
        >>> layer(torch.tensor([[3.0]])).item()
        1.0
    """
    if not 1 <= max_spikes <= 255:
        raise ValueError(f"set_max_spikes: max_spikes must be in 1..255, got {max_spikes}")
    found = [module for module in model.modules() if isinstance(module, ILIF)]
    if not found:
        raise ValueError(f"set_max_spikes: model must hold lampyris.nn.ILIF, got {type(model).__name__}")
    for neuron in found:
        neuron.max_spikes = max_spikes

"""The other libraries' neurons under one signature; each is imported only when asked for.

``python -m benchmarks.peers`` says which can be imported. All run on CPU, float32, tau = 2 unless
said, threshold 1, v_reset 0: U = V + (x - V) / tau when the input decays, else U = V - V / tau + x.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["MODULES", "NEURONS", "lif_norse", "lif_sinabs", "lif_snntorch", "lif_spikingjelly", "missing"]

MODULES = {
    "spikingjelly": "spikingjelly.activation_based.neuron",
    "snntorch": "snntorch",
    "norse": "norse.torch",
    "sinabs": "sinabs.layers",
}

Neuron = Callable[[Tensor], Tensor]


def missing(peer: str) -> str | None:
    """Why ``peer`` cannot be imported; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(MODULES[peer])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def lif_spikingjelly(
    *, tau: float = 2.0, threshold: float = 1.0, input_decayed: bool = True, reset: str = "hard",
    detach_reset: bool = True, surrogate: Callable | None = None,
) -> Neuron:  # fmt: skip
    """Multi-step LIFNode, torch backend; ``surrogate`` is a SpikingJelly object, Rect() when None."""
    from spikingjelly.activation_based import neuron
    from spikingjelly.activation_based import surrogate as functions

    node = neuron.LIFNode(
        tau=tau,
        decay_input=input_decayed,
        v_threshold=threshold,
        v_reset=0.0 if reset == "hard" else None,
        surrogate_function=functions.Rect() if surrogate is None else surrogate,
        detach_reset=detach_reset,
        step_mode="m",
    )

    def run(x: Tensor) -> Tensor:
        node.reset()
        spikes = node(x)
        node.reset()  # else the module keeps the graph of this call alive
        return spikes

    return run


def lif_sinabs(*, tau: float = 2.0, input_decayed: bool = True, reset: str = "hard") -> Neuron:
    """LIF with single spikes; x is given as a [B, T, ...] view."""
    from sinabs import activation, layers

    layer = layers.LIF(
        tau_mem=-1.0 / math.log(1.0 - 1.0 / tau),
        spike_threshold=torch.tensor(1.0),
        spike_fn=activation.SingleSpike,
        reset_fn=activation.MembraneReset() if reset == "hard" else activation.MembraneSubtract(),
        norm_input=input_decayed,
    )
    layer.tau_mem.requires_grad_(False)

    def run(x: Tensor) -> Tensor:
        layer.reset_states()
        maps = x if x.dim() > 2 else x.unsqueeze(1)
        return layer(maps.transpose(0, 1)).transpose(0, 1).reshape(x.shape)

    return run


def lif_snntorch(
    *, tau: float = 2.0, input_decayed: bool = True, reset: str = "hard", reset_delay: bool = True
) -> Neuron:
    """Leaky, one call a step over ``x.unbind(0)`` (indexing x[t] is quadratic in T in the backward)."""
    import snntorch

    mechanism = "zero" if reset == "hard" else "subtract"
    cell = snntorch.Leaky(beta=1.0 - 1.0 / tau, reset_mechanism=mechanism, reset_delay=reset_delay)
    gain = 1.0 / tau if input_decayed else 1.0

    def run(x: Tensor) -> Tensor:
        membrane = torch.zeros_like(x[0])
        out = []
        for current in x.unbind(0):
            spikes, membrane = cell(current * gain if input_decayed else current, membrane)
            out.append(spikes)
        return torch.stack(out)

    return run


def lif_norse(*, tau: float = 2.0, input_decayed: bool = True, reset: str = "hard") -> Neuron:
    """LIFBoxCell, one call a step over ``x.unbind(0)``; hard reset only."""
    from norse.torch import LIFBoxCell, LIFBoxParameters

    if reset != "hard":
        raise ValueError(f"lif_norse: reset must be 'hard', got {reset!r}")
    cell = LIFBoxCell(p=LIFBoxParameters(tau_mem_inv=torch.as_tensor(1000.0 / tau)), dt=1e-3)

    def run(x: Tensor) -> Tensor:
        state, out = None, []
        for current in x.unbind(0):
            spikes, state = cell(current if input_decayed else tau * current, state)
            out.append(spikes)
        return torch.stack(out)

    return run


NEURONS = {
    "spikingjelly": lif_spikingjelly,
    "snntorch": lif_snntorch,
    "norse": lif_norse,
    "sinabs": lif_sinabs,
}


if __name__ == "__main__":
    for _peer in MODULES:
        _reason = missing(_peer)
        print(f"{_peer} {importlib.metadata.version(_peer) if _reason is None else 'skipped: ' + _reason}")

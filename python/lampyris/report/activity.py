"""Firing rates and synaptic operations of an integer network, counted on real inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LayerActivity", "activity", "record_spikes", "spiking_layers", "synaptic_operations"]


@dataclass(frozen=True)
class LayerActivity:
    """One spiking layer: spikes per neuron and time step, and how many neurons never fired."""

    name: str
    neurons: int
    rate: float
    silent_channels: int


def activity(spikes: dict[str, np.ndarray]) -> list[LayerActivity]:
    """Firing rate of every layer.

    Args:
        spikes: bool arrays [T, B, C, H, W] by layer name.

    Returns:
        One entry per layer, in the order given.

    Example:
        >>> activity({"lif": np.ones((2, 1, 3, 4, 4), bool)})[0].rate
        1.0
    """
    rows = []
    for name, value in spikes.items():
        per_channel = value.mean(axis=(0, 1, 3, 4))
        rows.append(
            LayerActivity(
                name, int(np.prod(value.shape[2:])), float(value.mean()), int((per_channel == 0).sum())
            )
        )
    return rows


def spiking_layers(network) -> list[str]:
    """Names of all neurons and of everything a convolution of the ``compress.IntegerNetwork`` reads."""
    read = {n.inputs[0] for n in network.nodes if n.op in ("conv", "output")}
    return [n.name for n in network.nodes if n.op == "lif" or n.name in read]


def record_spikes(model, inputs, names: list[str]) -> dict[str, np.ndarray]:
    """Spikes of the named layers of a float or exact model in one forward.

    Args:
        model: a torch module in evaluation mode.
        inputs: one batch, as the model takes it.
        names: qualified names of layers that give spikes [T, B, C, H, W].

    Returns:
        Bool arrays by name, in the order the layers ran.
    """
    import torch

    found: dict[str, np.ndarray] = {}

    def keep(name: str):
        return lambda module, arguments, output: found.__setitem__(name, (output != 0).cpu().numpy())

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def synaptic_operations(network, spikes: dict[str, np.ndarray], *, dense: bool = False) -> dict[str, float]:
    """Additions caused by spikes, per image: one for each (spike, nonzero weight it meets).

    Args:
        network: ``compress.IntegerNetwork``.
        spikes: bool arrays [T, B, C, H, W] by node name, as recorded on the same network.
        dense: count every weight as nonzero (a float network of the same shape).

    Returns:
        Operations per image (all T steps) by convolution name.
    """
    import torch

    result = {}
    for node in network.nodes:
        if node.op not in ("conv", "output"):
            continue
        source = torch.from_numpy(np.ascontiguousarray(spikes[node.inputs[0]]))
        batch = source.shape[1]
        # The number of nonzero weights over output channels that each (input channel, tap) meets.
        weight = node.arrays["weight"]
        taps = torch.from_numpy(((weight != 0) | dense).sum(axis=0)).to(torch.float64)
        met = torch.nn.functional.conv2d(
            source.flatten(0, 1).to(torch.float64),
            taps[None],
            stride=int(node.params["stride"]),
            padding=int(node.params["padding"]),
        )
        result[node.name] = float(met.sum()) / batch
    return result

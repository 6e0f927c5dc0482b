"""Lowering to `v1`: a chain of convolution, neuron and OR pooling as firefly.build's list of layers."""

from __future__ import annotations

from typing import Any

from lampyris.compress.integer_network import IntegerNetwork

from .check_chain import chain_layers
from .nodes import nodes_of, quantizer_notes

__all__ = ["lower_v1"]


def lower_v1(network: IntegerNetwork, parallelism: int, preset: str) -> Any:
    """The firefly image of a network without violations; stem with its neuron and output run on the host."""
    from lampyris import firefly

    layers, names = [], []
    for layer in chain_layers(network):
        threshold = int(layer.neuron.arrays["threshold"][0])
        leak = str(layer.neuron.params.get("leak", "none"))
        weight, bias = layer.conv.arrays["weight"], layer.conv.arrays["bias"]
        layers.append(firefly.conv(weight, bias, threshold, pool=layer.pool is not None, leak=leak))
        names.append({"neuron": layer.neuron.name, "pool": "" if layer.pool is None else layer.pool.name})
    stem, output = nodes_of(network, "stem")[0], nodes_of(network, "output")[0]
    image, neuron = network.node(stem.inputs[0]), network.readers(stem.name)[0]
    return firefly.build(
        layers,
        input_shape=(network.time_steps, *stem.shape),
        parallelism=parallelism,
        target="v1",
        preset=preset,
        names=names,
        notes=quantizer_notes(network),
        host_stem={
            "name": stem.name,
            "neuron": neuron.name,
            "weight": stem.arrays["weight"],
            "bias": stem.arrays["bias"],
            "stride": int(stem.params["stride"]),
            "padding": int(stem.params["padding"]),
            "shift": int(stem.params["k"]),
            "input_shape": tuple(image.shape),
            "input_steps": int(image.params.get("steps", 1)),
            "exponent": int(image.params["p"]),
            "threshold": int(neuron.arrays["threshold"][0]),
            "leak": str(neuron.params.get("leak", "none")),
        },
        host_output={
            "name": output.name,
            "weight": output.arrays["weight"],
            "bias": output.arrays["bias"],
            "step": output.arrays["step"],
            "class_names": list(network.class_names),
        },
    )

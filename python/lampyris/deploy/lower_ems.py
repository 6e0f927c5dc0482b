"""Lowering to `ems`: an IntegerNetwork as calls of firefly.Program."""

from __future__ import annotations

from typing import Any

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

from .nodes import nodes_of, quantizer_notes

__all__ = ["fused_neurons", "lower_ems"]


def fused_neurons(network: IntegerNetwork) -> dict[str, IntegerNode]:
    """{convolution: neuron that runs in its pass}: the first neuron that reads each convolution's stream."""
    fused = {}
    for conv in nodes_of(network, "conv"):
        neurons = [reader for reader in network.readers(conv.name) if reader.op == "lif"]
        if neurons:
            fused[conv.name] = neurons[0]
    return fused


def lower_ems(network: IntegerNetwork, parallelism: int, preset: str) -> Any:
    """The firefly image of a network without violations.

    A convolution takes the neuron that reads it into its pass, its residual is preloaded into the partial
    sums, and its stream is stored only where another node reads it. Copies are commands (pooling,
    up-sampling) or addresses (concatenation).
    """
    from lampyris import firefly

    program = firefly.Program(parallelism=parallelism, time_steps=network.time_steps, preset=preset)
    fused = fused_neurons(network)
    done = {neuron.name for neuron in fused.values()}
    for node in network.nodes:
        if node.op == "stem":
            _stem(program, network, node)
        elif node.op == "conv":
            _conv(program, network, node, fused.get(node.name))
        elif node.op == "lif" and node.name not in done:
            program.neuron(node.name, node.inputs[0], **_neuron_arguments(node))
        elif node.op == "maxpool":
            program.max_pool(node.name, node.inputs[0])
        elif node.op == "upsample":
            program.upsample(node.name, node.inputs[0])
        elif node.op == "concat":
            program.concat(node.name, list(node.inputs))
        elif node.op == "output":
            program.output(node.name, node.inputs[0], node.arrays["weight"], node.arrays["bias"])
            program.host_output(node.name, step=node.arrays["step"], class_names=list(network.class_names))
    for key, text in quantizer_notes(network).items():
        program.note(key, text)
    return program.build()


def _stem(program: Any, network: IntegerNetwork, node: IntegerNode) -> None:
    channels, height, width = node.shape
    image = network.node(node.inputs[0])
    steps = int(image.params.get("steps", 1))
    program.input(node.name, channels=channels, height=height, width=width, steps=steps)
    program.host_stem(
        node.name,
        node.arrays["weight"],
        node.arrays["bias"],
        stride=int(node.params["stride"]),
        padding=int(node.params["padding"]),
        shift=int(node.params["k"]),
        input_shape=tuple(image.shape),
        input_steps=steps,
        exponent=int(image.params["p"]),
    )


def _conv(program: Any, network: IntegerNetwork, node: IntegerNode, neuron: IntegerNode | None) -> None:
    from lampyris import firefly

    others = [reader for reader in network.readers(node.name) if reader is not neuron]
    program.conv(
        node.name,
        node.inputs[0],
        node.arrays["weight"],
        node.arrays["bias"],
        stride=int(node.params["stride"]),
        padding=int(node.params["padding"]),
        shift=int(node.params["shift"]),
        residual=node.inputs[1] if len(node.inputs) > 1 else None,
        neuron=None if neuron is None else firefly.Neuron(neuron.name, **_neuron_arguments(neuron)),
        store_stream=bool(others) or neuron is None,
    )


def _neuron_arguments(node: IntegerNode) -> dict[str, Any]:
    """Threshold (one number where all channels agree), leak and k of a neuron node."""
    table = np.asarray(node.arrays["threshold"], np.int32)
    threshold = int(table[0]) if (table == table[0]).all() else table
    leak = str(node.params.get("leak", "none"))
    arguments: dict[str, Any] = {"threshold": threshold, "leak": leak}
    if leak == "before":
        arguments["k"] = int(node.params["k"])
    return arguments

"""Why the first difference of a verification is one: its operands, and which of them are not the model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

from .compare import Difference

__all__ = ["with_operands"]

MOST_CAUSES = 4


def with_operands(
    difference: Difference, network: IntegerNetwork, image: Any, run: Any, frame: Any
) -> Difference:
    """The difference with the operands of its value, read from the image, and their mistakes.

    Args:
        difference: found by `verify`.
        network: the model's integers, which the image's are compared with.
        image: the FireFly image.
        run: the device's traced result for the differing input.
        frame: that input, uint8 [C, H, W] or [T, C, H, W].

    Returns:
        The same place and values; `operands` as `firefly.explain` gives them and `causes` filled where the
        accelerator computes that map. Counters and joined maps stay as they are.
    """
    from lampyris import firefly

    if difference.pixel is None:
        return difference
    quantity = "accumulator" if difference.quantity == "readout" else difference.quantity
    try:
        operands = firefly.explain(
            image,
            run,
            quantity,
            difference.layer,
            time_step=difference.time_step or 0,
            channel=difference.channel,
            pixel=difference.pixel,
            inputs=frame,
        )
    except ValueError:  # a map that the image does not give: a v1 current, a concatenation
        return difference
    causes = list(_wrong_parameters(network, difference, operands))
    if not causes and operands["value"] is not None and difference.quantity != "readout":
        follow = [name for name, value in difference.values.items() if int(value) == operands["value"]]
        against = [name for name in difference.values if name not in follow]
        causes = [f"{' and '.join(against)} against the image's operands, which give {operands['value']}"]
    if len(causes) > MOST_CAUSES:
        causes = [*causes[:MOST_CAUSES], f"{len(causes) - MOST_CAUSES} more"]
    return replace(difference, operands=operands, causes=tuple(causes))


def _wrong_parameters(
    network: IntegerNetwork, difference: Difference, operands: dict[str, Any]
) -> Iterator[str]:
    """Weights, bias, shift and threshold of the image that are not the network's."""
    node, channel = network.node(difference.layer), difference.channel
    if (neuron := operands["neuron"]) is not None and node.op == "lif":
        yield from _differs("threshold", neuron["threshold"], _at(node.arrays["threshold"], channel))
        leak = node.params.get("leak", "none")
        yield from _differs("leak", neuron["leak"], leak)
        if leak == "before":
            yield from _differs("leak shift", neuron["k"], node.params["k"])
    synapses = _synapses(network, node)
    if synapses is None or operands["bias"] is None:
        return
    weight = synapses.arrays["weight"]
    for product in operands["products"]:
        y, x = product["tap"]
        expected = int(weight[channel, product["channel"], y, x])
        place = f"weight of input {product['channel']}, tap ({y}, {x})"
        yield from _differs(place, product["weight"], expected)
    yield from _differs("bias", operands["bias"], int(synapses.arrays["bias"][channel]))
    shift = synapses.params.get("k" if synapses.op == "stem" else "shift", 0)
    yield from _differs("shift", operands["shift"], int(shift or 0))


def _synapses(network: IntegerNetwork, node: IntegerNode) -> IntegerNode | None:
    """The convolution whose sums a value is made of."""
    if node.op == "lif":
        node = network.node(node.inputs[0])
    return node if node.op in ("stem", "conv", "output") else None


def _at(array: np.ndarray, channel: int) -> int:
    return int(array[channel] if array.size > 1 else array.reshape(-1)[0])


def _differs(what: str, image: Any, model: Any) -> Iterator[str]:
    if image != model:
        yield f"{what} is {image} in the image, {model} in the model"

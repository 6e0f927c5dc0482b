"""Checks of single layers of an IntegerNetwork against a target's table."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

from .bounds import ACCUMULATOR_LIMIT, PIXEL_MAX, input_sums
from .targets import Target
from .violations import Violation

__all__ = ["check_layer"]

BIAS_LIMIT = 2**15 - 1
THRESHOLD_LIMIT = 2**17
WEIGHT_LIMIT = 127
FULL_SPIKE = 'use the "full_spike" form: a neuron before every convolution'


def check_layer(
    network: IntegerNetwork, node: IntegerNode, table: Target, parallelism: int
) -> Iterator[Violation]:
    """Every violation of `node` that can be seen without its neighbours' neighbours."""
    if node.op == "stem":
        yield from _stem(network, node)
    elif node.op == "conv":
        yield from _sizes(network, node, table, parallelism)
        yield from _kernel(network, node, table)
        yield from _weights(node, table)
    elif node.op == "output":
        yield from _sizes(network, node, table, parallelism)
        yield from _output(network, node)
    elif node.op == "lif":
        yield from _neuron(node, table)
    elif node.op == "maxpool":
        yield from _even(network, node)
    elif node.op == "concat":
        yield from _concat(network, node, parallelism)


def _source(network: IntegerNetwork, node: IntegerNode) -> IntegerNode:
    return network.node(node.inputs[0])


def _stem(network: IntegerNetwork, node: IntegerNode) -> Iterator[Violation]:
    source = _source(network, node)
    if source.op != "input":
        yield Violation(
            node.name, f"a stem must read the image, got {source.name}", "read the network's input"
        )
    if int(node.params["k"]) < 0:
        yield Violation(
            node.name,
            f"stem shift k must be >= 0, got {node.params['k']}",
            "lower the stem group's Theta or the weights' range",
        )
    sums = input_sums(node.arrays["weight"], PIXEL_MAX)
    bias = node.arrays["bias"].astype(np.int64)
    largest = int(max(np.abs(sums.low + bias).max(initial=0), np.abs(sums.high + bias).max(initial=0)))
    if largest >= ACCUMULATOR_LIMIT:
        yield Violation(
            node.name,
            f"|acc + b32| must stay below 2^24, its weights allow {largest}",
            "use fewer input channels",
        )


def _sizes(
    network: IntegerNetwork, node: IntegerNode, table: Target, parallelism: int
) -> Iterator[Violation]:
    channels, height, width = _source(network, node).shape
    for name, size, limit in (("W", width, table.max_width), ("H", height, table.max_height)):
        if size > limit:
            yield Violation(
                node.name, f"{name} must be <= {limit}, got {size}", "use a smaller image or stride"
            )
    if table.max_pixels is not None and height * width > table.max_pixels:
        yield Violation(
            node.name,
            f"H W must be <= {table.max_pixels}, got {height} x {width} = {height * width}",
            "use a smaller image, an earlier pooling, or target ems (bands)",
        )
    if table.max_channels is not None and channels > table.max_channels:
        yield Violation(
            node.name, f"Cin must be <= {table.max_channels}, got {channels}", "use fewer channels"
        )
    steps = network.time_steps
    for what, count in (("ci", channels), ("co", node.shape[0])):
        tiles = ceil(count / parallelism)
        if tiles > table.max_tiles:
            yield Violation(
                node.name, f"{what} tiles must be <= {table.max_tiles}, got {tiles}", "use fewer channels"
            )
        if table.max_tile_steps is not None and tiles * steps > table.max_tile_steps:
            yield Violation(
                node.name,
                f"{what} tiles x T must be <= {table.max_tile_steps}, got {tiles} x {steps}",
                "use fewer channels or time steps",
            )
    if table.max_transfer is not None:
        padded = ceil(channels / parallelism) * parallelism
        bytes_in = padded * height * width * steps // 8
        if bytes_in > table.max_transfer:
            yield Violation(
                node.name,
                f"input bytes must be <= {table.max_transfer}, got {bytes_in}",
                "use fewer time steps",
            )


def _kernel(network: IntegerNetwork, node: IntegerNode, table: Target) -> Iterator[Violation]:
    source, weight = _source(network, node), node.arrays["weight"]
    kernel, stride, padding = weight.shape[2], int(node.params["stride"]), int(node.params["padding"])
    if source.kind != "spikes":
        yield Violation(
            node.name, f"a convolution must read spikes, got the {source.kind} {source.name}", FULL_SPIKE
        )
    if weight.shape[1] != source.shape[0]:
        yield Violation(
            node.name,
            f"groups must be 1, got weight {list(weight.shape)} on {source.shape[0]} channels",
            "use a dense convolution; depthwise belongs in the stem",
        )
    if weight.shape[2] != weight.shape[3] or kernel not in table.kernels:
        sizes = " or ".join(f"{k} x {k}" for k in table.kernels)
        yield Violation(
            node.name,
            f"kernel must be {sizes}, got {weight.shape[2]} x {weight.shape[3]}",
            "use a 3 x 3 kernel",
        )
    elif padding != table.kernels[kernel]:
        yield Violation(
            node.name,
            f"padding of a {kernel} x {kernel} kernel must be {table.kernels[kernel]}, got {padding}",
            f"use padding {table.kernels[kernel]}",
        )
    if stride not in table.strides:
        wanted = " or ".join(map(str, table.strides))
        yield Violation(
            node.name, f"stride must be {wanted}, got {stride}", "pool the spikes, or use target ems"
        )
    if stride == 2 and (source.shape[1] % 2 or source.shape[2] % 2):
        yield Violation(
            node.name,
            f"H and W must be even at stride 2, got {source.shape[1]} x {source.shape[2]}",
            "use an image size that is a multiple of the largest stride",
        )
    fan_in = int(np.prod(weight.shape[1:]))
    if table.max_fan_in is not None and fan_in > table.max_fan_in:
        yield Violation(
            node.name, f"Cin Kh Kw must be <= {table.max_fan_in}, got {fan_in}", "use fewer channels"
        )


def _weights(node: IntegerNode, table: Target) -> Iterator[Violation]:
    weight, bias, shift = node.arrays["weight"], node.arrays["bias"], int(node.params.get("shift", 0))
    if shift not in table.shifts:
        wanted = f"0..{table.shifts[-1]}" if len(table.shifts) > 1 else "0"
        yield Violation(
            node.name, f"left shift must be {wanted}, got {shift}", "prepare the model for this target"
        )
    if weight.size and int(weight.min()) < table.weight_min:
        yield Violation(
            node.name, f"weights must be >= {table.weight_min}, got {int(weight.min())}", "clamp the weights"
        )
    largest = int(np.abs(bias.astype(np.int64)).max(initial=0))
    if largest > BIAS_LIMIT:
        yield Violation(node.name, f"|bias| must be <= {BIAS_LIMIT}, got {largest}", "lower Theta")


def _output(network: IntegerNetwork, node: IntegerNode) -> Iterator[Violation]:
    source, weight = _source(network, node), node.arrays["weight"]
    if source.kind != "spikes":
        yield Violation(
            node.name, f"the output must read spikes, got the {source.kind} {source.name}", FULL_SPIKE
        )
    if weight.shape[2:] != (1, 1) or int(node.params["stride"]) != 1:
        yield Violation(
            node.name,
            f"the output must be a 1 x 1 convolution of stride 1, got {list(weight.shape[2:])}",
            "put the 3 x 3 convolution and a neuron before a 1 x 1 output",
        )
    fan_in = int(np.prod(weight.shape[1:]))
    bound = network.time_steps * (WEIGHT_LIMIT * fan_in + BIAS_LIMIT)
    if bound >= ACCUMULATOR_LIMIT:
        yield Violation(
            node.name,
            f"T (127 fan-in + 32767) must stay below 2^24, got {bound}",
            "use fewer channels or time steps",
        )


def _neuron(node: IntegerNode, table: Target) -> Iterator[Violation]:
    leak, k = node.params.get("leak", "none"), node.params.get("k")
    if leak not in table.leaks:
        wanted = ", ".join(table.leaks)
        remedy = (
            "use target ems" if table.name == "v1" else "use (decay, gain) = (1, 1), (0.5, 0.5) or (2^-k, 1)"
        )
        yield Violation(node.name, f"leak must be one of {wanted}, got {leak}", remedy)
    elif leak == "before" and k not in table.exponents:
        yield Violation(
            node.name, f"k of leak before must be 1..{table.exponents[-1]}, got {k}", "use decay 1/2 .. 1/16"
        )
    threshold = node.arrays["threshold"].astype(np.int64)
    if threshold.size and (threshold.min() < -THRESHOLD_LIMIT or threshold.max() >= THRESHOLD_LIMIT):
        yield Violation(
            node.name,
            f"Theta must fit 18 bits, got {int(threshold.min())}..{int(threshold.max())}",
            "prepare the model again: Theta is at most 131071",
        )
    if not table.streams and threshold.size and threshold.min() != threshold.max():
        yield Violation(node.name, "Theta must be the same for all channels", "use target ems")


def _even(network: IntegerNetwork, node: IntegerNode) -> Iterator[Violation]:
    _, height, width = _source(network, node).shape
    if height % 2 or width % 2:
        yield Violation(
            node.name,
            f"H and W must be even where a map is pooled, got {height} x {width}",
            "use an image size that is a multiple of the largest stride",
        )


def _concat(network: IntegerNetwork, node: IntegerNode, parallelism: int) -> Iterator[Violation]:
    for name in node.inputs[:-1]:
        channels = network.node(name).shape[0]
        if channels % parallelism:
            yield Violation(
                node.name,
                f"every part but the last must have a multiple of P = {parallelism} channels, "
                f"got {channels} from {name}",
                "reorder the parts, change the width, or use a smaller P",
            )

"""What `v1` asks beyond single layers: a chain of convolution, neuron, OR pooling; proofs of bounds."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

from .bounds import MEMBRANE_BITS, TILE_BITS_V1, Range, input_sums, membrane_range, stream_range, tile_sums
from .nodes import nodes_of
from .targets import MAX_TRANSFER, SPIKE_ALIGNMENT, ULTRA96_OUTPUT_TRANSFER
from .violations import Violation

__all__ = ["ChainLayer", "chain_layers", "check_chain", "proven"]

USE_EMS = "use target ems, or the model family v1"


class ChainLayer:
    """A convolution, the neuron that reads it, and the OR pooling that reads the neuron (or None)."""

    def __init__(self, conv: IntegerNode, neuron: IntegerNode, pool: IntegerNode | None) -> None:
        self.conv, self.neuron, self.pool = conv, neuron, pool


def check_chain(network: IntegerNetwork, parallelism: int, preset: str) -> Iterator[Violation]:
    """Violations of structure, then of transfers and bounds."""
    structure = list(_structure(network))
    yield from structure
    if structure:
        return
    for layer in chain_layers(network):
        yield from _transfers(network, layer, parallelism, preset)
    yield from _bounds(network, parallelism)


def _structure(network: IntegerNetwork) -> Iterator[Violation]:
    if not any(node.op == "conv" for node in network.nodes):
        yield Violation("network", "must have a convolution for the accelerator, got none", USE_EMS)
    for node in network.nodes:
        readers = network.readers(node.name)
        if node.op in ("upsample", "concat"):
            yield Violation(node.name, f"{node.op} does not run on v1", USE_EMS)
        if node.op == "conv" and len(node.inputs) > 1:
            yield Violation(node.name, f"a residual ({node.inputs[1]}) does not run on v1", USE_EMS)
        if node.op != "output" and len(readers) != 1:
            names = ", ".join(reader.name for reader in readers) or "nobody"
            yield Violation(node.name, f"must have one reader (a chain), got {names}", USE_EMS)
        if (
            node.kind == "stream"
            and node.op in ("stem", "conv")
            and [r.op for r in readers] not in ([], ["lif"])
        ):
            yield Violation(node.name, "must be read by a neuron: v1 stores no currents", USE_EMS)
        if node.op == "maxpool":
            source = network.node(node.inputs[0])
            if node.kind != "spikes":
                yield Violation(node.name, "v1 pools spikes only (OR), got currents", "pool after the neuron")
            elif source.op != "lif" or network.node(source.inputs[0]).op != "conv":
                yield Violation(
                    node.name,
                    f"must pool the spikes of an accelerator layer, got {source.name}",
                    "pool once after each convolution's neuron; use a larger stem stride",
                )


def chain_layers(network: IntegerNetwork) -> list[ChainLayer]:
    """The accelerator's layers of a network without violations, in order."""
    layers = []
    for conv in nodes_of(network, "conv"):
        neuron = network.readers(conv.name)[0]
        after = network.readers(neuron.name)[0]
        layers.append(ChainLayer(conv, neuron, after if after.op == "maxpool" else None))
    return layers


def proven(network: IntegerNetwork, layer: ChainLayer, parallelism: int) -> dict[str, Range]:
    """Ranges of a layer over any input: {"tile", "layer", "membrane"}, per output channel."""
    weight, bias = layer.conv.arrays["weight"], layer.conv.arrays["bias"]
    threshold, leak = layer.neuron.arrays["threshold"], str(layer.neuron.params.get("leak", "none"))
    sums = input_sums(weight)
    return {
        "tile": tile_sums(weight, parallelism),
        "layer": sums,
        "membrane": membrane_range(sums, bias, threshold, leak, network.time_steps),
    }


def _transfers(
    network: IntegerNetwork, layer: ChainLayer, parallelism: int, preset: str
) -> Iterator[Violation]:
    weight, (_, height, width) = layer.conv.arrays["weight"], (layer.pool or layer.neuron).shape
    tiles_out, tiles_in = (ceil(count / parallelism) for count in weight.shape[:2])
    fragment = height * width * parallelism // 8
    limit = ULTRA96_OUTPUT_TRANSFER if preset == "ultra96" else MAX_TRANSFER
    if fragment > limit:
        yield Violation(
            layer.conv.name,
            f"output bytes of a tile must be <= {limit} on {preset}, got {fragment}",
            "pool earlier, use a smaller image, or another board",
        )
    if tiles_out * network.time_steps > 1 and fragment % SPIKE_ALIGNMENT:
        yield Violation(
            layer.conv.name,
            f"output tiles must start at multiples of {SPIKE_ALIGNMENT} bytes, "
            f"got {height} x {width} pixels of {parallelism // 8} bytes",
            "make H W of every layer even",
        )
    stored = tiles_out * tiles_in * weight[0, 0].size * parallelism**2
    if stored > MAX_TRANSFER:
        yield Violation(
            layer.conv.name, f"weight bytes must be <= {MAX_TRANSFER}, got {stored}", "use fewer channels"
        )


def _bounds(network: IntegerNetwork, parallelism: int) -> Iterator[Violation]:
    for stem in nodes_of(network, "stem"):
        neuron = network.readers(stem.name)[0]
        current = stream_range(stem.arrays["weight"], stem.arrays["bias"], int(stem.params["k"]))
        threshold, leak = neuron.arrays["threshold"], str(neuron.params.get("leak", "none"))
        silent = 0 * stem.arrays["bias"]
        yield from _membrane(neuron, membrane_range(current, silent, threshold, leak, network.time_steps))
    for layer in chain_layers(network):
        ranges = proven(network, layer, parallelism)
        if not ranges["tile"].fits(TILE_BITS_V1):
            low, high = ranges["tile"].extremes()
            yield Violation(
                layer.conv.name,
                f"the sum of one input tile must fit {TILE_BITS_V1} bits, its weights allow {low}..{high}",
                "use P = 16, smaller weights (a smaller Theta), or target ems",
            )
        yield from _membrane(layer.neuron, ranges["membrane"])


def _membrane(neuron: IntegerNode, membrane: Range) -> Iterator[Violation]:
    if not membrane.fits(MEMBRANE_BITS):
        low, high = membrane.extremes()
        yield Violation(
            neuron.name,
            f"the membrane must fit {MEMBRANE_BITS} bits, its weights allow {low}..{high} over T steps",
            "use fewer time steps, half_after, a smaller Theta, or target ems (which saturates)",
        )

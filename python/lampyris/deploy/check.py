"""All violations of an IntegerNetwork against a target."""

from __future__ import annotations

from collections.abc import Iterator

from lampyris.compress.integer_network import IntegerNetwork

from .check_chain import check_chain
from .check_layers import check_layer
from .targets import target_table
from .violations import Violation

__all__ = ["check_network"]


def check_network(
    network: IntegerNetwork, target: str, parallelism: int = 16, preset: str = "zcu104"
) -> list[Violation]:
    """Every violation, in graph order; an empty list when the network fits.

    Raises ValueError for an unknown target.
    """
    table = target_table(target)
    found = list(_network(network, target, table.max_steps))
    for node in network.nodes:
        found += check_layer(network, node, table, parallelism)
        if target == "ems":
            found += _residual(network, node)
    if target == "v1":
        found += check_chain(network, parallelism, preset)
    return found


def _network(network: IntegerNetwork, target: str, max_steps: int) -> Iterator[Violation]:
    if network.target != target:
        yield Violation(
            "network",
            f"must be prepared for target {target}, got {network.target}",
            f"run `lampyris compress` with target {target}",
        )
    if network.time_steps > max_steps:
        yield Violation(
            "network", f"T must be <= {max_steps}, got {network.time_steps}", "use fewer time steps"
        )
    ops = [node.op for node in network.nodes]
    single = [("input", "one image input"), ("stem", "one stem")]
    if target == "v1" or "output" not in ops:
        single.append(("output", "one output"))
    for op, what in single:
        if ops.count(op) != 1:
            yield Violation(
                "network", f"must have {what}, got {ops.count(op)}", f"build the model with {what}"
            )


def _residual(network: IntegerNetwork, node) -> Iterator[Violation]:
    if node.op != "conv" or len(node.inputs) < 2:
        return
    residual = network.node(node.inputs[1])
    if residual.kind != "stream":
        yield Violation(
            node.name,
            f"the residual must be a stream, got the {residual.kind} {residual.name} (SEW addition)",
            "add currents before the neuron (membrane shortcut)",
        )
    if residual.shape != node.shape:
        yield Violation(
            node.name,
            f"the residual must have shape {list(node.shape)}, got {list(residual.shape)}",
            "match channels and size with a shortcut convolution or pooling",
        )

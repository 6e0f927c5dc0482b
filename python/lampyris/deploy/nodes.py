"""Picking nodes of an IntegerNetwork."""

from __future__ import annotations

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

__all__ = ["nodes_of"]


def nodes_of(network: IntegerNetwork, op: str) -> list[IntegerNode]:
    """Nodes with operation `op`, in topological order."""
    return [node for node in network.nodes if node.op == op]

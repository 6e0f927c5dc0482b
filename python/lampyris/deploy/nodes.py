"""Picking nodes of an IntegerNetwork."""

from __future__ import annotations

import json

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

__all__ = ["nodes_of", "quantizer_notes"]


def nodes_of(network: IntegerNetwork, op: str) -> list[IntegerNode]:
    """Nodes with operation `op`, in topological order."""
    return [node for node in network.nodes if node.op == op]


def quantizer_notes(network: IntegerNetwork) -> dict[str, str]:
    """Quantizer settings for an image's plan: rules in words, and the stream group of each convolution."""
    from lampyris import __version__

    groups = {node.name: node.params["group"] for node in network.nodes if node.params.get("group")}
    return {
        "exporter": f"lampyris {__version__}",
        "groups": json.dumps(groups, sort_keys=True),
        "quantizer": "int8 weights in [-127, 127], int16 bias once per step, round half to even; "
        "step of a group = V_th / Theta; output: one step per channel",
    }

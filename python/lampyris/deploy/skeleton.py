"""A float model as an IntegerNetwork of zeros: shapes, connections and prices before any integer exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

if TYPE_CHECKING:
    import torch

    from lampyris.capture import Graph

__all__ = ["skeleton"]


def skeleton(graph: Graph, target: str, time_steps: int, sequence: bool = False) -> IntegerNetwork:
    """The IntegerNetwork of a captured graph with all weights, biases and thresholds 0."""
    builder = _Skeleton(graph, target, time_steps, sequence)
    for name in graph.outputs:
        builder.visit(name)
    return IntegerNetwork(target, time_steps, (), list(builder.nodes.values()))


class _Skeleton:
    def __init__(self, graph: Graph, target: str, time_steps: int, sequence: bool) -> None:
        self.graph, self.target = graph, target
        self.steps = time_steps if sequence else 1
        self.nodes: dict[str, IntegerNode] = {}

    def value(self, name: str) -> str:
        """The node that holds the value `name`: of an add, its last convolution."""
        node = self.graph[name]
        return node.residual if node.op == "add" and node.residual is not None else name

    def visit(self, name: str) -> None:
        """Add `name` after everything it reads, depth first in operand order."""
        name = self.value(name)
        if name in self.nodes:
            return
        node = self.graph[name]
        inputs = [self.value(parent) for parent in node.inputs]
        if node.add is not None:
            inputs.append(self.value(self.graph[node.add].shortcut))
        for parent in inputs:
            self.visit(parent)
        arrays, params = self._contents(node)
        kind = "accumulator" if node.kind == "output" else node.kind
        self.nodes[name] = IntegerNode(name, node.op, tuple(inputs), tuple(node.shape), kind, arrays, params)

    def _contents(self, node: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        if node.op == "input":
            return {}, {"p": 8, "steps": self.steps}
        if node.op == "lif":
            leak, k = _leak(node.module)
            return {"threshold": np.zeros(node.shape[0], np.int32)}, {"leak": leak, **({"k": k} if k else {})}
        if node.op not in ("stem", "conv", "output"):
            return {}, {}
        conv = node.module.conv if node.op == "stem" else node.module
        arrays: dict[str, np.ndarray] = {
            "weight": np.zeros(tuple(conv.weight.shape), np.int8),
            "bias": np.zeros(node.shape[0], np.int32 if node.op == "stem" else np.int16),
        }
        if node.op == "output":
            arrays["step"] = np.ones(node.shape[0])
        params = {
            "stride": int(conv.stride[0]),
            "padding": int(conv.padding[0]),
            "shift": 0,
            "k": 0,
            "group": node.name,
        }
        return arrays, params


def _leak(module: torch.nn.Module) -> tuple[str, int]:
    """Nearest leak of a neuron layer; `float_layers` lists those that are not exact."""
    try:
        decay, gain = float(module.decay), float(module.gain)
    except (TypeError, ValueError, RuntimeError):
        return "none", 0
    if decay == 0.5 and gain == 0.5:
        return "half_after", 0
    if 0.0 < decay < 1.0:
        return "before", int(np.clip(round(-np.log2(decay)), 1, 4))
    return "none", 0

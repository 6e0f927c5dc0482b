"""The captured graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, fx

__all__ = ["CaptureError", "Graph", "Node"]

SOURCES = ("stem", "conv", "add")
"""Operations that make a new stream; pooling, up-sampling and concatenation copy one."""


class CaptureError(ValueError):
    """A model that cannot be captured. ``problems`` holds (qualified name, reason, remedy) of each cause."""

    def __init__(self, problems: Iterable[tuple[str, str, str]]) -> None:
        self.problems = tuple(problems)
        found = " | ".join(f"{name}: {reason}; remedy: {remedy}" for name, reason, remedy in self.problems)
        super().__init__(f"capture: model must be lampyris.nn layers joined by +, got {found}")


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: qualified name of the module; an addition is named after the module whose forward holds it.
        op: "input", "stem", "conv", "lif", "maxpool", "upsample", "concat", "add" or "output" (the
            convolution whose mean over T is the network's result).
        inputs: names of the nodes read; norms and identities are passed through.
        module: the layer; None for input and add.
        shape: (C, H, W).
        kind: "image", "stream", "spikes" or "output".
        once: the value is the same at every time step and stored once.
        norm: qualified name of the norm that belongs to this convolution, or None.
        residual, shortcut: of an add: the convolution whose sum it completes (P), and the other operand (A).
        add: of a convolution: the add whose residual operand it is, or None.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    module: torch.nn.Module | None
    shape: tuple[int, int, int]
    kind: str
    once: bool = False
    norm: str | None = None
    residual: str | None = None
    shortcut: str | None = None
    add: str | None = None


@dataclass
class Graph:
    """Nodes in execution order, with the fx graph they come from.

    Attributes:
        nodes: {name: Node} in execution order.
        outputs: names of the nodes that the model returns.
        trace: the fx graph.
        names: {fx node name: node name}.
    """

    nodes: dict[str, Node]
    outputs: tuple[str, ...]
    trace: fx.Graph = field(repr=False)
    names: dict[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def __iter__(self):
        return iter(self.nodes.values())

    def readers(self, name: str) -> list[Node]:
        """Nodes that read ``name``, in execution order."""
        return [node for node in self.nodes.values() if name in node.inputs]

    def sources(self, name: str) -> list[tuple[str, int]]:
        """(source, channels) of a stream by channel: its stems, convolutions and adds, traced back through
        pooling, up-sampling and concatenation."""
        node = self.nodes[name]
        if node.op in SOURCES:
            return [(name, node.shape[0])]
        return [source for parent in node.inputs for source in self.sources(parent)]

    def mark(self, name: str, **changes: object) -> None:
        """Replace fields of one node."""
        self.nodes[name] = replace(self.nodes[name], **changes)

    @torch.no_grad()
    def run(self, model: torch.nn.Module, inputs: Tensor, observe: Callable[[Node, Tensor], None]) -> None:
        """Run ``model`` (the captured one, or a copy) and call ``observe(node, value)`` for every node."""
        values: dict[str, object] = {}
        waiting = {step: len(step.users) for step in self.trace.nodes}
        for step in self.trace.nodes:
            if step.op == "output":
                break
            arguments = fx.map_arg(step.args, lambda parent: values[parent.name])
            for parent in step.all_input_nodes:  # large maps are dropped behind their last reader
                waiting[parent] -= 1
                if not waiting[parent]:
                    del values[parent.name]
            if step.op == "placeholder":
                value: object = inputs
            elif step.op == "call_module":
                value = model.get_submodule(step.target)(*arguments)
            else:
                value = arguments[0] + arguments[1]
            values[step.name] = value
            if step.name in self.names:
                observe(self.nodes[self.names[step.name]], value)

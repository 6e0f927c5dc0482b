"""The integers of an exact network, free of torch: what reference and exporter read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["IntegerNetwork", "IntegerNode"]


@dataclass(frozen=True)
class IntegerNode:
    """One step of the integer network (docs/contract.md sections 2 and 3).

    Attributes:
        name: qualified name of the layer; "input" for the image.
        op: "input", "stem", "conv", "lif", "maxpool", "upsample", "concat" or "output".
        inputs: names of the nodes read. A residual convolution reads (spikes, shortcut stream); a reader of a
            sum names the convolution that completes it.
        shape: (C, H, W) of the result.
        kind: "image", "stream", "spikes" or "accumulator".
        arrays: stem ``weight`` int8 and ``bias`` int32; conv ``weight`` int8 and ``bias`` int16; lif
            ``threshold`` int32 [C], strict; output ``weight`` int8, ``bias`` int16, ``step`` float64 [C].
        params: small integers and words, e.g. ``stride``, ``padding``, ``shift``, ``leak``.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shape: tuple[int, int, int]
    kind: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    params: dict[str, int | str | bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class IntegerNetwork:
    """All nodes in topological order.

    Attributes:
        target: "ems" or "v1".
        time_steps: T.
        class_names: labels in class order, may be empty.
        nodes: see `IntegerNode`.

    Example:
        >>> image = IntegerNode("input", "input", (), (3, 8, 8), "image", {}, {"p": 8, "steps": 1})
        >>> IntegerNetwork("ems", 4, (), [image]).node("input").shape
        (3, 8, 8)
    """

    target: str
    time_steps: int
    class_names: tuple[str, ...]
    nodes: list[IntegerNode]

    def node(self, name: str) -> IntegerNode:
        """The node called ``name``. Raises KeyError naming it."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"integer network: no node {name!r}")

    def readers(self, name: str) -> list[IntegerNode]:
        """Nodes that read ``name``."""
        return [node for node in self.nodes if name in node.inputs]

"""Stream groups: which convolutions share one integer step (docs/contract.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Graph

__all__ = ["Group", "stream_groups"]


@dataclass(frozen=True)
class Group:
    """Streams on one step.

    Attributes:
        name: the first convolution in graph order.
        convs: convolutions that write into the group, in graph order; the stem counts as one.
        streams: names of the nodes whose X belongs to the group: stems, adds, convolutions read by no add as
            residual operand.
        readers: neurons that read any of them, directly or through copies.
    """

    name: str
    convs: tuple[str, ...]
    streams: tuple[str, ...]
    readers: tuple[str, ...]


def stream_groups(graph: Graph) -> list[Group]:
    """Groups in graph order.

    An add unites itself with every source of both operands, traced back through pooling, up-sampling and
    concatenation. A concatenation that only neurons read joins nothing.

    Example:
        >>> import torch
        >>> from lampyris import capture, models
        >>> model = models.ems_yolo(family="tiny")
        >>> groups = stream_groups(capture.capture(model, torch.zeros(1, 3, 80, 80, dtype=torch.uint8)))
        >>> [len(group.convs) for group in groups]
        [1, 1, 5, 1, 1, 1]
    """
    parent = {node.name: node.name for node in graph if node.op in ("stem", "conv", "add")}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for node in graph:
        if node.op == "add":
            for operand in node.inputs:
                for source, _ in graph.sources(operand):
                    parent[find(source)] = find(node.name)

    members: dict[str, list[str]] = {}
    for name in parent:
        members.setdefault(find(name), []).append(name)
    readers: dict[str, list[str]] = {root: [] for root in members}
    for node in graph:
        if node.op == "lif":
            for root in dict.fromkeys(find(source) for source, _ in graph.sources(node.inputs[0])):
                readers[root].append(node.name)

    groups = []
    for root, names in members.items():
        convs = tuple(name for name in names if graph[name].op != "add")
        streams = tuple(name for name in names if graph[name].add is None)
        groups.append(Group(convs[0], convs, streams, tuple(readers[root])))
    order = list(graph.nodes)
    return sorted(groups, key=lambda group: order.index(group.name))

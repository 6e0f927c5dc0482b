"""Plan entries: the graph in integer form, with every frozen number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from lampyris.capture import Graph, Group, Node, stream_groups

from .checks import Problem, leak_of, scalar
from .folding import folded_parameters
from .ranges import Calibration
from .steps import (
    BIAS_LIMIT,
    STREAM_LIMIT,
    THETA_LIMIT,
    WEIGHT_LIMIT,
    group_step,
    layer_shift,
    reader_threshold,
    stem_shift,
    stem_theta,
)

__all__ = ["Steps", "node_entries"]


@dataclass
class Steps:
    """Group steps of one network.

    Attributes:
        groups: plan entries, in graph order.
        of: {convolution, stem or add: its group's entry}.
        maxima: {convolution or stem: max|W'|}.
        problems: groups without a usable step.
    """

    groups: list[dict[str, Any]] = field(default_factory=list)
    of: dict[str, dict[str, Any]] = field(default_factory=dict)
    maxima: dict[str, float] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def find(cls, graph: Graph, folded: torch.nn.Module, ranges: Calibration, target: str) -> Steps:
        """Theta and S of every group of the folded network."""
        steps = cls()
        for group in stream_groups(graph):
            entry = steps._group(group, graph, folded, ranges, target)
            steps.groups.append(entry)
            for name in (*group.convs, *group.streams):
                steps.of[name] = entry
        return steps

    def _group(
        self, group: Group, graph: Graph, folded: torch.nn.Module, ranges: Calibration, target: str
    ) -> dict[str, Any]:
        v_th = min(scalar(graph[name].module.threshold) for name in group.readers)
        stream = max(ranges.largest[name] for name in group.streams)
        maxima, bias, stem = {}, 0.0, None
        for name in group.convs:
            w, b = folded_parameters(folded, name)
            self.maxima[name] = float(w.abs().max())
            if graph[name].op == "stem":
                stem = self.maxima[name] * 2.0 ** -graph[name].module.input_exponent
            else:
                maxima[name] = self.maxima[name]
                bias = max(bias, float(b.abs().max()))
        if not maxima:
            exponent = graph[group.name].module.input_exponent
            theta, span = stem_theta(v_th, stream, self.maxima[group.name], exponent), 0
            bound = "stream" if theta * stream * 2 > STREAM_LIMIT * v_th else "weights"
        else:
            step = group_step(v_th, maxima, stem, bias, stream)
            theta, span, bound = step.theta, step.span, step.bound
            if target == "v1":
                assert span == 0, "a group of one convolution has S = 0"
        if theta < 1:
            reason = (
                f"group has Theta = {theta}, forced by its {bound} (max|x| {stream:.4g}, max|b| {bias:.4g})"
            )
            self.problems.append((group.name, reason, "train with smaller weights, biases or currents there"))
        return {
            "name": group.name,
            "convs": list(group.convs),
            "streams": list(group.streams),
            "readers": list(group.readers),
            "v_th": v_th,
            "theta": theta,
            "span": span,
            "bound": bound,
            "max_weight": {name: self.maxima[name] for name in group.convs},
            "max_bias": bias,
            "max_stream": stream,
        }


def node_entries(graph: Graph, folded: torch.nn.Module, steps: Steps) -> list[dict[str, Any]]:
    """Entries in topological order; a sum is carried by the convolution that completes it."""
    entries = []
    for node in graph:
        if node.op == "add":
            node = graph[node.residual]
        elif node.add is not None:
            continue  # comes at its add
        entry = {
            "name": node.name,
            "op": node.op,
            "inputs": [_carrier(graph, parent) for parent in node.inputs],
            "shape": list(node.shape),
            "kind": "accumulator" if node.kind == "output" else node.kind,
            "once": node.once,
        }
        entries.append({**entry, **_numbers(node, graph, folded, steps)})
    return entries


def _carrier(graph: Graph, name: str) -> str:
    node = graph[name]
    return node.residual if node.op == "add" else name


def _numbers(node: Node, graph: Graph, folded: torch.nn.Module, steps: Steps) -> dict[str, Any]:
    if node.op == "lif":
        return _neuron(node, graph, steps)
    if node.op not in ("stem", "conv", "output"):
        return {}
    conv = getattr(node.module, "conv", node.module)
    numbers: dict[str, Any] = {
        "weight": list(conv.weight.shape),
        "stride": conv.stride[0],
        "padding": conv.padding[0],
    }
    if node.op == "output":
        return {**numbers, "step": _output_steps(*folded_parameters(folded, node.name))}
    group = steps.of[node.name]
    numbers.update(group=group["name"], theta=group["theta"], v_th=group["v_th"])
    maximum = steps.maxima[node.name]
    if node.op == "stem":
        exponent = node.module.input_exponent
        numbers.update(exponent=exponent, k=_stem_shift(node, maximum, group, exponent, steps.problems))
    else:
        numbers["shift"] = layer_shift(maximum, group["theta"], group["v_th"], group["span"])
        numbers["add"] = node.add
        if node.add is not None:
            numbers["shortcut"] = _carrier(graph, graph[node.add].shortcut)
    return numbers


def _stem_shift(node: Node, maximum: float, group: dict, exponent: int, problems: list[Problem]) -> int:
    k = stem_shift(maximum, max(group["theta"], 1), group["v_th"], exponent)
    if k < 0:
        reason = f"has shift k = {k} in group {group['name']} (Theta {group['theta']}, S {group['span']})"
        problems.append(
            (node.name, reason, "start the residual stream with an EMS-Block1 instead of the stem")
        )
    return k


def _output_steps(weight: torch.Tensor, bias: torch.Tensor) -> list[float]:
    """``d_c = max(max|w_c| / 127, |b_c| / 32767)``, 1 where all is zero."""
    largest = weight.double().flatten(1).abs().amax(1) / WEIGHT_LIMIT
    step = torch.maximum(largest, bias.double().abs() / BIAS_LIMIT)
    return [value if value > 0 else 1.0 for value in step.tolist()]


def _neuron(node: Node, graph: Graph, steps: Steps) -> dict[str, Any]:
    lif = node.module
    decay, gain, threshold = scalar(lif.decay), scalar(lif.gain), scalar(lif.threshold)
    leak, k = leak_of(decay, gain)
    segments: list[dict[str, Any]] = []
    for source, channels in graph.sources(node.inputs[0]):
        group = steps.of[source]
        theta = reader_threshold(threshold, group["theta"], group["v_th"])
        if theta > THETA_LIMIT:
            reason = f"has threshold {theta} on group {group['name']}"
            steps.problems.append(
                (node.name, reason, f"keep it at most {THETA_LIMIT}: use thresholds closer together")
            )
        scale = group["theta"] / group["v_th"]
        if segments and (segments[-1]["theta"], segments[-1]["scale"]) == (theta, scale):
            segments[-1]["channels"] += channels
        else:
            segments.append({"channels": channels, "theta": theta, "scale": scale})
    return {
        "decay": decay,
        "gain": gain,
        "leak": leak,
        "k": k,
        "v_th": threshold,
        "inclusive": bool(lif.inclusive),
        "width": float(lif.width),
        "segments": segments,
    }

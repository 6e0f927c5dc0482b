"""Graphs of the Neuromorphic Intermediate Representation as layers of lampyris.nn."""

from __future__ import annotations

import operator
import os
from keyword import iskeyword
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from ..neuron import IF, LIF
from ..time_distributed import TimeDistributed
from .layers import time_first
from .nir_nodes import DT, LIBRARY, nir
from .report import ConversionError

__all__ = ["from_nir"]

_OPTIONS = ("reset", "inclusive", "detach_reset", "surrogate", "width")
_CLOSE = 1e-6


def from_nir(graph: Any, *, dt: float = DT, reset: str = "hard") -> fx.GraphModule:
    """A module on x [T, B, ...] that runs a NIR graph; `capture` can trace it again.

    Graphs of `to_nir` come back bit for bit, under the same layer names. Those of other libraries are read
    as one forward-Euler step per time step (decay = 1 - dt / tau), strict ``>``, with the hard reset that NIR
    means unless said otherwise.

    Args:
        graph: a ``nir.NIRGraph``, or the path of a file of one.
        dt: seconds per step that graphs of other libraries assume. A graph whose IF nodes mean one addition
            per step (r = 1, as snnTorch and Norse write them) has dt = 1.
        reset: of neurons that do not state it: "hard", "soft" or "none".

    Returns:
        A `torch.fx.GraphModule` of layers of lampyris.nn.

    Raises:
        ImportError: the package nir is missing.
        ConversionError: (a ValueError) every node without a counterpart, by name.
    """
    library = nir("from_nir")
    if isinstance(graph, (str, os.PathLike)):
        graph = library.read(graph, type_check=False)
    return _Import(library, graph, dt, reset).module()


class _Import:
    def __init__(self, library: Any, graph: Any, dt: float, reset: str) -> None:
        self.nir, self.dt, self.reset = library, dt, reset
        self.nodes: dict[str, Any] = dict(graph.nodes)
        self.inputs: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in graph.edges:
            self.inputs[target].append(source)
        self.problems: list[tuple[str, str, str]] = []

    def module(self) -> fx.GraphModule:
        layers: dict[str, torch.nn.Module] = {}
        steps, found = fx.Graph(), {}
        for name in self._order():
            node = self.nodes[name]
            kind = type(node).__name__
            if kind == "Input":
                found[name] = steps.placeholder("x")
                continue
            value = None
            for source in self.inputs[name]:
                other = found[source]
                value = other if value is None else steps.call_function(operator.add, (value, other))
            if kind == "Output":
                steps.output(value)
            elif kind == "Scale" and np.all(np.asarray(node.scale) == 1):
                found[name] = value
            else:
                path = ".".join(f"{part}_" if iskeyword(part) else part for part in name.split("."))
                layers[path] = self._layer(name, kind, node)
                found[name] = steps.call_module(path, (value,))
        if self.problems:
            raise ConversionError("from_nir", self.problems)
        return fx.GraphModule(layers, steps)

    def _order(self) -> list[str]:
        """Nodes behind their inputs, in the graph's order otherwise."""
        kinds = [type(node).__name__ for node in self.nodes.values()]
        if kinds.count("Input") != 1 or kinds.count("Output") != 1:
            self._refuse("graph", "has not one input and one output", "split it")
            raise ConversionError("from_nir", self.problems)
        order: list[str] = []
        waiting = list(self.nodes)
        while waiting:
            ready = [name for name in waiting if all(source in order for source in self.inputs[name])]
            if not ready:
                self._refuse(waiting[0], "is part of a recurrent loop", "unroll it, or train anew")
                raise ConversionError("from_nir", self.problems)
            order.append(ready[0])
            waiting.remove(ready[0])
        return order

    def _refuse(self, name: str, reason: str, remedy: str) -> torch.nn.Module:
        self.problems.append((name, reason, remedy))
        return torch.nn.Identity()

    def _layer(self, name: str, kind: str, node: Any) -> torch.nn.Module:
        if kind in ("LIF", "IF"):
            return self._neuron(name, kind, node)
        if kind in ("Conv1d", "Conv2d"):
            return self._convolution(node, torch.nn.Conv1d if kind == "Conv1d" else torch.nn.Conv2d)
        if kind in ("Affine", "Linear"):
            linear = torch.nn.Linear(node.weight.shape[1], node.weight.shape[0], kind == "Affine")
            return TimeDistributed(_filled(linear, node.weight, node.bias if kind == "Affine" else None))
        if kind in ("AvgPool2d", "SumPool2d"):
            size, stride, padding = (_ints(v) for v in (node.kernel_size, node.stride, node.padding))
            divisor = 1 if kind == "SumPool2d" else None
            return TimeDistributed(torch.nn.AvgPool2d(size, stride, padding, divisor_override=divisor))
        if kind == "Flatten":
            end = int(node.end_dim)
            return TimeDistributed(torch.nn.Flatten(int(node.start_dim) + 1, end if end < 0 else end + 1))
        return self._refuse(name, f"(nir.{kind}) has no counterpart", "see docs/convert.md")

    def _convolution(self, node: Any, kind: type) -> torch.nn.Module:
        out, inner, *size = node.weight.shape
        one = kind is torch.nn.Conv1d
        padding = node.padding if isinstance(node.padding, str) else _ints(node.padding, one)
        bias = None if node.metadata.get("bias") == "none" else node.bias
        conv = kind(
            inner * int(node.groups), out, tuple(size), _ints(node.stride, one), padding,
            _ints(node.dilation, one), int(node.groups), bias is not None,
        )  # fmt: skip
        return time_first(_filled(conv, node.weight, bias))[0]

    def _neuron(self, name: str, kind: str, node: Any) -> torch.nn.Module:
        ours = node.metadata.get("library") == LIBRARY
        v_reset, leak = _number(node.v_reset), _number(getattr(node, "v_leak", node.v_reset))
        if isinstance(v_reset, Tensor) or isinstance(leak, Tensor) or v_reset != leak:
            reason = f"(nir.{kind}) has v_reset {_show(v_reset)} and v_leak {_show(leak)}"
            return self._refuse(name, reason, "use one value for all, where the neuron rests and is reset")
        options: dict[str, Any] = {"reset": self.reset, "v_reset": v_reset}
        if ours:
            decay, gain = (_number(node.metadata[key]) for key in ("decay", "gain"))
            for key in _OPTIONS:
                if key in node.metadata:
                    options[key] = _option(key, node.metadata[key])
        elif kind == "IF":
            decay, gain = 1.0, _number(np.asarray(node.r) * self.dt)
        else:
            share = self.dt / np.asarray(node.tau)
            decay, gain = _number(1 - share), _number(np.asarray(node.r) * share)
            if np.any(share > 1 + _CLOSE) or np.any(share <= 0):
                reason = f"(nir.LIF) has a time constant below the step dt = {self.dt:g} s"
                return self._refuse(name, reason, "give from_nir the step of the graph")
        if kind == "IF":
            return IF(_number(node.v_threshold), gain=gain, **options)
        return LIF(decay, _number(node.v_threshold), gain=gain, **options)


def _filled(layer: torch.nn.Module, weight: np.ndarray, bias: np.ndarray | None) -> torch.nn.Module:
    layer.weight = torch.nn.Parameter(torch.from_numpy(np.array(weight)).float())
    if bias is not None:
        layer.bias = torch.nn.Parameter(torch.from_numpy(np.array(bias)).float())
    return layer


def _ints(value: Any, one: bool = False) -> tuple[int, ...]:
    found = tuple(int(v) for v in np.atleast_1d(np.asarray(value)))
    return found if one or len(found) == 2 else found * 2


def _number(value: Any) -> float | Tensor:
    """One float where all neurons share it, else float32 [...]."""
    values = np.asarray(value, dtype=np.float64)
    if values.size and (values == values.flat[0]).all():
        return float(values.flat[0])
    return torch.from_numpy(values).float()


def _option(key: str, value: Any) -> Any:
    if key in ("inclusive", "detach_reset"):
        return bool(value)
    return _number(value) if key == "width" else str(value)


def _show(value: float | Tensor) -> str:
    return "of each neuron" if isinstance(value, Tensor) else f"{value:g}"

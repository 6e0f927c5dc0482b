"""Networks as graphs of the Neuromorphic Intermediate Representation."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from ..conv import Conv2d
from ..dropout import Dropout
from ..maps import Identity
from ..neuron import LIF
from ..norm import TDBatchNorm2d
from ..time_distributed import TimeDistributed
from .nir_nodes import DECAY_FORM, DT, LIBRARY, nir
from .report import ConversionError
from .walk import qualified

__all__ = ["to_nir"]

_ADD = (operator.add, operator.iadd, torch.add)
_REMEDY = "export the part of the model that NIR can say (docs/convert.md)"


def to_nir(model: torch.nn.Module, example: Tensor, *, dt: float = DT) -> Any:
    """The model as a ``nir.NIRGraph``, which `from_nir` reads back bit for bit.

    Said are convolutions, `TimeDistributed` linear layers, average pools and flattening, LIF and IF neurons
    and sums of two branches. A `TDBatchNorm2d` behind a convolution is folded into its weights (as a float64
    product rounded once), a `Dropout` in evaluation is left out. NIR has no maximum, up-sampling,
    concatenation or mean over time: these are refused.

    Args:
        model: layers as above, in evaluation mode; learned decays become constants.
        example: an input [T, B, ...]; gives the shapes.
        dt: seconds per step, for time constants of nodes.

    Returns:
        ``nir.NIRGraph``; write it with ``nir.write(path, graph)``.

    Raises:
        ImportError: the package nir is missing.
        ConversionError: (a ValueError) everything that NIR cannot say, by qualified name.
    """
    export = _Export(nir("to_nir"), model, example, dt)
    return export.graph()


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        from lampyris import nn

        leaf = isinstance(m, (*nn.LAYERS, TimeDistributed)) or getattr(m, "takes_state", False)
        return leaf or super().is_leaf_module(m, module_qualified_name)


class _Shapes(fx.Interpreter):
    """Runs the graph and keeps every result's shape."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        n.meta["shape"] = list(result.shape[2:]) if isinstance(result, Tensor) else None
        return result


class _Export:
    def __init__(self, library: Any, model: torch.nn.Module, example: Tensor, dt: float) -> None:
        if example.dim() < 3:
            raise ValueError(f"to_nir: example must have shape [T, B, ...], got {list(example.shape)}")
        # A lone layer is traced as a chain of one.
        model = torch.nn.Sequential(model) if _Tracer().is_leaf_module(model, "") else model
        self.nir, self.model, self.dt = library, model, dt
        self.problems: list[tuple[str, str, str]] = []
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.sources: dict[fx.Node, list[str]] = {}  # fx node -> NIR nodes whose sum it is
        self.steps = _trace(model)
        with torch.no_grad():
            _Shapes(fx.GraphModule(model, self.steps)).run(example)

    def graph(self) -> Any:
        for step in self.steps.nodes:
            if step.op == "placeholder":
                shape = np.array(step.meta["shape"])
                self._put(step, "input", self.nir.Input(input_type={"input": shape}), [])
            elif step.op == "call_module":
                self._module(step, self.model.get_submodule(step.target))
            elif step.op == "call_function" and step.target in _ADD and len(step.args) == 2:
                self._add(step)
            elif step.op == "output":
                self._output(step)
            else:
                self._refuse(step.name, f"calls {getattr(step.target, '__name__', step.target)}")
                self.sources[step] = []
        if self.problems:
            raise ConversionError("to_nir", self.problems)
        metadata = {"library": LIBRARY, "dt": self.dt}
        # nir 1.0.8 infers wrong shapes for groups and kernels that are not square; ours are set in _put.
        return self.nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def _refuse(self, name: str, reason: str, remedy: str = _REMEDY) -> None:
        self.problems.append((name, reason, remedy))

    def _put(self, step: fx.Node, name: str, node: Any, inputs: list[str]) -> None:
        if name in self.nodes:
            self._refuse(name, "is called more than once", "give every call a layer of its own")
            return
        node.output_type = {"output": np.array(step.meta["shape"])}
        if step.op == "call_module":
            node.input_type = {"input": np.array(step.all_input_nodes[0].meta["shape"])}
        self.nodes[name] = node
        self.edges += [(source, name) for source in inputs]
        self.sources[step] = [name]

    def _module(self, step: fx.Node, module: torch.nn.Module) -> None:
        name, parent = step.target, step.all_input_nodes[0]
        inputs, shape = self.sources[parent], parent.meta["shape"]
        self.sources[step] = inputs
        if isinstance(module, Identity) or (isinstance(module, Dropout) and not module.training):
            return
        if isinstance(module, TDBatchNorm2d):
            self._fold(step, name, module, parent)
            return
        inner = module.module if isinstance(module, TimeDistributed) else module
        make = {
            torch.nn.Conv2d: self._convolution,
            torch.nn.Linear: self._linear,
            torch.nn.AvgPool2d: self._pool,
            torch.nn.Flatten: self._flatten,
        }.get(_kind(inner))
        if isinstance(module, LIF) and type(module).__module__.startswith("lampyris.nn."):
            make = self._neuron
        found = make(inner, shape) if make is not None else None
        if found is None:
            self._refuse(name, f"({qualified(inner)}) has no node in NIR")
        else:
            self._put(step, name, found, inputs)

    def _convolution(self, conv: torch.nn.Conv2d, shape: list[int]) -> Any:
        if conv.padding_mode != "zeros":
            return None
        padding = conv.padding if isinstance(conv.padding, str) else tuple(conv.padding)
        bias = torch.zeros(conv.out_channels, dtype=conv.weight.dtype) if conv.bias is None else conv.bias
        return self.nir.Conv2d(
            input_shape=tuple(shape[-2:]),
            weight=_array(conv.weight),
            stride=tuple(conv.stride),
            padding=padding,
            dilation=tuple(conv.dilation),
            groups=conv.groups,
            bias=_array(bias),
            metadata={"bias": "none" if conv.bias is None else "given"},
        )

    def _linear(self, linear: torch.nn.Linear, shape: list[int]) -> Any:
        if linear.bias is None:
            return self.nir.Linear(weight=_array(linear.weight))
        return self.nir.Affine(weight=_array(linear.weight), bias=_array(linear.bias))

    def _pool(self, pool: torch.nn.AvgPool2d, shape: list[int]) -> Any:
        k, stride, padding = (np.array(_pair(v)) for v in (pool.kernel_size, pool.stride, pool.padding))
        if pool.ceil_mode or pool.divisor_override or (padding.any() and not pool.count_include_pad):
            return None
        return self.nir.AvgPool2d(kernel_size=k, stride=stride, padding=padding)

    def _flatten(self, flatten: torch.nn.Flatten, shape: list[int]) -> Any:
        if flatten.start_dim < 1:
            return None
        end = flatten.end_dim if flatten.end_dim < 0 else flatten.end_dim - 1
        return self.nir.Flatten({"input": np.array(shape)}, start_dim=flatten.start_dim - 1, end_dim=end)

    def _neuron(self, neuron: LIF, shape: list[int]) -> Any:
        def full(value: float | Tensor) -> np.ndarray:
            value = torch.as_tensor(value).detach().cpu() if isinstance(value, Tensor) else np.float64(value)
            return torch.as_tensor(value).double().expand(shape).numpy().copy()

        decay, gain = full(neuron.decay), full(neuron.gain)
        metadata = {
            "library": LIBRARY,
            "decay_form": DECAY_FORM,
            "decay": _compact(decay),
            "gain": _compact(gain),
            "dt": self.dt,
            "reset": neuron.reset,
            "inclusive": int(neuron.inclusive),
            "detach_reset": int(neuron.detach_reset),
        }
        if isinstance(neuron.surrogate, str):
            metadata |= {"surrogate": neuron.surrogate, "width": _compact(full(neuron.width))}
        rest = full(neuron.v_reset)
        common = {"v_threshold": full(neuron.threshold), "v_reset": rest, "metadata": metadata}
        if (decay == 1).all():
            return self.nir.IF(r=gain / self.dt, **common)
        if (decay == 1).any():
            return None
        return self.nir.LIF(tau=self.dt / (1 - decay), r=gain / (1 - decay), v_leak=rest, **common)

    def _fold(self, step: fx.Node, name: str, norm: TDBatchNorm2d, parent: fx.Node) -> None:
        conv = self.nodes.get(parent.target) if parent.op == "call_module" else None
        if conv is None or type(conv).__name__ != "Conv2d" or len(parent.users) != 1:
            self._refuse(name, "(norm) follows no convolution of its own", "put it behind one")
        elif norm.training or not norm.track_running_stats:
            self._refuse(name, "(norm) takes statistics of the batch", "call model.eval()")
        else:
            scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
            shift = norm.bias.double() - norm.running_mean.double() * scale
            dtype = conv.weight.dtype
            conv.weight = (conv.weight * _array(scale)[:, None, None, None]).astype(dtype)
            conv.bias = (conv.bias * _array(scale) + _array(shift)).astype(dtype)
            conv.metadata["bias"] = "given"

    def _add(self, step: fx.Node) -> None:
        if not all(isinstance(operand, fx.Node) for operand in step.args):
            self._refuse(step.name, "adds a constant")
            self.sources[step] = []
            return
        left, right = (self.sources[operand] for operand in step.args)
        shapes = [operand.meta["shape"] for operand in step.args]
        inputs = [*left, *right]
        if shapes[0] != shapes[1] or len({*inputs}) != len(inputs):
            self._refuse(step.name, "adds tensors of two shapes, or the same twice")
            self.sources[step] = []
        elif all(user.op == "call_module" for user in step.users):
            self.sources[step] = inputs
        else:  # a sum inside a sum keeps its order in a node of its own
            node = self.nir.Scale(scale=np.ones(step.meta["shape"], np.float32), metadata={"sum": 1})
            self._put(step, step.name, node, inputs)

    def _output(self, step: fx.Node) -> None:
        if len(step.all_input_nodes) != 1:
            self._refuse("output", "is not one tensor")
            return
        parent = step.all_input_nodes[0]
        if parent.meta["shape"] is None:
            self._refuse("output", "is not one tensor")
            return
        shape = np.array(parent.meta["shape"])
        self._put(step, "output", self.nir.Output(output_type={"output": shape}), self.sources[parent])


def _trace(model: torch.nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(model)
    except Exception as error:
        raise ValueError(f"to_nir: model must be traceable by torch.fx, got {error}") from error


def _kind(module: torch.nn.Module) -> type | None:
    """The torch class that ``module`` is; None for a class with a forward of its own."""
    if isinstance(module, Conv2d):
        return torch.nn.Conv2d
    return type(module) if type(module).__module__.startswith("torch.nn.") else None


def _pair(value: Any) -> tuple[int, int]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _compact(values: np.ndarray) -> float | np.ndarray:
    """One number where all neurons share it."""
    same = values.size > 0 and (values == values.flat[0]).all()
    return float(values.flat[0]) if same else values


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().contiguous().numpy().copy()

"""From the fx graph to the graph of nodes."""

from __future__ import annotations

import operator

import torch
from torch import Tensor, fx

from lampyris import nn

from .graph import CaptureError, Graph, Node
from .shapes import layer_shape
from .tracer import trace

__all__ = ["capture"]

_OPS: tuple[tuple[type, str], ...] = (
    (nn.Stem, "stem"),
    (nn.Conv2d, "conv"),
    (nn.LIF, "lif"),
    (nn.MaxPool2d, "maxpool"),
    (nn.Upsample, "upsample"),
    (nn.Concat, "concat"),
    (nn.TDBatchNorm2d, "norm"),
    (nn.TimeMean, "mean"),
    (nn.Identity, "identity"),
)
_READS = {"stem": "image", "conv": "spikes", "lif": "stream"}
_REMEDIES = {
    ("conv", "image"): "read the image through lampyris.nn.Stem",
    ("conv", "stream"): "put a lampyris.nn.LIF before it, as in LCB (models.ems_yolo: full_spike=True)",
    ("lif", "spikes"): "put a convolution between the two neurons",
    ("lif", "image"): "read the image through lampyris.nn.Stem",
}


_NOT_EXACT = (
    (
        nn.ILIF,
        (
            "emits up to {m.max_spikes} spikes a step (I-LIF), an integer that a binary synapse cannot carry",
            "train with neuron='lif', or keep the network on a GPU (nn.ILIF.expand writes binary steps)",
        ),
    ),
    (
        nn.SiLUMembrane,
        ("emits SiLU of its membrane, real values", "build with full_spike=True, then fine-tune"),
    ),
    (
        nn.LastMembrane,
        (
            "reads the last membrane, and the exact mode has the sum over T only",
            "train with readout='mean' (nn.TimeMean): the parameters are the same",
        ),
    ),
)
"""Layers of ours without an integer form: reason and remedy."""


def capture(model: torch.nn.Module, example: Tensor) -> Graph:
    """The graph of ``model``, traced by torch.fx with the layers of `lampyris.nn` as leaves.

    Args:
        model: layers of lampyris.nn, ``+`` and Python constants. It is neither run nor changed.
        example: an input batch [B, C, H, W], or [T, B, C, H, W] for sequences; only its shape is read.

    Returns:
        A `Graph`: nodes in execution order with op, kind and shape; of every add, which operand is the
        residual branch's last convolution and which the shortcut.

    Raises:
        CaptureError: (a ValueError) everything that is not ours, by qualified name and with a remedy.

    Example:
        >>> import torch
        >>> from lampyris import models
        >>> graph = capture(models.ems_yolo(family="tiny"), torch.zeros(1, 3, 80, 80, dtype=torch.uint8))
        >>> graph["blocks.0.add"].residual, graph["blocks.0.add"].shortcut
        ('blocks.0.branch.1.conv', 'blocks.0.shortcut.conv')
    """
    if not isinstance(example, Tensor) or example.dim() not in (4, 5):
        got = list(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise ValueError(f"capture: example must have shape [B, C, H, W] or [T, B, C, H, W], got {got}")
    builder = _Builder(model, trace(model), example)
    builder.build()
    return builder.graph


class _Builder:
    def __init__(self, model: torch.nn.Module, traced: fx.Graph, example: Tensor) -> None:
        self.model, self.traced, self.example = model, traced, example
        self.graph = Graph({}, (), traced, {})
        self.alias: dict[str, str] = {}  # fx name -> node name
        self.means: set[str] = set()  # fx names of means over time
        self.depths: dict[str, int] = {}  # filled by the first call of _depth
        self.problems: list[tuple[str, str, str]] = []

    def build(self) -> None:
        outputs: list[str] = []
        for step in self.traced.nodes:
            if step.op == "placeholder":
                self._input(step)
            elif step.op == "call_module":
                self._module(step)
            elif step.op == "output":
                outputs = self._outputs(step)
            elif step.op == "call_function" and step.target in (operator.add, operator.iadd, torch.add):
                self._add(step)
            else:
                self._refuse_step(step)
            if self.problems:  # later nodes would only repeat the first cause
                raise CaptureError(self.problems)
        for name in [node.name for node in self.graph if node.op == "add"]:
            self._operands(name)
        if self.problems:
            raise CaptureError(self.problems)
        self.graph.outputs = tuple(outputs)

    def _refuse(self, name: str, reason: str, remedy: str) -> None:
        self.problems.append((name or type(self.model).__name__, reason, remedy))

    def _put(self, step: fx.Node, node: Node) -> None:
        self.graph.nodes[node.name] = node
        self.graph.names[step.name] = node.name
        self.alias[step.name] = node.name

    def _input(self, step: fx.Node) -> None:
        if "input" in self.graph.nodes:
            if step.users:
                self._refuse(step.name, "is a second input", "give the model one image tensor")
            return
        shape = tuple(self.example.shape[-3:])
        once = self.example.dim() == 4 or self.example.shape[0] == 1
        self._put(step, Node("input", "input", (), None, shape, "image", once))

    def _refuse_step(self, step: fx.Node) -> None:
        target = (
            step.target if isinstance(step.target, str) else getattr(step.target, "__name__", step.target)
        )
        remedy = (
            "use layers of lampyris.nn and + only (LIF, Conv2d, MaxPool2d, Upsample, Concat, TimeMean, ...)"
        )
        self._refuse(step.meta.get("scope", ""), f"calls {target}", remedy)

    def _inputs(self, name: str, step: fx.Node) -> list[Node] | None:
        parents = [argument for argument in step.args if isinstance(argument, fx.Node)]
        if len(parents) != len(step.args) or step.kwargs or not parents:
            self._refuse(name, "must read tensors only", "pass the tensors as positional arguments")
            return None
        for parent in parents:
            if parent.name in self.means:
                self._refuse(name, "reads a mean over time", "TimeMean is the last layer of a network")
                return None
        return [self.graph[self.alias[parent.name]] for parent in parents]

    def _module(self, step: fx.Node) -> None:
        name, module = step.target, self.model.get_submodule(step.target)
        op = next((op for kind, op in _OPS if isinstance(module, kind)), None)
        if op is None:
            known = next((words for kind, words in _NOT_EXACT if isinstance(module, kind)), None)
            if known is not None:
                self._refuse(name, known[0].format(m=module), known[1])
                return
            layer = f"{type(module).__module__}.{type(module).__qualname__}"
            self._refuse(name, f"is a {layer}", "use a layer of lampyris.nn in its place")
            return
        parents = self._inputs(name, step)
        if parents is None:
            return
        if op in ("norm", "identity", "mean"):
            self._pass_through(step, op, name, parents[0])
            return
        if name in self.graph.nodes:
            self._refuse(name, "is called more than once", "give every call a layer of its own")
            return
        kinds = {parent.kind for parent in parents}
        wanted = _READS.get(op)
        if wanted and kinds != {wanted}:
            got = min(kinds)
            remedy = _REMEDIES.get((op, got), f"let it read {wanted}")
            self._refuse(name, f"({op}) must read {wanted}, got {got}", remedy)
            return
        if len(kinds) > 1 or (kinds & {"image", "output"} and not wanted):
            self._refuse(name, f"({op}) must read streams or spikes, got {sorted(kinds)}", "join one kind")
            return
        try:
            shape = layer_shape(op, module, [parent.shape for parent in parents])
        except ValueError as error:
            self._refuse(name, str(error), "fit the layers or the example")
            return
        kind = {"stem": "stream", "conv": "stream", "lif": "spikes"}.get(op, parents[0].kind)
        once = op not in ("conv", "lif") and all(parent.once for parent in parents)
        inputs = tuple(parent.name for parent in parents)
        self._put(step, Node(name, op, inputs, module, shape, kind, once))

    def _pass_through(self, step: fx.Node, op: str, name: str, parent: Node) -> None:
        self.alias[step.name] = parent.name
        alone = len(step.args[0].users) == 1
        if op == "norm":
            if parent.op != "conv" or parent.norm or not alone:
                self._refuse(
                    name, "(norm) must follow a convolution that nothing else reads", "move it there"
                )
            else:
                self.graph.mark(parent.name, norm=name)
        elif op == "mean":
            self.means.add(step.name)
            if parent.op != "conv" or not alone:
                remedy = "let the mean be the only reader of the output convolution"
                self._refuse(name, "(TimeMean) must read a convolution of spikes", remedy)
            else:
                self.graph.mark(parent.name, op="output", kind="output")

    def _add(self, step: fx.Node) -> None:
        scope = step.meta.get("scope", "")
        name = f"{scope}.add" if scope else "add"
        taken = {*self.graph.nodes, *(path for path, _ in self.model.named_modules())}
        if name in taken:
            name = next(f"{name}_{i}" for i in range(2, len(taken) + 3) if f"{name}_{i}" not in taken)
        parents = self._inputs(name, step)
        if parents is None:
            return
        if any(parent.kind != "stream" for parent in parents):
            kinds = " and ".join(parent.kind for parent in parents)
            self._refuse(name, f"must add streams, got {kinds}", "add currents before the neuron, not spikes")
        elif parents[0].shape != parents[1].shape:
            shapes = " and ".join(str(list(parent.shape)) for parent in parents)
            self._refuse(name, f"must add equal shapes, got {shapes}", "project the shortcut with an LCB")
        else:
            once = all(parent.once for parent in parents)
            inputs = tuple(parent.name for parent in parents)
            self._put(step, Node(name, "add", inputs, None, parents[0].shape, "stream", once))

    def _operands(self, name: str) -> None:
        left, right = self.graph[name].inputs
        candidates = [
            operand
            for operand in dict.fromkeys((left, right))
            if self.graph[operand].op == "conv" and len(self.graph.readers(operand)) == 1
        ]
        if left == right or not candidates:
            remedy = "end one branch with a convolution that only this sum reads"
            self._refuse(name, "adds two stored streams", remedy)
            return
        residual = max(candidates, key=self._depth)  # equal depths: the left operand, max keeps the first
        shortcut = right if residual == left else left
        self.graph.mark(name, residual=residual, shortcut=shortcut)
        self.graph.mark(residual, add=name)

    def _depth(self, name: str) -> int:
        """Convolutions on the longest way from the input."""
        if not self.depths:  # nodes stand in execution order: a recursion would be exponential in the blocks
            for node in self.graph:
                before = max((self.depths[parent] for parent in node.inputs), default=0)
                self.depths[node.name] = (node.op == "conv") + before
        return self.depths[name]

    def _outputs(self, step: fx.Node) -> list[str]:
        results: list[fx.Node] = []
        fx.map_arg(step.args, lambda node: results.append(node) or node)
        for result in results:
            if result.name not in self.means:
                where = self.alias.get(result.name, result.name)
                self._refuse(where, "is returned without a mean over time", "end with Conv2d and TimeMean")
        return [] if self.problems else [self.alias[result.name] for result in results]

"""The numpy reference of docs/contract.md sections 1 to 3: every integer of a network.

It reads an `IntegerNetwork` (graph and integer parameters), never an image of the accelerator, so that an
error of packing or scheduling surfaces as a difference. Written from the contract alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lampyris.reference.integer_sums import (
    MEMBRANE_LIMITS,
    STREAM_LIMITS,
    concatenate,
    convolution,
    max_pool,
    saturate,
    shift_round,
    upsample,
    wrap,
)

if TYPE_CHECKING:
    from lampyris.compress.integer_network import IntegerNetwork, IntegerNode

ACCUMULATOR_LIMIT = 2**24
MEMBRANE_BITS = 18


@dataclass
class IntegerTrace:
    """Every value of one run, by node name.

    spikes: bool [T, B, C, H, W]; streams: int32 [T or 1, B, C, H, W], after sat16 on `ems`; membranes: int32
    [T, B, C, H, W] after reset; accumulators: int32 [B, C, H, W]; clamped, saturated: the contract's
    counters; ranges: {node: {quantity: (smallest, largest)}} before any clamp.
    """

    time_steps: int
    target: str
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    streams: dict[str, np.ndarray] = field(default_factory=dict)
    membranes: dict[str, np.ndarray] = field(default_factory=dict)
    accumulators: dict[str, np.ndarray] = field(default_factory=dict)
    clamped: dict[str, int] = field(default_factory=dict)
    saturated: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)

    def readout(self, name: str) -> np.ndarray:
        """Real outputs of an output node: float64 [B, C, H, W] = accumulator * d_c / T."""
        step = self.steps[name][:, None, None]
        return self.accumulators[name] * step / self.time_steps

    def note(self, name: str, quantity: str, values: np.ndarray) -> None:
        """Widen the recorded range of `quantity` at node `name` by `values`."""
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        old = self.ranges.setdefault(name, {}).get(quantity, (low, high))
        self.ranges[name][quantity] = (min(low, old[0]), max(high, old[1]))


def run(network: IntegerNetwork, inputs: np.ndarray) -> IntegerTrace:
    """Run `network` on uint8 `inputs` [B, C, H, W] (repeated T times) or [T, B, C, H, W].

    Returns an IntegerTrace. Raises ValueError when the inputs do not fit the network.
    Example:
        >>> from lampyris.compress.integer_network import IntegerNetwork, IntegerNode
        >>> arrays = {"weight": np.ones((1, 1, 1, 1), np.int8), "bias": np.array([-5], np.int32)}
        >>> params = {"stride": 1, "padding": 0, "k": 1}
        >>> nodes = [
        ...     IntegerNode("input", "input", (), (1, 1, 1), "image", {}, {"p": 8, "steps": 1}),
        ...     IntegerNode("stem", "stem", ("input",), (1, 1, 1), "stream", arrays, params),
        ... ]
        >>> images = np.full((1, 1, 1, 1), 20, np.uint8)
        >>> run(IntegerNetwork("ems", 4, (), nodes), images).streams["stem"].item()
        8
    """
    trace = IntegerTrace(network.time_steps, network.target)
    values: dict[str, np.ndarray] = {}
    for node in network.nodes:
        if node.op == "input":
            values[node.name] = _image(network, node, inputs)
            continue
        if node.op not in _OPS:
            raise ValueError(f"integer: node {node.name} must have an op of {sorted(_OPS)}, got {node.op!r}")
        values[node.name] = _OPS[node.op](trace, node, [values[name] for name in node.inputs])
        if node.kind == "stream":
            trace.streams[node.name] = values[node.name]
        elif node.kind == "spikes":
            trace.spikes[node.name] = values[node.name]
    return trace


def _image(network: IntegerNetwork, node: IntegerNode, inputs: np.ndarray) -> np.ndarray:
    images = np.asarray(inputs)
    steps, shape = int(node.params.get("steps", 1)), tuple(node.shape)
    wanted = (
        f"[B, {', '.join(map(str, shape))}]" if steps == 1 else f"[{steps}, B, {', '.join(map(str, shape))}]"
    )
    if images.dtype != np.uint8:
        raise ValueError(f"integer: inputs must be uint8 {wanted}, got {images.dtype}")
    if images.ndim == 4 and steps == 1:
        images = images[None]
    if images.ndim != 5 or images.shape[0] != steps or images.shape[2:] != shape:
        raise ValueError(f"integer: inputs must have shape {wanted}, got {list(np.shape(inputs))}")
    if steps not in (1, network.time_steps):
        raise ValueError(f"integer: input steps must be 1 or {network.time_steps}, got {steps}")
    return images


def _sums(node: IntegerNode, x: np.ndarray) -> np.ndarray:
    """P of a convolution node for x [T, B, C, H, W]: int32 [T, B, Co, Ho, Wo]."""
    stride, padding = int(node.params["stride"]), int(node.params["padding"])
    result = convolution(x.reshape(-1, *x.shape[2:]), node.arrays["weight"], stride, padding)
    return result.reshape(*x.shape[:2], *result.shape[1:])


def _bias(node: IntegerNode) -> np.ndarray:
    return node.arrays["bias"].astype(np.int64)[:, None, None]


def _narrow(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int32)


def _stem(trace: IntegerTrace, node: IntegerNode, inputs: list[np.ndarray]) -> np.ndarray:
    """x = sat16(shift_round(acc + b32, k)); |acc + b32| < 2^24."""
    total = _sums(node, inputs[0]) + _bias(node)
    trace.note(node.name, "P", total)
    assert np.abs(total).max(initial=0) < ACCUMULATOR_LIMIT, f"{node.name}: |acc + b32| must stay below 2^24"
    x = shift_round(total, int(node.params["k"]))
    trace.note(node.name, "X", x)
    x, trace.clamped[node.name] = saturate(x, STREAM_LIMITS)
    return _narrow(x)


def _conv(trace: IntegerTrace, node: IntegerNode, inputs: list[np.ndarray]) -> np.ndarray:
    """ems: X = sat16((P << s) + B + A). v1: P + B, exact (its sums are proven not to wrap)."""
    sums = _sums(node, inputs[0])
    trace.note(node.name, "P", sums)
    x = (sums.astype(np.int64) << int(node.params.get("shift", 0))) + _bias(node)
    if len(inputs) > 1:
        x = x + inputs[1]
    trace.note(node.name, "X", x)
    if trace.target == "v1":
        trace.clamped[node.name] = 0
        return _narrow(x)
    x, trace.clamped[node.name] = saturate(x, STREAM_LIMITS)
    return _narrow(x)


def _lif(trace: IntegerTrace, node: IntegerNode, inputs: list[np.ndarray]) -> np.ndarray:
    """Section 3: leak order, 18-bit membrane, strict comparison, hard reset to 0."""
    current, leak, k = inputs[0], node.params.get("leak", "none"), int(node.params.get("k", 0))
    if leak not in ("none", "half_after", "before"):
        raise ValueError(f"integer: leak of {node.name} must be none, half_after or before, got {leak!r}")
    threshold = np.broadcast_to(node.arrays["threshold"], (current.shape[2],)).astype(np.int32)[:, None, None]
    membrane = np.zeros(current.shape[1:], np.int32)
    shape = (trace.time_steps, *current.shape[1:])
    spikes, membranes, saturated = np.empty(shape, bool), np.empty(shape, np.int32), 0
    for t in range(trace.time_steps):
        membrane = (membrane >> k if leak == "before" else membrane) + current[
            t if current.shape[0] > 1 else 0
        ]
        trace.note(node.name, "V", membrane)
        if trace.target == "v1":
            assert (wrap(membrane, MEMBRANE_BITS) == membrane).all(), (
                f"{node.name}: an 18-bit membrane wrapped"
            )
        if leak == "half_after":
            membrane = membrane >> 1
        if trace.target != "v1":
            membrane, changed = saturate(membrane, MEMBRANE_LIMITS)
            saturated += changed
        spikes[t] = membrane > threshold
        membrane = np.where(spikes[t], 0, membrane)
        membranes[t] = membrane
    trace.membranes[node.name], trace.saturated[node.name] = membranes, saturated
    return spikes


def _output(trace: IntegerTrace, node: IntegerNode, inputs: list[np.ndarray]) -> np.ndarray:
    """Sum over t of P + B, int32, never clamped."""
    total = (_sums(node, inputs[0]).astype(np.int64) + _bias(node)).sum(axis=0)
    trace.note(node.name, "acc", total)
    assert np.abs(total).max(initial=0) < ACCUMULATOR_LIMIT, f"{node.name}: |acc| must stay below 2^24"
    trace.accumulators[node.name] = _narrow(total)
    trace.steps[node.name] = np.asarray(node.arrays["step"], np.float64)
    return trace.accumulators[node.name]


_OPS: dict[str, Callable[[IntegerTrace, IntegerNode, list[np.ndarray]], np.ndarray]] = {
    "stem": _stem,
    "conv": _conv,
    "lif": _lif,
    "output": _output,
    "maxpool": lambda trace, node, inputs: max_pool(inputs[0]),
    "upsample": lambda trace, node, inputs: upsample(inputs[0]),
    "concat": lambda trace, node, inputs: concatenate(inputs),
}

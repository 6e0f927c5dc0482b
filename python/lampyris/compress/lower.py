"""The integers of an exact model as an `IntegerNetwork`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .exact_layer import exact_layers
from .exact_lif import ExactLIF
from .integer_network import IntegerNetwork, IntegerNode
from .plan import plan_of

__all__ = ["integer_network", "outgrown_weights"]

_PARAMS: dict[str, tuple[str, ...]] = {
    "stem": ("k", "stride", "padding", "group"),
    "conv": ("stride", "padding", "shift", "group", "saturate", "add"),
    "lif": ("leak", "k"),
    "output": ("stride", "padding"),
    "maxpool": (),
    "upsample": (),
    "concat": (),
}


def integer_network(model: torch.nn.Module) -> IntegerNetwork:
    """The integers that the exact ``model`` computes with, never recomputed from elsewhere.

    Args:
        model: after `prepare` or `apply_plan` (or a module that holds one).

    Returns:
        Nodes in topological order (see `IntegerNode`).

    Raises:
        ValueError: the model is not exact, or a trained value left its range.

    Example:
        >>> import torch, warnings
        >>> from lampyris import compress, models
        >>> model, images = models.ems_yolo().eval(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     _ = compress.prepare(model, compress.ExactConfig(), images)
        >>> compress.integer_network(model).node("stem").arrays["weight"].dtype
        dtype('int8')
    """
    plan, layers = plan_of(model), exact_layers(model)
    nodes = [_node(entry, layers.get(entry["name"])) for entry in plan["nodes"]]
    return IntegerNetwork(plan["target"], plan["time_steps"], tuple(plan["class_names"]), nodes)


def outgrown_weights(model: torch.nn.Module) -> dict[str, int]:
    """{layer: trained weights whose integer left [-127, 127] and is clamped}, of layers that have any."""
    counts = {
        name: int((layer.unclamped_weight().abs() > np.iinfo(np.int8).max).sum())
        for name, layer in exact_layers(model).items()
        if hasattr(layer, "unclamped_weight")
    }
    return {name: count for name, count in counts.items() if count}


def _node(entry: dict[str, Any], layer: Any) -> IntegerNode:
    op, inputs = entry["op"], list(entry["inputs"])
    if op == "input":
        params: dict[str, Any] = {"p": entry["exponent"], "steps": entry["steps"]}
    else:
        params = {key: entry[key] for key in _PARAMS[op]}
    arrays: dict[str, np.ndarray] = {}
    if isinstance(layer, ExactLIF):
        arrays = {"threshold": layer.thresholds()}
    elif layer is not None:
        arrays = layer.integers()
    if op == "conv" and entry["add"] is not None:
        inputs.append(entry["shortcut"])
    return IntegerNode(entry["name"], op, tuple(inputs), tuple(entry["shape"]), entry["kind"], arrays, params)

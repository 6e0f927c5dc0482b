"""From a float network to an exact one."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from lampyris import nn
from lampyris.capture import capture

from .apply import apply_plan
from .arithmetic import EXACT_LIMIT
from .checks import Problem, raise_problems, violations
from .config import ExactConfig
from .entries import Steps, node_entries
from .exact_layer import MaskedLayer, exact_layers
from .exact_stem import stem_bound
from .folding import folded_copy, folded_parameters
from .plan import FORMAT, VERSION, Plan
from .quantizers import stem_bias, stem_weight
from .ranges import calibrate

__all__ = ["prepare"]

LOW_THETA = 16
LOW_WEIGHT = 32


def prepare(model: torch.nn.Module, config: ExactConfig, example: Tensor) -> Plan:
    """Make ``model`` exact, in place: fold norms, find stream groups, freeze steps, swap layers.

    Afterwards the forward computes the integers of docs/contract.md section 2 and trains on with
    straight-through gradients. The parameters are new (folded) ones; make optimizers afterwards.

    Args:
        model: layers of lampyris.nn (see `lampyris.capture.capture`).
        config: target, T, calibration set.
        example: one input batch [B, C, H, W] or [T, B, C, H, W].

    Returns:
        The plan, JSON-able; ``plan["warnings"]`` repeats the warnings given.

    Raises:
        ValueError: everything that has no exact form, by name and with a remedy; the model is unchanged then.

    Warns:
        UserWarning: Theta below 16, or a convolution that uses less than a quarter of its weight range.

    Example:
        >>> import torch
        >>> from lampyris import compress, models
        >>> model, images = models.ems_yolo().eval(), torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
        >>> plan = compress.prepare(model, compress.ExactConfig(target="ems", time_steps=4), images)
        >>> [group["name"] for group in plan["groups"]][:2]
        ['stem', 'blocks.0.branch.0.conv']
    """
    if exact_layers(model):
        raise ValueError("prepare: model must be a float model, got an exact one")
    graph = capture(model, example)
    what = f"prepare: model must have an exact form on target {config.target}"
    raise_problems(what, violations(graph, config.target, config.time_steps))
    folded = folded_copy(model, graph)
    if any(node.op == "stem" for node in graph):
        nn.set_time_steps(folded, config.time_steps)
    batches = [example] if config.calibration is None else config.calibration
    ranges = calibrate(graph, folded, batches, config.calibration_batches)

    steps = Steps.find(graph, folded, ranges, config.target)
    nodes = node_entries(graph, folded, steps)
    for entry in nodes:
        if entry["op"] == "conv":
            entry["saturate"] = config.target == "ems"
        elif entry["op"] == "input":
            entry["steps"] = 1 if entry["once"] else config.time_steps
            entry["exponent"] = next((other["exponent"] for other in nodes if other["op"] == "stem"), 0)
    raise_problems(what, steps.problems or _stem_problems(nodes, folded))
    plan: Plan = {
        "format": FORMAT,
        "version": VERSION,
        "target": config.target,
        "time_steps": config.time_steps,
        "class_names": list(config.class_names),
        "calibration": {"name": config.calibration_name, "batches": ranges.batches, "images": ranges.images},
        "nodes": nodes,
        "groups": steps.groups,
        "norms": [node.norm for node in graph if node.norm is not None],
        "outputs": list(graph.outputs),
        "warnings": [],
    }
    apply_plan(model, plan)
    with torch.no_grad():
        for name, layer in exact_layers(model).items():
            if isinstance(layer, MaskedLayer):
                weight, bias = folded_parameters(folded, name)
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
    plan["warnings"] = _warnings(model, steps.groups)
    model.exact_plan["warnings"] = list(plan["warnings"])
    for text in plan["warnings"]:
        warnings.warn(text, stacklevel=2)
    return plan


def _stem_problems(nodes: list[dict], folded: torch.nn.Module) -> list[Problem]:
    found = []
    for entry in nodes:
        if entry["op"] == "stem":
            weight, bias = folded_parameters(folded, entry["name"])
            numbers = entry["theta"], entry["v_th"], entry["k"]
            integers = stem_weight(weight, *numbers, entry["exponent"]), stem_bias(bias, *numbers)
            bound = stem_bound(*integers, entry["k"])
            if bound >= EXACT_LIMIT:
                reason = f"may reach |acc + b32| = {bound}, 2^24 and more"
                found.append(
                    (entry["name"], reason, "use a smaller kernel, fewer channels or a smaller bias")
                )
    return found


def _warnings(model: torch.nn.Module, groups: list[dict]) -> list[str]:
    found = []
    for group in groups:
        if group["theta"] < LOW_THETA:
            forced = {
                "weights": f"the weights of {max(group['max_weight'], key=group['max_weight'].get)}",
                "bias": f"a bias of {group['max_bias']:.4g}",
                "stream": f"currents up to {group['max_stream']:.4g}",
            }[group["bound"]]
            found.append(
                f"group {group['name']}: Theta = {group['theta']} is below {LOW_THETA}, forced by {forced}"
            )
    for name, layer in exact_layers(model).items():
        if isinstance(layer, MaskedLayer):
            largest = int(abs(layer.integers()["weight"].astype(int)).max())
            if largest < LOW_WEIGHT:
                theta = layer.entry.get("theta")
                group = next((g for g in groups if name in g["convs"]), None)
                forced = (
                    "its bias"
                    if group is None
                    else f"the {group['bound']} of group {group['name']} (Theta {theta})"
                )
                found.append(f"{name}: max|q_W| = {largest} is below {LOW_WEIGHT}, forced by {forced}")
    return found

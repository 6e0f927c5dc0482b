"""Swapping the layers of a float model for the exact ones of a plan."""

from __future__ import annotations

import json

import torch

from lampyris import nn

from .exact_conv import ExactConv2d
from .exact_layer import ExactLayer
from .exact_lif import ExactLIF
from .exact_output import ExactOutput
from .exact_stem import ExactStem
from .plan import Plan, check_plan

__all__ = ["apply_plan"]

_SWAPS: dict[str, tuple[type, type]] = {
    "stem": (nn.Stem, ExactStem),
    "conv": (nn.Conv2d, ExactConv2d),
    "output": (nn.Conv2d, ExactOutput),
    "lif": (nn.LIF, ExactLIF),
}


def apply_plan(model: torch.nn.Module, plan: Plan) -> torch.nn.Module:
    """Rebuild the exact structure of ``plan`` in a float ``model``, in place, before ``load_state_dict``.

    The parameters are new; make optimizers afterwards. T of the stem becomes the plan's.

    Args:
        model: built like the one given to `prepare`.
        plan: what `prepare` returned, or its JSON read back.

    Returns:
        The model.

    Raises:
        ValueError: the plan is of another model, or the model is exact already; nothing is changed then.
    """
    check_plan(plan)
    plan = json.loads(json.dumps(plan))
    if any(isinstance(module, ExactLayer) for module in model.modules()):
        raise ValueError("apply_plan: model must be a float model, got an exact one")
    modules = dict(model.named_modules())
    entries = [entry for entry in plan["nodes"] if entry["op"] in _SWAPS]
    for entry in entries:
        _check(modules.get(entry["name"]), entry)
    for name in plan["norms"]:
        if name not in modules:
            raise ValueError(f"apply_plan: model must have the plan's norm {name!r}, got none")
    for entry in entries:
        old = modules[entry["name"]]
        new = _SWAPS[entry["op"]][1](old, entry)
        model.set_submodule(entry["name"], new.train(old.training))
    for name in plan["norms"]:
        model.set_submodule(name, torch.nn.Identity())
    if any(entry["op"] == "stem" for entry in entries):
        nn.set_time_steps(model, plan["time_steps"])
    model.exact_plan = plan
    return model


def _check(module: torch.nn.Module | None, entry: dict) -> None:
    name, kind = entry["name"], _SWAPS[entry["op"]][0]
    if not isinstance(module, kind):
        got = "none" if module is None else type(module).__name__
        raise ValueError(f"apply_plan: model must have the plan's {kind.__name__} {name!r}, got {got}")
    if entry["op"] == "lif":
        return
    conv = getattr(module, "conv", module)
    got = {"weight": list(conv.weight.shape), "stride": conv.stride[0], "padding": conv.padding[0]}
    want = {key: entry[key] for key in got}
    if got != want:
        raise ValueError(f"apply_plan: {name!r} must have {want}, got {got}")

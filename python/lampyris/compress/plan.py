"""The plan: structure and frozen integers of an exact network, as JSON-able data."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["FORMAT", "VERSION", "check_plan", "plan_of"]

FORMAT = "lampyris.plan"
VERSION = 1

Plan = dict[str, Any]


def check_plan(plan: Plan) -> None:
    """Raise ValueError unless ``plan`` is a plan of this version."""
    if not isinstance(plan, dict) or plan.get("format") != FORMAT:
        got = plan.get("format") if isinstance(plan, dict) else type(plan).__name__
        raise ValueError(f"plan: format must be {FORMAT!r}, got {got!r}")
    if plan.get("version") != VERSION:
        raise ValueError(f"plan: version must be {VERSION}, got {plan.get('version')!r}")
    missing = {"target", "time_steps", "nodes", "groups", "norms", "class_names"} - plan.keys()
    if missing:
        raise ValueError(f"plan: must hold {', '.join(sorted(missing))}, got {', '.join(sorted(plan))}")


def plan_of(model: torch.nn.Module) -> Plan:
    """The plan of an exact model, or of a module that holds one. Raises ValueError when there is none."""
    for module in model.modules():
        plan = getattr(module, "exact_plan", None)
        if plan is not None:
            return plan
    raise ValueError(
        f"plan_of: model must be exact (compress.prepare or apply_plan), got {type(model).__name__}"
    )

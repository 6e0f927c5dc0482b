"""What keeps a model from a target, and what it costs there; nothing is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lampyris.compress.integer_network import IntegerNetwork

from .check import check_network
from .exporting import integers_of, lower
from .targets import target_table
from .violations import Violation

if TYPE_CHECKING:
    import torch

__all__ = ["Explanation", "explain"]

CYCLE_CAUSES = ("compute", "reload", "flush", "weights", "residual", "output", "stall", "total")


@dataclass
class Explanation:
    """Violations and prices of a model on a target.

    Attributes:
        violations: every one found, in graph order.
        notes: what could not be checked yet and why.
        timing: firefly's cycle table, None while the network does not map.
    """

    target: str
    preset: str
    parallelism: int
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    timing: Any = None

    @property
    def ok(self) -> bool:
        """Whether the model can be exported as far as it could be checked."""
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "ok": self.ok,
            "target": self.target,
            "preset": self.preset,
            "parallelism": self.parallelism,
            "violations": [violation.to_json() for violation in self.violations],
            "notes": self.notes,
            "timing": None if self.timing is None else asdict(self.timing),
        }

    def table(self):
        """A `rich` table of the violations, or of the prices when there are none."""
        from rich.table import Table

        if self.violations:
            table = Table(
                "layer", "reason", "remedy", title=f"{len(self.violations)} violations of {self.target}"
            )
            for violation in self.violations:
                table.add_row(violation.layer, violation.reason, violation.remedy)
            return table
        return price_table(self)


def price_table(explanation: Explanation):
    """A `rich` table of cycles per layer."""
    from rich.table import Table

    timing = explanation.timing
    title = f"fits {explanation.target} on {explanation.preset}, P = {explanation.parallelism}"
    if timing is None:
        return Table(title=title)
    table = Table(title=f"{title}: {timing.total['total']} cycles, {timing.frames_per_second:.0f} frames/s")
    table.add_column("layer", no_wrap=True)
    table.add_column("op")
    for cause in CYCLE_CAUSES:
        table.add_column(cause, justify="right")
    for layer in timing.layers:
        table.add_row(layer.name, layer.op, *(str(layer.cycles[cause]) for cause in CYCLE_CAUSES))
    return table


def explain(
    model: torch.nn.Module | IntegerNetwork,
    target: str = "ems",
    *,
    example: Any = None,
    time_steps: int | None = None,
    preset: str = "zcu104",
    parallelism: int = 16,
) -> Explanation:
    """Every violation of `target` with its remedy, and the price in cycles.

    Args:
        model: an exact model, its IntegerNetwork, or a float model not yet prepared: then layers and shapes
            are checked, and the bounds that need integers are named in `notes`.
        target: "ems" or "v1".
        example: an input batch; its shape is needed for a float model.
        time_steps: T of a float model; None takes its stem's.

    Raises:
        ValueError: an unknown target.

    Example:
        >>> import torch
        >>> from lampyris import deploy, models
        >>> example = torch.zeros(1, 3, 80, 80, dtype=torch.uint8)
        >>> deploy.explain(models.ems_yolo(family="tiny"), "ems", example=example).ok
        True
        >>> deploy.explain(models.ems_yolo(family="tiny"), "v1", example=example).violations[0].layer
        'blocks.0.branch.0.lif'
    """
    table = target_table(target)
    result = Explanation(target, preset, parallelism)
    network = _integers(model, result)
    if network is None:
        from .float_layers import check_modules

        result.violations += check_modules(model, table)
        network = _skeleton(model, result, example, time_steps)
        result.notes.append(
            "float model: bounds of weights, thresholds and sums are checked once it is exact"
        )
    if network is not None:
        known = {(violation.layer, violation.reason) for violation in result.violations}
        found = check_network(network, target, parallelism, preset)
        result.violations += [v for v in found if (v.layer, v.reason) not in known]
    if network is not None and result.ok:
        _price(network, result)
    return result


def _price(network: IntegerNetwork, result: Explanation) -> None:
    from lampyris import firefly

    try:
        image = lower(network, result.preset, result.parallelism)
    except ValueError as error:  # a limit that only the schedule shows
        result.violations.append(Violation("network", str(error), "change the layers that the reason names"))
        return
    result.timing = firefly.timing(image, result.preset)


def _integers(model: Any, result: Explanation) -> IntegerNetwork | None:
    """Integers of an exact model; None for a float model."""
    if isinstance(model, IntegerNetwork):
        return model
    from lampyris import compress

    if not any(isinstance(module, compress.ExactConv2d) for module in model.modules()):
        return None
    return integers_of(model)


def _skeleton(model: Any, result: Explanation, example: Any, time_steps: int | None) -> IntegerNetwork | None:
    from lampyris import capture, nn

    from .skeleton import skeleton

    if example is None:
        result.notes.append("no example given: shapes, connections and prices were not checked")
        return None
    try:
        graph = capture.capture(model, example)
    except capture.CaptureError as error:
        known = {violation.layer for violation in result.violations}
        result.violations += [Violation(*problem) for problem in error.problems if problem[0] not in known]
        result.notes.append(
            "the graph could not be captured: shapes, connections and prices were not checked"
        )
        return None
    if time_steps is None:
        time_steps = next((m.time_steps for m in model.modules() if isinstance(m, nn.Stem)), 1)
    sequence = example.ndim == 5 and example.shape[0] > 1
    return skeleton(graph, result.target, int(time_steps), sequence)

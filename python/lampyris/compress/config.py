"""Settings of exact mode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TARGETS", "ExactConfig"]

TARGETS = ("ems", "v1")


@dataclass
class ExactConfig:
    """How a network enters exact mode.

    Args:
        target: "ems" (residual streams, left shifts) or "v1" (plain chains, one step per convolution).
        time_steps: T at which the network is deployed, calibrated and fine-tuned.
        calibration: input batches, or (inputs, targets) pairs, whose largest currents bound the steps; None
            takes the example given to `prepare`.
        calibration_batches: at most this many batches are run.
        calibration_name: recorded in the plan.
        class_names: recorded in the plan.

    Raises:
        ValueError: an unknown target, or a number below 1.
    """

    target: str = "ems"
    time_steps: int = 4
    calibration: Iterable[Any] | None = field(default=None, repr=False)
    calibration_batches: int = 8
    calibration_name: str = "example"
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"ExactConfig: target must be one of {', '.join(TARGETS)}, got {self.target!r}")
        for name in ("time_steps", "calibration_batches"):
            if int(getattr(self, name)) < 1:
                raise ValueError(f"ExactConfig: {name} must be >= 1, got {getattr(self, name)}")
        self.class_names = tuple(self.class_names)

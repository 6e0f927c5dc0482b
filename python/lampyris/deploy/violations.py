"""Reasons why a network does not fit a target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

__all__ = ["Violation", "describe", "raise_violations"]


@dataclass(frozen=True)
class Violation:
    """One reason: the layer by its qualified name, what is wrong, what to do about it."""

    layer: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.reason}; remedy: {self.remedy}"

    def to_json(self) -> dict[str, str]:
        """{"layer", "reason", "remedy"}."""
        return asdict(self)


def describe(target: str, violations: Iterable[Violation]) -> str:
    """All violations on one line."""
    found = [str(violation) for violation in violations]
    plural = "violation" if len(found) == 1 else "violations"
    return f"export: network must fit target {target}, got {len(found)} {plural}: " + " | ".join(found)


def raise_violations(target: str, violations: Iterable[Violation]) -> None:
    """Raise ValueError with every violation, if there is one."""
    found = list(violations)
    if found:
        raise ValueError(describe(target, found))

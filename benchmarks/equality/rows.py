"""One line of the table of equality."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row", "table"]


@dataclass(frozen=True)
class Row:
    """What was compared and what came of it.

    Args:
        case: the peer, its settings and ours.
        neuron_steps: T x neurons compared.
        found: what was measured.
        claim: what had to come: "equal", a tolerance, or "differs" with the reason.
        ok: the claim holds; a case without a claim of equality is always ok.
    """

    case: str
    neuron_steps: int
    found: str
    claim: str
    ok: bool


def table(rows: list[Row]) -> str:
    """Aligned columns."""
    lines = [["case", "neuron-steps", "found", "claim", ""]]
    lines += [[r.case, str(r.neuron_steps), r.found, r.claim, "ok" if r.ok else "FAILED"] for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )

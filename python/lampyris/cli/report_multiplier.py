"""``lampyris report multiplier``: gates and faults of the protected multipliers."""

from __future__ import annotations


def command(out: str | None = None, products: int = 1024, luts: bool = False) -> int:
    """Print the gate counts of the 45-bit multipliers and what every single gate fault does to them.

    Args:
        out: folder for multiplier.json and multiplier.png; nothing is written when left out.
        products: random products under each fault.
        luts: also map every design on 6-input LUTs with yosys (minutes).
    """
    import json
    from pathlib import Path

    from rich.table import Table

    from lampyris.console import console
    from lampyris.ecc import multiplier_tables as tables
    from lampyris.files import atomic_write

    screen = console()
    rows = tables.designs(luts=luts)
    table = Table(
        "design", "AND", "XOR", "OR", "NOT", "GE", "known GE", "overhead", "depth", "LUT6, levels",
        title="multipliers of GF(2^45), x^45 + x^4 + x^3 + x + 1",
    )  # fmt: skip
    for row in rows:
        g = row.gates
        depth = str(row.depth)
        if row.fast_depth != row.depth:
            depth += f", clean {row.fast_depth}"
        table.add_row(
            row.label, *map(str, g[:4]), f"{g.equivalents:.0f}", str(row.known or "-"),
            f"{100 * row.overhead:+.0f} %", depth, f"{row.luts[0]}, {row.luts[1]}" if row.luts else "-",
        )  # fmt: skip
    screen.print(table)

    at = {row.label: row for row in rows}
    bypass = at["BCH t=3, dup, bypass"]
    figures = {
        "sec_iso": 100 * at["BCH t=1, iso"].overhead,
        "sec_dup": 100 * at["BCH t=1, dup"].overhead,
        "tmr": 100 * at["TMR"].overhead,
        "bch3": 100 * at["BCH t=3, dup"].overhead,
        "bch5": 100 * at["BCH t=5, dup, BRS"].overhead,
        "bypass": 100 * (bypass.fast_depth.delay / bypass.depth.delay - 1),
    }
    claims = Table("claim", "published", "computed here", title="beside the literature")
    for what, published, computed in tables.PUBLISHED:
        claims.add_row(what, published, computed.format(**figures))
    screen.print(claims)

    faults = tables.campaigns(products=products)
    outcome = Table(
        "design", "fault", "gates", "vulnerable", "masked", "corrected", "detected", "silent",
        title=f"every single gate fault, {products} random products each",
    )  # fmt: skip
    for row in faults:
        c = row.campaign
        outcome.add_row(
            row.label, row.kind, str(row.gates.total), str(c.vulnerable),
            *(f"{100 * c.fraction(x):.2f} %" for x in ("masked", "corrected", "detected", "silent")),
        )  # fmt: skip
    screen.print(outcome)
    weak = {row.label for row in faults if not row.campaign.survives}
    strong = sorted({(row.gates.equivalents, row.label) for row in faults if row.label not in weak})
    base = at["two-step, trees"].gates.equivalents
    for area, label in strong:
        screen.print(
            f"no silent error under any single gate fault: {label}, {area:.0f} GE, "
            f"{100 * (area / base - 1):+.0f} %",
            highlight=False,
        )
    if out is not None:
        summary = {
            "designs": [
                {
                    "design": row.label, **row.gates._asdict(), "known": row.known, "depth": str(row.depth),
                    "delay": row.depth.delay, "fast_depth": str(row.fast_depth), "overhead": row.overhead,
                    "luts": row.luts,
                }
                for row in rows
            ],
            "faults": [
                {
                    "design": row.label, "fault": row.kind, "vulnerable": row.campaign.vulnerable,
                    **{
                        x: row.campaign.fraction(x)
                        for x in ("masked", "corrected", "detected", "alarms", "silent")
                    },
                }
                for row in faults
            ],
        }  # fmt: skip
        atomic_write(Path(out) / "multiplier.json", json.dumps(summary, indent=1) + "\n")
        path = tables.draw_campaigns(Path(out) / "multiplier.png", faults)
        screen.print(f"wrote multiplier.json and {path.name} in {out}")
    return 0

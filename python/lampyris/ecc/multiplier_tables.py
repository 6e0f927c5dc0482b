"""The tables of the protected multipliers: gates, depth, LUTs, and what faults do to them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lampyris.ecc.multiplier import Campaign, Depth, Gates, Multiplier, multiplier

__all__ = [
    "DESIGNS",
    "FIELD",
    "PUBLISHED",
    "SURVIVORS",
    "CampaignRow",
    "DesignRow",
    "campaigns",
    "designs",
    "draw_campaigns",
    "lut_depth",
]

FIELD = (45, 4, 3, 1, 0)

# Label, gate equivalents of an earlier computation of the same designs (None where it has no such row),
# options of `multiplier`.
DESIGNS: tuple[tuple[str, int | None, dict], ...] = (
    ("two-step, trees", 6917, {"sharing": "tree"}),
    ("two-step", 6917, {}),
    ("mastrovito", None, {"form": "mastrovito"}),
    ("isolated cones", 10971, {"form": "isolated"}),
    ("duplicate and compare", None, {"protection": "duplicate", "mode": "detect"}),
    ("TMR", 21051, {"protection": "tmr"}),
    ("BCH t=1 (Hamming), lin", 9385, {"protection": "bch", "predictor": "lin"}),
    ("BCH t=1, iso", 13620, {"protection": "bch", "predictor": "iso"}),
    ("BCH t=1, dup", 14201, {"protection": "bch"}),
    (
        "BCH t=1, iso, isolated cones",
        17731,
        {"protection": "bch", "predictor": "iso", "form": "isolated"},
    ),
    ("Hamming, columns of low weight, dup", None, {"protection": "hamming"}),
    ("cross parity 5x9, lin", 10263, {"protection": "cross", "predictor": "lin"}),
    ("cross parity 5x9, iso", 13135, {"protection": "cross", "predictor": "iso"}),
    ("cross parity 5x9, dup", 14126, {"protection": "cross"}),
    ("LDPC (3, 8), dup", None, {"protection": "ldpc"}),
    ("BCH t=2, lin", 14583, {"protection": "bch", "t": 2, "predictor": "lin"}),
    ("BCH t=2, dup", 15920, {"protection": "bch", "t": 2}),
    ("BCH t=2, dup, trees", 16556, {"protection": "bch", "t": 2, "sharing": "tree"}),
    ("BCH t=3, dup", 17333, {"protection": "bch", "t": 3}),
    ("BCH t=3, dup, BRS", None, {"protection": "bch", "t": 3, "locator": "brs"}),
    ("BCH t=3, dup, trees", 19057, {"protection": "bch", "t": 3, "sharing": "tree"}),
    ("BCH t=3, dup, bypass", None, {"protection": "bch", "t": 3, "mode": "bypass"}),
    ("BCH t=4, dup, BRS", 22806, {"protection": "bch", "t": 4, "locator": "brs"}),
    ("BCH t=4, dup", 23272, {"protection": "bch", "t": 4}),
    ("BCH t=4, dup, trees", 26074, {"protection": "bch", "t": 4, "sharing": "tree"}),
    ("BCH t=5, dup", 28076, {"protection": "bch", "t": 5}),
    ("BCH t=5, dup, BRS", None, {"protection": "bch", "t": 5, "locator": "brs"}),
    ("BCH t=5, dup, BRS, trees", 30878, {"protection": "bch", "t": 5, "sharing": "tree", "locator": "brs"}),
    ("BCH t=5, dup, trees", 31528, {"protection": "bch", "t": 5, "sharing": "tree"}),
)

# Designs of the fault campaign besides those that only correct.
SURVIVORS: tuple[tuple[str, dict], ...] = (
    ("two-step", {}),
    ("TMR", {"protection": "tmr"}),
    ("duplicate and compare", {"protection": "duplicate", "mode": "detect"}),
    ("cross parity, dup", {"protection": "cross"}),
    ("LDPC (3, 8), dup", {"protection": "ldpc"}),
    ("BCH t=1, dup", {"protection": "bch"}),
    ("BCH t=1, iso, isolated cones", {"protection": "bch", "predictor": "iso", "form": "isolated"}),
    ("BCH t=3, dup", {"protection": "bch", "t": 3}),
    ("BCH t=3, iso, isolated cones", {"protection": "bch", "t": 3, "predictor": "iso", "form": "isolated"}),
    ("BCH t=5, dup, BRS", {"protection": "bch", "t": 5, "locator": "brs"}),
    ("BCH t=1, lin, detect", {"protection": "bch", "predictor": "lin", "mode": "detect"}),
    ("BCH t=3, dup, detect", {"protection": "bch", "t": 3, "mode": "detect"}),
    ("signature, lin, detect", {"protection": "signature", "predictor": "lin", "mode": "detect"}),
    ("BCH t=3, dup, verify", {"protection": "bch", "t": 3, "mode": "verify"}),
    (
        "BCH t=1, iso, isolated cones, verify",
        {"protection": "bch", "predictor": "iso", "form": "isolated", "mode": "verify"},
    ),
)

PUBLISHED: tuple[tuple[str, str, str], ...] = (
    # what, published, computed here ({...} filled by the report)
    ("single error correction", "slightly over 100 %", "{sec_iso:+.0f} % (iso), {sec_dup:+.0f} % (dup)"),
    ("TMR", "200 % or more", "{tmr:+.0f} %"),
    ("BCH, several errors", "within 150 %", "{bch3:+.0f} % (t = 3)"),
    ("bypass of the corrector", "-50 % delay", "{bypass:+.0f} % (t = 3)"),
    ("t = 5, 45 bits: area", "80 %", "{bch5:+.0f} %; parity / data is 35 / 45 = 78 %"),
    ("t = 5, 45 bits: delay", "-37 %, -49 %", "not reproduced: the reference designs are not published"),
)


@dataclass(frozen=True)
class DesignRow:
    """One line of the table; overhead is area over that of the plain two-step multiplier with trees."""

    label: str
    gates: Gates
    depth: Depth
    fast_depth: Depth
    overhead: float
    known: int | None
    luts: tuple[int, int] | None


@dataclass(frozen=True)
class CampaignRow:
    """One design under every single gate fault of one kind."""

    label: str
    kind: str
    gates: Gates
    campaign: Campaign


def lut_depth(net: Multiplier, inputs: int = 6) -> tuple[int, int]:
    """LUTs and LUT levels of the netlist after yosys' fast mapping (abc -fast -lut).

    abc merges equal gates, so that copies (TMR, duplicate, the array of `dup`) do not count.

    Raises:
        FileNotFoundError: yosys is not installed.
    """
    if shutil.which("yosys") is None:
        raise FileNotFoundError("lut_depth: yosys must be installed, got none on the path")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "net.v").write_text(net.to_verilog("top"))
        # The full script of abc takes minutes on sums of this size.
        script = f"read_verilog net.v; simplemap; abc -fast -lut {inputs}; stat; ltp -noff"
        run = subprocess.run(
            ["yosys", "-Q", "-p", script], cwd=folder, capture_output=True, text=True, check=True
        )
    luts = re.findall(r"\$lut\s+(\d+)", run.stdout)
    levels = re.findall(r"length=(\d+)", run.stdout)
    return int(luts[-1]), int(levels[-1])


def designs(rows: Iterable[tuple[str, int | None, dict]] = DESIGNS, *, luts: bool = False) -> list[DesignRow]:
    """Build and count every design over GF(2^45).

    Args:
        rows: (label, known gate equivalents, options).
        luts: map each with yosys too (seconds a row).
    """
    base = multiplier(polynomial=FIELD, sharing="tree").gates.equivalents
    table = []
    for label, known, options in rows:
        net = multiplier(polynomial=FIELD, **options)
        gates = net.gates
        mapped = lut_depth(net) if luts else None
        table.append(
            DesignRow(label, gates, net.depth, net.fast_depth, gates.equivalents / base - 1, known, mapped)
        )
    return table


def campaigns(
    rows: Iterable[tuple[str, dict]] = SURVIVORS,
    *,
    kinds: Iterable[str] = ("flip", "stuck-at-0", "stuck-at-1"),
    products: int = 1024,
    seed: int = 0,
) -> list[CampaignRow]:
    """Every single gate fault of every design, on the same random products."""
    found = []
    for label, options in rows:
        net = multiplier(polynomial=FIELD, **options)
        for kind in kinds:
            found.append(
                CampaignRow(label, kind, net.gates, net.campaign(kind, products=products, seed=seed))
            )
    return found


def draw_campaigns(path: str | Path, rows: list[CampaignRow]) -> Path:
    """Fractions of flips masked, corrected, detected and silent, beside the area; returns the path."""
    from lampyris.plots import pyplot, save_figure

    plt = pyplot()

    flips = [row for row in rows if row.kind == "flip"]
    names = [row.label for row in flips]
    figure, (bars, area) = plt.subplots(
        1, 2, figsize=(11, 0.36 * len(flips) + 1.4), width_ratios=(3, 1), sharey=True
    )
    left = [0.0] * len(flips)
    for outcome, color in (
        ("masked", "#b8c4cc"),
        ("corrected", "#4c9f70"),
        ("detected", "#e0a83c"),
        ("silent", "#c0392b"),
    ):
        width = [row.campaign.fraction(outcome) for row in flips]
        bars.barh(names, width, left=left, color=color, label=outcome, height=0.7)
        left = [a + b for a, b in zip(left, width, strict=True)]
    bars.set_xlim(0, 1)
    bars.invert_yaxis()
    bars.set_xlabel("part of all products, one gate flipped")
    bars.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    area.barh(names, [row.gates.equivalents / 1000 for row in flips], color="#5b7083", height=0.7)
    area.set_xlabel("1000 gate equivalents")
    return save_figure(figure, path)

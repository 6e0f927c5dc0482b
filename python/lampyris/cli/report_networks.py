"""``lampyris report networks``: the FireFly paper's networks, our cycles beside its frame rates."""

from __future__ import annotations


def command(out: str | None = None) -> int:
    """Print frames/s of SCNN-5, 7, 11 and 9 from the structure of the machine, beside the published ones.

    Args:
        out: JSON file with every figure; nothing is written when left out.
    """
    import json

    from rich.table import Table

    from lampyris.console import console
    from lampyris.files import atomic_write
    from lampyris.firefly import resources
    from lampyris.firefly.networks import PUBLISHED, megaflops
    from lampyris.report.networks import network_builds, network_json, network_rows

    builds = network_builds()
    rows = network_rows(builds)
    screen = console()
    table = Table(
        title="frames/s at 300 MHz, T = 4, by structure, never fitted (use of the array)",
        title_justify="left",
    )
    table.add_column("network")
    table.add_column("MFLOP (paper)", justify="right")
    table.add_column("paper, P 16", justify="right")
    for name in builds:
        table.add_column(name.replace(" bus", ""), justify="right")
    for network in PUBLISHED:
        cells = [
            f"{row.frames_per_second:,.0f} ({row.utilisation:.0%})"
            for row in rows
            if row.network == network.name
        ]
        ours = megaflops(network.text, network.channels)
        table.add_row(
            network.name, f"{ours:.2f} ({network.mflop})", f"{network.frames_per_second:,.0f}", *cells
        )
    screen.print(table)
    first = next(iter(builds))
    for network in PUBLISHED:
        row = next(r for r in rows if r.network == network.name and r.build == first)
        published = 1e3 * builds[first].watts / network.frames_per_second
        parts = [
            f"{network.name}: {network.text}",
            f"{row.gops:.0f} GOP/s, {row.megabytes:.1f} MB moved, waits most for {row.largest_stall}",
            f"{row.millijoules:.2f} mJ a frame at the published 2.55 W (paper {published:.2f})",
            *([network.note] if network.note else []),
            *([f"beyond the released limits: {'; '.join(row.limits)}"] if row.limits else []),
        ]
        screen.print("; ".join(parts), highlight=False, soft_wrap=True)
    screen.print(
        "The first layer runs on the host. The published rates are a flat 80 % of the peak for all four; "
        "the released parameter bus (64 bits at P = 16, 128 at P = 32) does not carry the weights that fast.",
        highlight=False,
        soft_wrap=True,
    )
    for preset in ("ultra96", "zcu104", "kv260"):
        screen.print("\n".join(str(resources(preset)).splitlines()[-3:]), highlight=False, soft_wrap=True)
    if out is not None:
        atomic_write(out, json.dumps(network_json(rows), indent=1) + "\n")
        screen.print(f"wrote {out}")
    return 0

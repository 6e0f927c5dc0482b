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
    from lampyris.firefly import PRESETS, resources
    from lampyris.firefly.networks import PUBLISHED
    from lampyris.report.networks import network_builds, network_json, network_lines, network_rows

    builds = network_builds()
    rows = network_rows(builds)
    screen = console()
    table = Table(
        title="frames/s at 300 MHz, T = 4, by structure, never fitted; P and bits of the parameter bus",
        title_justify="left",
    )
    table.add_column("network")
    table.add_column("MFLOP", justify="right")
    table.add_column("paper, P16", justify="right")
    for name in builds:
        table.add_column(name.replace("P ", "P").replace("-bit bus", "b"), justify="right")
    for network in PUBLISHED:
        own = [row for row in rows if row.network == network.name]
        cells = [f"{row.frames_per_second:,.0f}{'*' * bool(row.limits)}" for row in own]
        table.add_row(network.name, str(network.mflop), f"{network.frames_per_second:,.0f}", *cells)
    screen.print(table)
    for line in network_lines(rows, builds):
        screen.print(line, highlight=False, soft_wrap=True)
    for preset in PRESETS:
        lines = str(resources(preset)).splitlines()[-3:]
        screen.print("; ".join(lines), highlight=False, soft_wrap=True)
    if out is not None:
        atomic_write(out, json.dumps(network_json(rows), indent=1) + "\n")
        screen.print(f"wrote {out}")
    return 0

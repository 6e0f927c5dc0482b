"""The FireFly paper's table of networks: our cycles beside the published frame rates, never fitted."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lampyris.firefly.config import Config
from lampyris.firefly.networks import PUBLISHED, PublishedNetwork, megaflops, time_network

__all__ = ["NetworkRow", "network_builds", "network_json", "network_lines", "network_rows"]

TIME_STEPS = 4


@dataclass(frozen=True)
class NetworkRow:
    """One network on one build. ``limits`` are those of the build that the network breaks: its cycles
    count all the same. ``millijoules`` per frame come from the published power, 0 where none is."""

    network: str
    build: str
    weight_bus_bits: int
    cycles: int
    frames_per_second: float
    utilisation: float
    gops: float
    megabytes: float
    largest_stall: str
    millijoules: float
    limits: list[str]
    deep_fifo_frames_per_second: float  # with a weight FIFO that holds every layer's weights


def network_builds() -> dict[str, Config]:
    """The released builds for P = 16 and 32, each also with a wider bus and the paper's skid registers."""
    builds = {}
    for preset in ("ultra96", "zcu104"):
        released = Config.preset_of(preset)
        bits = released.weight_bus_bytes * 8
        wide = released.change(weight_bus_bytes=2 * released.weight_bus_bytes)
        title = f"P {released.parallelism}"
        builds[f"{title}, {bits}-bit bus"] = released
        builds[f"{title}, {2 * bits}-bit bus"] = wide
        builds[f"{title}, {2 * bits}-bit bus, skid"] = wide.change(reload="skid")
    return builds


def _row(network: PublishedNetwork, name: str, config: Config) -> NetworkRow:
    table, limits = time_network(network.text, network.channels, config, TIME_STEPS)
    deep, _ = time_network(network.text, network.channels, config.change(weight_depth=1 << 16), TIME_STEPS)
    stalls = {cause: count for cause, count in table.total.items() if cause.startswith("stall_")}
    worst = max(stalls, key=stalls.get)
    share = stalls[worst] / table.total["total"]
    return NetworkRow(
        network.name,
        name,
        config.weight_bus_bytes * 8,
        table.total["total"],
        table.frames_per_second,
        table.utilisation,
        table.operations_per_second / 1e9,
        table.total["bytes"] / 1e6,
        f"{worst.removeprefix('stall_')} {share:.0%}" if share else "none",
        1e3 * table.watts / table.frames_per_second,
        limits,
        deep.frames_per_second,
    )


def network_rows(builds: dict[str, Config] | None = None) -> list[NetworkRow]:
    """Every published network on every build.

    Example:
        >>> rows = network_rows({"P 16": Config.preset_of("ultra96")})
        >>> [row.network for row in rows]
        ['SCNN-5', 'SCNN-7', 'SCNN-11', 'SCNN-9']
    """
    builds = builds or network_builds()
    return [_row(network, name, config) for network in PUBLISHED for name, config in builds.items()]


def network_json(rows: list[NetworkRow]) -> dict:
    """Rows and what the paper says, for a file."""
    published = [
        asdict(network) | {"our_mflop": megaflops(network.text, network.channels)} for network in PUBLISHED
    ]
    return {"time_steps": TIME_STEPS, "published": published, "rows": [asdict(row) for row in rows]}


def network_lines(rows: list[NetworkRow], builds: dict[str, Config]) -> list[str]:
    """What the table does not say, a line a network, for the first build."""
    first = next(iter(builds))
    lines = []
    for network in PUBLISHED:
        row = next(r for r in rows if r.network == network.name and r.build == first)
        published = 1e3 * builds[first].watts / network.frames_per_second
        parts = [
            f"{network.name} on {first}: {network.text}",
            f"{megaflops(network.text, network.channels):.2f} MFLOP",
            f"{row.gops:.0f} GOP/s ({row.utilisation:.0%} of the array), {row.megabytes:.1f} MB moved, "
            f"waits most for {row.largest_stall}",
            f"{row.millijoules:.2f} mJ a frame at the published 2.55 W (paper {published:.2f})",
        ]
        if network.note:
            parts.append(network.note)
        if row.limits:
            parts.append(f"* beyond the released limits: {', '.join(row.limits)}")
        if row.deep_fifo_frames_per_second != row.frames_per_second:
            parts.append(
                f"{row.deep_fifo_frames_per_second:,.0f}/s with a weight FIFO that holds every layer"
            )
        lines.append("; ".join(parts))
    lines.append(
        "The first layer runs on the host. The published rates are a flat 80 % of the peak for all four; "
        "the released parameter bus (64 bits at P = 16, 128 at P = 32) does not carry the weights that fast."
    )
    return lines

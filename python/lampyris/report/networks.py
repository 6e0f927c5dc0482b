"""The FireFly paper's table of networks: our cycles beside the published frame rates, never fitted."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lampyris.firefly.config import Config
from lampyris.firefly.networks import PUBLISHED, PublishedNetwork, megaflops, time_network

__all__ = ["NetworkRow", "network_builds", "network_rows"]

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

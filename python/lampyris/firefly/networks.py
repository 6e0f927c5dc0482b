"""The networks of the FireFly paper, timed by their shapes, beside the published frame rates."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lampyris.firefly.config import Config
from lampyris.firefly.timing import LayerTiming, Timing

__all__ = ["PUBLISHED", "PublishedNetwork", "time_network"]


@dataclass(frozen=True)
class PublishedNetwork:
    """One row of the paper's Table III (xczu3eg, P = 16, T = 4, 2.55 W).

    ``text`` is the structure in the paper's notation. The table abbreviates the last two; they are
    completed so that ``mflop`` (2 per multiply-accumulate, T ignored) comes out, see ``note``."""

    name: str
    data: str
    channels: int
    text: str
    accuracy: str
    mflop: float
    frames_per_second: float
    note: str = ""


PUBLISHED = (
    PublishedNetwork(
        "SCNN-5", "MNIST", 1, "28x28-16c3-64c3-p2-128c3-p2-256c3-256c3-10", "98.12", 130.53, 2036
    ),
    PublishedNetwork(
        "SCNN-7",
        "CIFAR-10",
        3,
        "32x32-16c3-64c3-p2-128c3-128c3-p2-256c3-256c3-p2-512c3-10",
        "91.36",
        284.16,
        966,
    ),
    PublishedNetwork(
        "SCNN-11",
        "CIFAR-100",
        3,
        "32x32-16c3-64c3-p2-128c3-128c3-128c3-p2-256c3-256c3-256c3-p2-512c3-512c3-512c3-100",
        "64.28",
        586.14,
        470,
        "structure completed by us; with 10 classes it has 586.15 MFLOP",
    ),
    PublishedNetwork(
        "SCNN-9",
        "DVS-CIFAR10 / DVS-Gesture",
        2,
        "48x48-16c3-64c3-p2-128c3-128c3-128c3-p2-256c3-256c3-p2-512c3-512c3-10",
        "72.4 / 89.29",
        978.43,
        282,
        "structure completed by us",
    ),
)
_Shape = tuple[bool, bool, int, int, int, int]


def _shapes(text: str, channels: int) -> list[_Shape]:
    """(linear, pool, in channels, out channels, height, width) of each layer."""
    first, *parts = text.split("-")
    height, width = map(int, first.split("x"))
    shapes: list[_Shape] = []
    for part in parts:
        if part == "p2":
            shapes[-1] = (False, True, *shapes[-1][2:])
            height, width = height // 2, width // 2
        elif match := re.fullmatch(r"(\d+)c3", part):
            shapes.append((False, False, channels, int(match[1]), height, width))
            channels = int(match[1])
        elif part.isdigit():
            shapes.append((True, False, channels, int(part), height, width))
        else:
            raise ValueError(f"network: parts must be NcN, p2 or a number of classes, got {part!r}")
    return shapes


def megaflops(text: str, channels: int) -> float:
    """Operations of one pass in millions, 2 per multiply-accumulate, the first layer included.

    Example:
        >>> round(megaflops(PUBLISHED[1].text, 3), 2)
        284.16
    """
    taps = [out * c * h * w * (1 if linear else 9) for linear, _, c, out, h, w in _shapes(text, channels)]
    return 2 * sum(taps) / 1e6


def time_network(text: str, channels: int, config: Config, time_steps: int = 4) -> tuple[Timing, list[str]]:
    """Cycles of a chain behind its host-side first layer, and the limits of the build that it breaks.

    Args:
        text: "HxW-16c3-64c3-p2-...-10" as the paper writes it.
        channels: of the input image.
        config: the build.
        time_steps: T.

    Raises:
        ValueError: a part that is none of these.

    Example:
        >>> table, limits = time_network("8x8-16c3-32c3-p2-10", 3, Config.preset_of("ultra96"))
        >>> [layer.name for layer in table.layers], limits
        (['32c3', '10'], [])
    """
    from lampyris import _native

    shapes = _shapes(text, channels)[1:]
    names = [part for part in text.split("-")[1:] if part != "p2"][1:]
    table, limits = _native.firefly.time_shapes(shapes, time_steps, config.to_json())
    layers = [
        LayerTiming(**(row | {"name": name})) for name, row in zip(names, table.pop("layers"), strict=True)
    ]
    broken = [f"{name}: {limit}" for name, limit in zip(names, limits, strict=True) if limit]
    return Timing(layers=layers, **table), broken

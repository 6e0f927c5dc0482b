"""What a simulated image computed, printed: firing rates, cycles, strongest outputs. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["print_results"]

BOX_OUTPUTS = 4
STRONGEST = 5


def print_results(image: Any, results: Sequence[Any], preset: str | None = None) -> np.ndarray:
    """Print a summary of the device's results, one per input; returns the read-out, float64 [B, C, H, W].

    Of a network with several scales every output is printed, and the first one's read-out is returned.
    """
    from rich.table import Table

    from lampyris import firefly
    from lampyris.console import console

    screen = console()
    table = Table("spikes", "shape", "rate", title=f"{image.plan['target']}, {len(results)} inputs")
    for name in [key for key in results[0].spikes if isinstance(key, str)]:
        rate = float(np.mean([result.spikes[name].mean() for result in results]))
        table.add_row(name, " x ".join(map(str, results[0].spikes[name].shape)), f"{rate:.3f}")
    screen.print(table)
    outputs = [image.plan["host_output"], *image.plan.get("further_outputs", [])]
    read = [np.stack([result.readout(output["name"]) for result in results]) for output in outputs]
    for output, maps in zip(outputs, read, strict=True):
        names = output["class_names"] or [str(i) for i in range(maps.shape[1] - BOX_OUTPUTS)]
        at = f" {output['name']}" if len(outputs) > 1 else ""
        for number, one in enumerate(maps):
            screen.print(f"input {number}{at}: {_strongest(one, names)}", highlight=False)
            if len(outputs) == 1 and "host_stem" in image.plan and len(one) == BOX_OUTPUTS + len(names):
                stride = image.plan["host_stem"]["in_height"] // one.shape[1]
                screen.print(f"input {number}: {_boxes(one, names, stride)}", highlight=False)
    timing = firefly.timing(image, preset or image.plan["preset"])
    cycles = [result.cycles for result in results]
    screen.print(
        f"{int(np.mean(cycles))} cycles an input; {timing.frames_per_second:.0f} frames/s on {timing.preset}",
        highlight=False,
    )
    return read[0]


def _boxes(maps: np.ndarray, names: Sequence[str], stride: int) -> str:
    """The best boxes after non-maximum suppression, in pixels."""
    from lampyris import firefly

    found = firefly.find_boxes(maps, stride=stride)
    best = zip(found.labels[:STRONGEST], found.scores, found.boxes, strict=False)
    shown = [
        f"{names[label]} {score:.2f} \\[{', '.join(f'{side:.0f}' for side in box)}]"
        for label, score, box in best
    ]
    return f"{len(found)} boxes" + (f": {', '.join(shown)}" if shown else "")


def _strongest(maps: np.ndarray, names: Sequence[str]) -> str:
    """The cells with the highest class scores of a detection map [4 + classes, H, W]."""
    logits = maps[BOX_OUTPUTS:] if len(maps) == BOX_OUTPUTS + len(names) else maps
    order = np.argsort(-logits, axis=None, kind="stable")[:STRONGEST]
    found = []
    for label, y, x in zip(*np.unravel_index(order, logits.shape), strict=True):
        score = 1.0 / (1.0 + np.exp(-logits[label, y, x]))
        name = names[label] if len(names) == len(logits) else str(label)
        found.append(f"{name} {score:.2f} at cell ({y}, {x})")
    return ", ".join(found)

"""How good a network runs, as one figure in [0, 1]: for fault studies on the accelerator model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["agreement", "average_precision", "fault_quality"]

BOX_OUTPUTS = 4
Run = Callable[[np.ndarray], Any]


def fault_quality(image: Any, count: int, source: str | None = None) -> tuple[str, Callable[[Run], float]]:
    """The measure that fits an image.

    Args:
        image: a firefly image.
        count: test inputs.
        source: folder of a data set; None takes the generated one that fits.

    Returns:
        Its name, and a function of a function that runs one input: AP50 against labels for images with a
        detection head, else the agreement with the first call.

    Raises:
        ValueError: fewer than one input, or inputs of another shape than the image's.
    """
    if count < 1:
        raise ValueError(f"faults: images must be >= 1, got {count}")
    stem, head = image.plan.get("host_stem"), image.plan.get("host_output")
    if stem is None:
        return "outputs equal to the fault-free run", agreement(_noise(image, count))
    from lampyris.deploy.verify_inputs import labelled_inputs

    shape = tuple(stem[name] for name in ("in_channels", "in_height", "in_width"))
    frames, targets = labelled_inputs(shape, stem["in_steps"], count, source)
    detects = head is not None and len(head["step"]) == BOX_OUTPUTS + len(head["class_names"])
    if not detects or not targets:
        return "outputs equal to the fault-free run", agreement(frames)
    return "AP50", average_precision(frames, targets, head["name"])


def _noise(image: Any, count: int) -> list[np.ndarray]:
    """Random spikes or currents for an image without a host stem."""
    plan, rng = image.plan, np.random.default_rng(0)
    entry = next(m for m in plan["arena"]["maps"] if m["name"] == plan["input"])
    size = (entry["steps"], entry["channels"], entry["height"], entry["width"])
    if entry["kind"] == "spikes":
        return [rng.random(size) < 0.25 for _ in range(count)]
    return [rng.integers(-64, 64, size).astype(np.int16) for _ in range(count)]


def agreement(frames: list[np.ndarray]) -> Callable[[Run], float]:
    """Share of output places whose strongest channel is that of the first call, over all inputs."""
    first: list[np.ndarray] = []

    def quality(run: Run) -> float:
        found = [_strongest(run(frame)) for frame in frames]
        first.extend(found if not first else [])
        return float(np.mean([np.mean(a == b) for a, b in zip(first, found, strict=True)]))

    return quality


def _strongest(result: Any) -> np.ndarray:
    if result.classes is not None:
        return np.array([result.classes])
    maps = result.outputs or {key: result.spikes[key].sum(0) for key in result.spikes}
    return np.concatenate([np.argmax(maps[key], axis=0).ravel() for key in maps])


def average_precision(frames: list[np.ndarray], targets: list[Any], output: str) -> Callable[[Run], float]:
    """AP50 of a detection head against labels."""
    import torch

    from lampyris.tasks import detection

    def quality(run: Run) -> float:
        maps = np.stack([run(frame).readout(output) for frame in frames]).astype(np.float32)
        return float(detection.score(detection.predict(torch.from_numpy(maps)), targets)["ap50"])

    return quality

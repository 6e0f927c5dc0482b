"""What a step costs before a run is started: seconds, bytes, and the batch that fits."""

from __future__ import annotations

import contextlib
import copy
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

__all__ = ["StepCost", "fitting_batch", "free_memory", "measure_step"]

SHARE = 0.8
"""Of the free memory that a run may fill."""
LARGEST = 1024


@dataclass(frozen=True)
class StepCost:
    """One training step: samples, seconds of the second one, and most bytes above what was there before."""

    batch: int
    seconds: float
    peak_bytes: int


def free_memory(device: torch.device) -> int:
    """Bytes that may still be allocated on a device; on the host MemAvailable."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def measure_step(task: Any, batch: Any, repeats: int = 2) -> StepCost:
    """Cost of forward and backward of one batch. The task's weights, statistics and generator stay.

    Host memory is the high-water mark of the process (VmHWM, Linux); pages that the process has kept from
    earlier work (`lampyris.memory.reuse_pages`) are not counted again, so measure first.

    Args:
        task: a `DetectionTask`, on its device, in training mode.
        batch: (images, targets).
        repeats: steps; the fastest counts, the first one also warms up.
    """
    images, targets = batch
    device = next(task.parameters()).device
    images = images.to(device)
    state = copy.deepcopy(task.state_dict())
    generator = torch.get_rng_state()
    gradients = [p.grad for p in task.parameters()]
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    else:
        _reset_peak()
        before = _status("VmRSS:")
    seconds = []
    try:
        for _ in range(repeats):
            start = time.perf_counter()
            task.losses((images, targets))["loss"].backward()
            if cuda:
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
            for parameter in task.parameters():
                parameter.grad = None
    finally:
        for parameter, gradient in zip(task.parameters(), gradients, strict=True):
            parameter.grad = gradient
        task.load_state_dict(state)
        torch.set_rng_state(generator)
    peak = torch.cuda.max_memory_allocated(device) if cuda else _status("VmHWM:")
    return StepCost(len(targets), min(seconds), max(peak - before, 0))


def _reset_peak() -> None:
    with contextlib.suppress(OSError):  # man proc: resets VmHWM to VmRSS
        Path("/proc/self/clear_refs").write_text("5")


def fitting_batch(costs: list[StepCost], free_bytes: int, largest: int = LARGEST) -> int:
    """The largest batch whose step fits into 80 % of ``free_bytes``, memory taken as linear in the batch.

    Args:
        costs: of two batch sizes.
        free_bytes: what may be filled.
        largest: upper limit.

    Example:
        >>> costs = [StepCost(1, 0.1, 30_000_000), StepCost(3, 0.3, 70_000_000)]
        >>> fitting_batch(costs, 1_000_000_000)
        39
    """
    one, two = sorted(costs, key=lambda cost: cost.batch)[:2]
    slope = (two.peak_bytes - one.peak_bytes) / max(two.batch - one.batch, 1)
    slope = max(slope, two.peak_bytes / two.batch / 8, 1.0)  # pages kept by the process hide some of it
    base = max(one.peak_bytes - slope * one.batch, 0.0)
    return int(min(max((SHARE * free_bytes - base) // slope, 1), largest))

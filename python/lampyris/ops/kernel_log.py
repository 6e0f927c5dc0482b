"""Which kernels ran."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

__all__ = ["KernelRecord", "record_kernels"]


@dataclass(frozen=True)
class KernelRecord:
    """Calls of one operator that ran on one kernel.

    Args:
        operator: name of the operator, e.g. "spike_conv2d".
        kernel: name of the kernel, e.g. "event float32 avx512" or "onednn float32".
        density: mean share of ones among the spikes of these calls; None where none was measured.
        calls: how many.

    Example:
        >>> KernelRecord("spike_conv2d", "onednn float32", 0.6, 2).calls
        2
    """

    operator: str
    kernel: str
    density: float | None
    calls: int


@contextlib.contextmanager
def record_kernels() -> Iterator[list[KernelRecord]]:
    """Record which kernel each operator with a choice ran, and at which density of spikes.

    Covers every thread of the process while the context is open, backward passes included. Contexts
    may nest.

    Returns:
        Context manager; its list is filled on leaving, one :class:`KernelRecord` for every
        (operator, kernel), in the order of their first call.

    Raises:
        Nothing of its own.

    Example:
        >>> import torch
        >>> from lampyris import ops
        >>> with ops.record_kernels() as ran:
        ...     current = ops.spike_conv2d(torch.ones(1, 1, 3, 8, 8), torch.ones(4, 3, 3, 3), padding=1)
        >>> [(r.operator, r.density, r.calls) for r in ran]
        [('spike_conv2d', 1.0, 1)]
    """
    before = _parse(torch.ops.lampyris._start_kernel_log())
    ran: list[KernelRecord] = []
    try:
        yield ran
    finally:
        for key, (calls, measured, density) in _parse(torch.ops.lampyris._stop_kernel_log()).items():
            old_calls, old_measured, old_density = before.get(key, (0, 0, 0.0))
            if calls > old_calls:
                with_density = measured - old_measured
                mean = (density - old_density) / with_density if with_density else None
                ran.append(KernelRecord(*key, mean, calls - old_calls))


def _parse(text: str) -> dict[tuple[str, str], tuple[int, int, float]]:
    totals = {}
    for line in text.splitlines():
        op, kernel, calls, measured, density = line.split("\t")
        totals[op, kernel] = int(calls), int(measured), float(density)
    return totals

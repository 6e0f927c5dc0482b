"""Ours on one thread against ours on several: in wall time, and by the CPU time of the busiest thread.

On a machine with other work, wall time shows how long the last thread waited for a core. The CPU time of
the busiest thread is what the call would take on idle cores, if threads that wait do not spin:
``python -m benchmarks --threads`` sets OMP_WAIT_POLICY=passive.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.harness import Case

__all__ = ["Scaling", "measure_scaling"]

_BACK_TO_BACK = 5


@dataclass(frozen=True)
class Scaling:
    """Best times in milliseconds: of the wall and of the busiest thread; ratio = one / many of each.

    Best and not median: with two threads any other work on the machine lengthens a run. The quartiles
    are those of the wall ratios per round.
    """

    name: str
    one_ms: float
    threads: int
    many_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    one_busiest_ms: float
    many_busiest_ms: float
    busiest_ratio: float
    isa: str
    allocator: str


def _thread_seconds() -> dict[int, float]:
    """CPU time of every thread of the process; its clock is made from the number as in the kernel."""
    per_thread_cpu_clock = 6
    threads = (int(name) for name in os.listdir("/proc/self/task"))
    return {tid: time.clock_gettime((~tid << 3) | per_thread_cpu_clock) for tid in threads}


def _sample_ms(call: Callable[[], object]) -> tuple[float, float]:
    """Of a few calls in a row: the best wall time, and the mean CPU time of the busiest thread."""
    best = float("inf")
    before = _thread_seconds()
    for _ in range(_BACK_TO_BACK):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    after = _thread_seconds()
    busiest = max(seconds - before.get(tid, 0.0) for tid, seconds in after.items())
    return best * 1e3, busiest / _BACK_TO_BACK * 1e3


def measure_scaling(
    cases: Iterable[Case], threads: int, rounds: int = 7, keep_pages: bool = True
) -> list[Scaling]:
    """Every distinct ``ours`` among ``cases``, on one thread and on ``threads`` in turn."""
    import torch

    from lampyris import _library, memory

    if keep_pages:
        memory.reuse_pages()
    results = []
    for case in {case.name: case for case in cases}.values():
        one, many = [], []
        for k in range(rounds + 1):
            for count in (1, threads) if k % 2 else (threads, 1):
                torch.set_num_threads(count)
                (one if count == 1 else many).append(_sample_ms(case.ours))
        one, one_busiest = zip(*one[1:], strict=True)  # the first round warms up
        many, many_busiest = zip(*many[1:], strict=True)
        ratios = sorted(a / max(b, 1e-6) for a, b in zip(one, many, strict=True))
        results.append(
            Scaling(
                case.name,
                min(one),
                threads,
                min(many),
                min(one) / max(min(many), 1e-6),
                ratios[len(ratios) // 4],
                ratios[-1 - len(ratios) // 4],
                min(one_busiest),
                min(many_busiest),
                min(one_busiest) / max(min(many_busiest), 1e-6),
                _library.isa(),
                memory.allocator(),
            )
        )
    return results

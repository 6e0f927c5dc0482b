"""Ours on one thread against ours on several, in wall time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.harness import Case

__all__ = ["Scaling", "measure_scaling"]

_BACK_TO_BACK = 5


@dataclass(frozen=True)
class Scaling:
    """Best wall times; ratio = one / many of them, with the quartiles of the ratios per round.

    Best and not median: with two threads any other work on the machine lengthens a run.
    """

    name: str
    one_ms: float
    threads: int
    many_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    isa: str
    allocator: str


def _best_ms(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_BACK_TO_BACK):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


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
                (one if count == 1 else many).append(_best_ms(case.ours))
        one, many = one[1:], many[1:]  # the first round warms up
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
                _library.isa(),
                memory.allocator(),
            )
        )
    return results

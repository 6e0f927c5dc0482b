"""One cycle of the learning rate."""

from __future__ import annotations

import math

__all__ = ["one_cycle"]


def one_cycle(step: int, total: int, *, warmup: float, div: float, final_div: float) -> float:
    """Factor of the highest rate at ``step`` of ``total``.

    Cosine from 1 / div up to 1 during the first share ``warmup`` of the steps, cosine down to
    1 / (div * final_div) at the last step. Source: Smith and Topin 2017, as torch's OneCycleLR, but defined
    for any number of steps.

    Example:
        >>> [round(one_cycle(s, 11, warmup=2 / 11, div=10, final_div=100), 3) for s in (0, 2, 10)]
        [0.1, 1.0, 0.001]
    """
    peak, last = warmup * total, total - 1
    if step < peak:
        return _cosine(step / peak, 1 / div, 1.0)
    share = (step - peak) / (last - peak) if last > peak else 1.0
    return _cosine(min(max(share, 0.0), 1.0), 1.0, 1 / (div * final_div))


def _cosine(share: float, start: float, end: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

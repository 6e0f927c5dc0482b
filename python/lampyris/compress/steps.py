"""Integer steps of groups, stems and outputs (docs/contract.md section 2), in float64 as written there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["GroupStep", "group_step", "layer_shift", "reader_threshold", "stem_shift", "stem_theta"]

WEIGHT_LIMIT = 127
BIAS_LIMIT = 32767
FULL_SCALE = 127.5
"""Largest weight in steps: rint may give 128 at the tie, which clamps to 127."""
STREAM_LIMIT = 16383
"""Calibrated maxima use half of int16; unseen inputs have the other half."""
THETA_LIMIT = 2**17 - 1
MAX_SHIFT = 4
STEM_THETA = 256


@dataclass(frozen=True)
class GroupStep:
    """A group's integer threshold: the step is ``V_th / theta``.

    Attributes:
        theta: Theta_g.
        span: S, the largest left shift in the group.
        bound: which term of the minimum decided: "weights", "bias", "stream" or "limit".
    """

    theta: int
    span: int
    bound: str


def floor_log2(x: float) -> int:
    """floor(log2 x) of x > 0, from the binary exponent."""
    return math.frexp(x)[1] - 1


def group_step(
    v_th: float,
    maxima: Mapping[str, float],
    stem: float | None = None,
    bias: float = 0.0,
    stream: float = 0.0,
) -> GroupStep:
    """Theta and S of a group.

    Args:
        v_th: float threshold of its neurons (the smallest, if they differ).
        maxima: max|W_c| of each convolution that writes into the group, without the stem.
        stem: ``max|W| 2^-p`` of a stem in the group.
        bias: max|b| of these convolutions, without the stem.
        stream: max|x| over every X of the group.

    Returns:
        The step; theta may be below 1, which callers refuse.

    Example:
        >>> group_step(0.5, {"a": 0.25, "b": 2.0})
        GroupStep(theta=255, span=3, bound='weights')
    """
    used = [m for m in maxima.values() if m > 0]
    span = min(MAX_SHIFT, floor_log2(max(used) / min(used))) if len(used) > 1 else 0
    if stem and stem >= max(used, default=0.0):
        span = 0
    largest = max([*used, stem or 0.0])
    terms = [(THETA_LIMIT, "limit")]
    if stream > 0:
        terms.append((math.floor(STREAM_LIMIT * v_th / stream), "stream"))
    if bias > 0:
        terms.append((math.floor(BIAS_LIMIT * v_th / bias), "bias"))
    if largest > 0:
        terms.append((math.floor(2**span * FULL_SCALE * v_th / largest), "weights"))
    theta = min(theta for theta, _ in terms)
    bound = [name for value, name in terms if value == theta][-1]
    return GroupStep(theta, span, bound)


def layer_shift(maximum: float, theta: int, v_th: float, span: int) -> int:
    """s_c: the smallest s in 0..span with ``max|W_c| Theta / V_th <= 127.5 * 2^s``.

    Example:
        >>> layer_shift(2.0, 255, 0.5, 3)
        3
    """
    for shift in range(span):
        if maximum * theta / v_th <= FULL_SCALE * 2**shift:
            return shift
    return span


def stem_theta(v_th: float, stream: float, maximum: float, exponent: int) -> int:
    """Theta of a stem alone in its group: 256, halved until the calibrated stream fits and k >= 0.

    (Integer event counts, p = 0, have weights that would need k < 0 at 256.) 0 when no step fits.

    Example:
        >>> stem_theta(0.5, 20.0, 0.5, 8), stem_theta(0.5, 40.0, 0.5, 8), stem_theta(0.5, 1.0, 0.5, 0)
        (256, 128, 64)
    """
    theta = STEM_THETA
    while theta and (theta * stream > STREAM_LIMIT * v_th or stem_shift(maximum, theta, v_th, exponent) < 0):
        theta //= 2
    return theta


def stem_shift(maximum: float, theta: int, v_th: float, exponent: int) -> int:
    """k of the stem: ``floor(log2(127.5 (V_th / Theta) 2^p / max|W|))``; 0 for a stem of zeros, may be < 0.

    Example:
        >>> stem_shift(0.5, 256, 0.5, 8)
        6
    """
    if maximum == 0:
        return 0
    return floor_log2(FULL_SCALE * (v_th / theta) * 2.0**exponent / maximum)


def reader_threshold(reader: float, theta: int, v_th: float) -> int:
    """Threshold of a neuron with float threshold ``reader`` on a group's step: ``floor(V_r Theta / V_th)``.

    Example:
        >>> reader_threshold(1.0, 96, 0.5)
        192
    """
    return math.floor(Fraction(reader) * theta / Fraction(v_th))

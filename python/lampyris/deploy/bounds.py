"""Ranges proven from weights alone: what no input whatever can exceed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Range", "input_sums", "leaked", "membrane_range", "stream_range", "tile_sums"]

TILE_BITS_V1 = 16
MEMBRANE_BITS = 18
ACCUMULATOR_LIMIT = 2**24
PIXEL_MAX = 255


@dataclass(frozen=True)
class Range:
    """Per output channel: smallest and largest value, int64 [C] each."""

    low: np.ndarray
    high: np.ndarray

    def fits(self, bits: int) -> bool:
        """Whether every value fits a signed number of `bits`."""
        half = 1 << (bits - 1)
        return bool((self.low >= -half).all() and (self.high < half).all())

    def extremes(self) -> tuple[int, int]:
        """Smallest and largest value over all channels."""
        return int(self.low.min(initial=0)), int(self.high.max(initial=0))


def input_sums(weight: np.ndarray, largest: int = 1) -> Range:
    """Range of a convolution's sum for inputs in [0, largest]; weight [Co, Ci, kh, kw].

    Example:
        >>> input_sums(np.array([[[[3]], [[-5]]]], np.int8)).extremes()
        (-5, 3)
    """
    flat = weight.astype(np.int64).reshape(len(weight), -1) * largest
    return Range(np.minimum(flat, 0).sum(axis=1), np.maximum(flat, 0).sum(axis=1))


def tile_sums(weight: np.ndarray, parallelism: int) -> Range:
    """Range of the sum over one tile of `parallelism` input channels: the widest of each output channel."""
    parts = [input_sums(weight[:, i : i + parallelism]) for i in range(0, weight.shape[1], parallelism)]
    return Range(np.min([part.low for part in parts], axis=0), np.max([part.high for part in parts], axis=0))


def stream_range(weight: np.ndarray, bias: np.ndarray, shift: int) -> Range:
    """Range of a host stem's stream: sat16(shift_round(acc + b32, shift)) for any uint8 image."""
    sums, bias = input_sums(weight, PIXEL_MAX), bias.astype(np.int64)
    half = (1 << shift) >> 1
    low, high = ((side + bias + half) >> shift for side in (sums.low, sums.high))
    return Range(np.clip(low, -(2**15), 2**15 - 1), np.clip(high, -(2**15), 2**15 - 1))


def leaked(value: np.ndarray, leak: str) -> np.ndarray:
    """The membrane after the leak of `none` or `half_after`."""
    return value >> 1 if leak == "half_after" else value


def membrane_range(sums: Range, bias: np.ndarray, threshold: np.ndarray, leak: str, time_steps: int) -> Range:
    """Range of everything v1's unified partial-sum and membrane buffer holds over T steps.

    Tiles may come in any order: a partial sum lies between the membrane plus all negative and plus all
    positive contributions. After reset the membrane is at most max(Theta, 0).
    """
    bias, ceiling = bias.astype(np.int64), np.maximum(threshold.astype(np.int64), 0)
    low = high = np.zeros(len(bias), np.int64)
    lowest, highest = low, high
    for _ in range(time_steps):
        lowest = np.minimum(lowest, low + sums.low + np.minimum(bias, 0))
        highest = np.maximum(highest, high + sums.high + np.maximum(bias, 0))
        low = np.minimum(leaked(low + sums.low + bias, leak), 0)
        high = np.clip(leaked(high + sums.high + bias, leak), 0, ceiling)
    return Range(lowest, highest)

"""Exact integer building blocks of the numpy reference: sums of convolutions, shifts, saturation, copies.

Written from docs/contract.md alone. Sums run through BLAS: float32 when the weights prove every partial sum
below 2^24, else float64 (exact below 2^53).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

STREAM_LIMITS = (-(2**15), 2**15 - 1)
MEMBRANE_LIMITS = (-(2**17), 2**17 - 1)
FLOAT32_EXACT = 2**24
COLUMN_BYTES = 2**24  # working set of one unfolded chunk


def shift_round(x: np.ndarray, k: int) -> np.ndarray:
    """(x + 2^(k-1)) >> k, identity for k = 0 (contract section 1)."""
    return x if k == 0 else (x + (1 << (k - 1))) >> k


def saturate(x: np.ndarray, limits: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Clamp `x` to `limits`; returns the clamped values and how many elements changed."""
    low, high = limits
    changed = int(np.count_nonzero((x < low) | (x > high)))
    return (np.clip(x, low, high) if changed else x), changed


def wrap(x: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement reduction of `x` modulo 2^bits."""
    half = 1 << (bits - 1)
    return ((x + half) & ((1 << bits) - 1)) - half


def convolution(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Exact zero-padded cross-correlation.

    x: [N, Ci, H, W] bool or uint8; weight: int8 [Co, Ci, kh, kw]. Returns int32 [N, Co, Ho, Wo].
    """
    count, channels, height, width = x.shape
    outputs, _, kernel_h, kernel_w = weight.shape
    largest = 1 if x.dtype == bool else 255
    bound = int(np.abs(weight.astype(np.int64)).reshape(outputs, -1).sum(axis=1).max(initial=0)) * largest
    assert bound < 2**31, f"integer: a sum may reach {bound}, beyond int32"
    dtype = np.float32 if bound < FLOAT32_EXACT else np.float64
    out_h = (height + 2 * padding - kernel_h) // stride + 1
    out_w = (width + 2 * padding - kernel_w) // stride + 1
    matrix = weight.reshape(outputs, -1).astype(dtype)
    result = np.empty((count, outputs, out_h, out_w), np.int32)
    per_image = channels * kernel_h * kernel_w * out_h * out_w * matrix.itemsize
    chunk = max(1, COLUMN_BYTES // max(1, per_image))
    for start in range(0, count, chunk):
        part = x[start : start + chunk]
        padded = np.zeros((len(part), channels, height + 2 * padding, width + 2 * padding), dtype)
        padded[:, :, padding : padding + height, padding : padding + width] = part
        windows = sliding_window_view(padded, (kernel_h, kernel_w), axis=(2, 3))[:, :, ::stride, ::stride]
        columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(len(part), -1, out_h * out_w)
        result[start : start + chunk] = (matrix @ columns).reshape(len(part), outputs, out_h, out_w)
    return result


def max_pool(x: np.ndarray) -> np.ndarray:
    """2 x 2 maximum with stride 2 over the last two axes (even sizes); OR for bool."""
    top = np.maximum(x[..., 0::2, 0::2], x[..., 0::2, 1::2])
    bottom = np.maximum(x[..., 1::2, 0::2], x[..., 1::2, 1::2])
    return np.maximum(top, bottom)


def upsample(x: np.ndarray) -> np.ndarray:
    """Nearest up-sampling by 2 over the last two axes."""
    return x.repeat(2, axis=-2).repeat(2, axis=-1)


def concatenate(parts: list[np.ndarray]) -> np.ndarray:
    """Channels of [T|1, B, C, H, W] arrays side by side; a single step repeats where another part has T."""
    steps = max(part.shape[0] for part in parts)
    return np.concatenate([np.broadcast_to(part, (steps, *part.shape[1:])) for part in parts], axis=2)

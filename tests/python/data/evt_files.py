"""Encoders of raw recordings, word by word and plain: the twins of the C++ decoders."""

from __future__ import annotations

import numpy as np


def encode(version: int, t, x, y, polarity, size: tuple[int, int]) -> bytes:
    """A whole EVT2 or EVT3 file of events sorted by time; size: height, width."""
    header = f"% date 2024-01-01\n% evt {version}.0\n% format EVT{version};height={size[0]};width={size[1]}\n"
    words = (evt2 if version == 2 else evt3)(t, x, y, polarity)
    return (header + "% end\n").encode() + words.tobytes()


def evt2(t, x, y, polarity) -> np.ndarray:
    words, high = [], None
    for time, column, row, bright in zip(*(np.asarray(c).tolist() for c in (t, x, y, polarity)), strict=True):
        if time >> 6 != high:
            high = time >> 6
            words.append(0x8 << 28 | high & 0xFFFFFFF)
        words.append(bright << 28 | (time & 0x3F) << 22 | column << 11 | row)
    return np.array(words, "<u4")


def evt3(t, x, y, polarity) -> np.ndarray:
    words, high, low, row_now = [], None, 0, None
    for time, column, row, bright in zip(*(np.asarray(c).tolist() for c in (t, x, y, polarity)), strict=True):
        if time >> 12 != high:
            high, low = time >> 12, 0
            words.append(0x8000 | high & 0xFFF)
        if time & 0xFFF != low:
            low = time & 0xFFF
            words.append(0x6000 | low)
        if row != row_now:
            row_now = row
            words.append(row)
        words.append(0x2000 | bright << 11 | column)
    return np.array(words, "<u2")

"""CRC-32C: the C++ code (instruction or table) and the numpy twin against published values."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from lampyris import _native
from lampyris.firefly.crc32c import crc32c

# RFC 3720, appendix B.4, and the check value of the catalogue of parametrised CRCs.
KNOWN = [
    (b"", 0x00000000),
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
]


@pytest.mark.parametrize("checksum", [crc32c, _native.io.crc32c])
@pytest.mark.parametrize(("data", "expected"), KNOWN)
def test_published_values(checksum, data, expected):
    assert checksum(data) == expected


def _bit_by_bit(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 64, 511, 513, 4103, 16383, 16384, 16385, 17000])
def test_lengths_and_alignment(length):
    data = np.random.default_rng(length).integers(0, 256, length + 3, dtype=np.uint8).tobytes()
    for start in range(4 if length < 1000 else 1):
        view = memoryview(data)[start : start + length]
        expected = _bit_by_bit(view)
        assert crc32c(view) == expected
        assert _native.io.crc32c(view) == expected


def test_continued_in_parts():
    data = np.random.default_rng(1).integers(0, 256, 1000, dtype=np.uint8).tobytes()
    for cut in (0, 1, 8, 500, 999, 1000):
        assert _native.io.crc32c(data[cut:], _native.io.crc32c(data[:cut])) == _native.io.crc32c(data)


def test_takes_any_contiguous_buffer():
    array = np.arange(24, dtype=np.uint8)
    with mmap.mmap(-1, 24) as mapped:
        mapped[:] = array.tobytes()
        values = {_native.io.crc32c(x) for x in (array, array.tobytes(), bytearray(array), mapped)}
    assert values == {crc32c(array)}
    with pytest.raises((BufferError, ValueError)):
        _native.io.crc32c(array[::2])

"""CRC-32C (Castagnoli) in numpy, written from the polynomial: the twin of csrc/io/crc32c.cpp."""

from __future__ import annotations

import numpy as np

__all__ = ["crc32c", "crc32c_eights", "crc32c_sections"]

_POLYNOMIAL = 0x82F63B78  # x^32 + x^28 + x^27 + ... + 1, bits reflected
_COLUMNS = 512  # bytes that each lane walks through; lanes run side by side
_FEW_LANES = 32  # fewer than this many lanes are faster byte by byte
_MASK = 0xFFFFFFFF


def _byte_table() -> np.ndarray:
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = (crc >> 1) ^ np.where(crc & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return crc


_TABLE = _byte_table()
_BYTES = [int(entry) for entry in _TABLE]


def _jump_tables(zeros: int) -> list[list[int]]:
    """What each byte of the register becomes after ``zeros`` zero bytes."""
    tables = []
    for shift in (0, 8, 16, 24):
        crc = np.arange(256, dtype=np.uint32) << np.uint32(shift)
        for _ in range(zeros):
            crc = (crc >> 8) ^ _TABLE[crc & 255]
        tables.append([int(entry) for entry in crc])
    return tables


_JUMP = _jump_tables(_COLUMNS)


def _jump(crc: int) -> int:
    return _JUMP[0][crc & 255] ^ _JUMP[1][crc >> 8 & 255] ^ _JUMP[2][crc >> 16 & 255] ^ _JUMP[3][crc >> 24]


def _lanes(values: np.ndarray) -> np.ndarray:
    """Registers of the whole lanes of uint8 [n], each from zero: uint32 [n // 512]."""
    lanes = len(values) // _COLUMNS
    columns = np.ascontiguousarray(values[: lanes * _COLUMNS].reshape(lanes, _COLUMNS).T)
    state = np.zeros(lanes, dtype=np.uint32)
    for column in columns:
        state = (state >> 8) ^ _TABLE[(state & 255) ^ column]
    return state


def crc32c_eights(values: np.ndarray) -> np.ndarray:
    """CRC-32C of each int64 as 8 bytes, little-endian: uint32 [n].

    Example:
        >>> hex(crc32c_eights(np.array([1]))[0]) == hex(crc32c(b"\\x01" + bytes(7)))
        True
    """
    state = np.full(len(values), _MASK, np.uint32)
    for column in values.astype("<i8").view(np.uint8).reshape(-1, 8).T:
        state = (state >> 8) ^ _TABLE[(state & 255) ^ column]
    return state ^ np.uint32(_MASK)


def crc32c_sections(data: np.ndarray, size: int, previous: np.ndarray) -> np.ndarray:
    """CRC-32C of each part of ``size`` bytes, the last one shorter.

    Args:
        data: uint8 [n].
        size: a multiple of 512.
        previous: uint32 [sections], checksum of the bytes before each part.

    Returns:
        uint32 [sections].

    Example:
        >>> parts = crc32c_sections(np.arange(600).astype(np.uint8), 512, np.zeros(2, np.uint32))
        >>> [int(part) for part in parts] == [crc32c(bytes(range(256)) * 2), crc32c(bytes(range(88)))]
        True
    """
    whole = len(data) // size
    sums = []
    if whole * (size // _COLUMNS) >= _FEW_LANES:
        state = previous[:whole] ^ np.uint32(_MASK)
        tables = np.array(_JUMP, np.uint32)
        for lane in _lanes(data[: whole * size]).reshape(whole, -1).T:
            parts = (tables[i][state >> np.uint32(8 * i) & np.uint32(255)] for i in range(4))
            state = np.bitwise_xor.reduce(list(parts)) ^ lane
        sums = (state ^ np.uint32(_MASK)).tolist()
    for i in range(len(sums), len(previous)):
        sums.append(crc32c(data[i * size : (i + 1) * size], int(previous[i])))
    return np.array(sums, np.uint32)


def crc32c(data: bytes | memoryview | np.ndarray, previous: int = 0) -> int:
    """CRC-32C of bytes, as in RFC 3720 appendix B.4.

    The register is linear over GF(2): the input is cut into lanes of 512 bytes, all lanes advance
    together, and their registers are joined through the effect of 512 zero bytes.

    Args:
        data: any contiguous buffer.
        previous: checksum of the bytes before them.

    Returns:
        The checksum, 0 to 2^32 - 1.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    values = np.frombuffer(data, dtype=np.uint8)
    lanes = len(values) // _COLUMNS
    crc = previous ^ _MASK
    if lanes < _FEW_LANES:
        lanes = 0
    else:
        for lane in _lanes(values).tolist():
            crc = _jump(crc) ^ lane
    for byte in values[lanes * _COLUMNS :].tolist():
        crc = (crc >> 8) ^ _BYTES[(crc ^ byte) & 255]
    return crc ^ _MASK

"""BchCode in Python: what it returns, its examples, and its refusals."""

from __future__ import annotations

import doctest
import re

import numpy as np
import pytest

from lampyris import ecc
from lampyris.ecc import bch


def test_examples():
    assert doctest.testmod(bch).failed == 0


def test_decode_leaves_what_it_is_given_and_says_what_it_did():
    code = ecc.BchCode(data_bits=45, t=3, extended=True)
    data = np.frombuffer(b"firef\x01", np.uint8)
    parity = code.encode(data)
    assert code.decode(data, parity).status == "clean"
    broken, wrong = data.copy(), parity.copy()
    broken[1] ^= 0x10
    wrong[2] ^= 0x04  # the overall parity bit
    kept = broken.copy(), wrong.copy()
    for finder in ecc.ROOT_FINDERS:
        result = code.decode(broken, wrong, root_finder=finder)
        assert (result.status, result.count, result.positions) == ("corrected", 2, [18 + 12, 63])
        assert (result.data == data).all() and (result.parity == parity).all()
        assert (broken == kept[0]).all() and (wrong == kept[1]).all()
    broken[3] ^= 0x21  # two more: four errors, one above t
    result = code.decode(broken, wrong)
    assert (result.status, result.count, result.positions) == ("uncorrectable", 0, [])
    assert (result.data == broken).all() and (result.parity == wrong).all()


def test_pages():
    code = ecc.BchCode(data_bits=2048, t=5, extended=True)
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, 100 * 256, dtype=np.uint8)
    words = code.encode_pages(data)
    for page in (0, 57, 99):
        parity = code.encode(data[page * 256 : (page + 1) * 256])
        assert int.from_bytes(parity.tobytes(), "little") == words[page]
    broken, wrong = data.copy(), words.copy()
    broken[7 * 256 : 7 * 256 + 5] ^= 0x80
    broken[8 * 256 : 8 * 256 + 6] ^= 0x80  # one more than t
    wrong[9] ^= 1 << 60
    assert code.check_pages(broken, wrong).tolist() == [7, 8, 9]
    fixed, fixed_words, counts = code.decode_pages(broken, wrong)
    assert counts[[6, 7, 8, 9]].tolist() == [0, 5, -1, 1]
    assert (fixed_words == words).all()
    assert code.check_pages(fixed, fixed_words).tolist() == [8]
    assert (np.flatnonzero(fixed != data) == 8 * 256 + np.arange(6)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_bits": 0, "t": 1}, "data_bits must be >= 1, got 0"),
        ({"data_bits": 8, "t": 0}, "t must be >= 1, got 0"),
        ({"data_bits": 8, "t": 1, "m": 2}, "m must be 3..16, got 2"),
        ({"data_bits": 8, "t": 1, "m": 17}, "m must be 3..16, got 17"),
        ({"data_bits": 8, "t": 9, "m": 4}, "t must be 1..7 for m = 4, got 9"),
        (
            {"data_bits": 46, "t": 3, "m": 6},
            "data_bits must be 1..45 for m = 6, t = 3 (18 parity bits), got 46",
        ),
        ({"data_bits": 65535, "t": 1}, "data_bits and parity must fit 2^16 - 1 bits"),
        ({"data_bits": 8, "t": 1, "primitive": 0x1F}, "primitive must be a primitive polynomial of degree 4"),
        ({"data_bits": 8, "t": 1, "primitive": 0x12}, "primitive must be a primitive polynomial of degree 4"),
        ({"data_bits": 8, "t": 1, "m": 5, "primitive": 0x13}, "primitive polynomial of degree 5, got 0x13"),
        ({"data_bits": 8, "t": 1, "primitive": 0}, "primitive must be a primitive polynomial, got 0x0"),
    ],
)
def test_impossible_parameters(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ecc.BchCode(**arguments)


def test_bad_words():
    code = ecc.BchCode(data_bits=45, t=3)
    parity = code.encode(bytes(6))
    with pytest.raises(ValueError, match=re.escape("encode: data must have 6 bytes (45 bits), got 5")):
        code.encode(bytes(5))
    with pytest.raises(ValueError, match=re.escape("data must have zeros in the last 3 bits, got 0x20")):
        code.encode(b"\0\0\0\0\0\x20")
    with pytest.raises(ValueError, match=re.escape("decode: parity must have 3 bytes (18 bits), got 2")):
        code.decode(bytes(6), parity[:2])
    with pytest.raises(ValueError, match=re.escape("parity must have zeros in the last 6 bits, got 0x4")):
        code.decode(bytes(6), b"\0\0\x04")
    with pytest.raises(ValueError, match="root_finder must be one of auto, chien"):
        code.decode(bytes(6), parity, root_finder="newton")
    with pytest.raises(
        ValueError, match=re.escape("encode: data: must be bytes or a contiguous uint8 array")
    ):
        code.encode(np.zeros(6, np.int32))
    with pytest.raises(ValueError, match="contiguous"):
        code.encode(np.zeros(12, np.uint8)[::2])
    with pytest.raises(ValueError, match="pages must have whole bytes"):
        code.encode_pages(bytes(6))
    paged = ecc.BchCode(data_bits=512, t=3)
    with pytest.raises(ValueError, match="data must have 64 bytes for each of 1 words, got 65"):
        paged.encode_pages(bytes(65))
    with pytest.raises(ValueError, match="word must have 30 bits, got 0x40000000"):
        paged.decode_pages(bytes(64), np.array([1 << 30], np.uint64))

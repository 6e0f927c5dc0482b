"""Published codes: generator polynomials and known answers, each in the bit order of its standard."""

from __future__ import annotations

import numpy as np
import pytest

from lampyris import ecc

# n, k, t, generator in octal. T: also in the octal table of "Signal Processing for Wireless
# Communications", L: as recalled from Lin and Costello; the others by construction.
OCTAL = """
7,4,1,13 15,11,1,23 15,7,2,721 15,5,3,2467 31,26,1,45 31,21,2,3551 31,16,3,107657 31,11,5,5423325
31,6,7,313365047 255,247,1,435 255,239,2,267543 255,231,3,156720665 255,223,4,75626641375
255,215,5,23157564726421 511,502,1,1021 511,484,3,1530225571 511,466,5,1112724662161763 1023,1013,1,2011
1023,983,4,30135372217233 63,57,1,103 63,51,2,12471 63,45,3,1701317 63,39,4,166623567 63,36,5,1033500423
63,30,6,157464165547 63,24,7,17323260404441 127,120,1,211 127,113,2,41567 127,106,3,11554743
127,99,4,3447023271 127,92,5,624730022327 127,85,6,130704476322273 255,207,6,16176560567636227
511,493,2,1112711 511,475,4,1630256304641 1023,993,3,12052210423 1023,1003,2,4014167
1023,973,5,67441634100257771
"""
HEXADECIMAL = [
    (511, 466, 5, 0x24AEA6C8E3F3),
    (1023, 993, 3, 0x50A91113),
    (1023, 973, 5, 0x6F21CE1015FF9),
    (2047, 1992, 5, 0xD52A8400919ECD),
    (4095, 4035, 5, 0x12EEA57D94CA8F97),
    (8191, 8139, 4, 0x14523043AB86AB),
    (8191, 8126, 5, 0x3D694BC056AC0D78B),
]
GENERATORS = [
    (int(n), int(k), int(t), int(octal, 8)) for n, k, t, octal in (row.split(",") for row in OCTAL.split())
] + HEXADECIMAL
# The code of bchlib's default polynomial for m = 7, t = 1..5.
LINUX_M7 = [0o203, 0o52175, 0o12230033, 0o3051274477, 0o702162515527]


def parity_of(code: ecc.BchCode, data: int) -> int:
    """The parity of data given as an integer whose bit i is the coefficient of x^(r + i)."""
    size = (code.data_bits + 7) // 8
    return int.from_bytes(code.encode(data.to_bytes(size, "little")).tobytes(), "little")


def linux_parity(code: ecc.BchCode, data: bytes) -> bytes:
    """Parity in the format of Linux' lib/bch.c: the first bit of byte 0 is the highest power, parity
    left-aligned in whole bytes."""
    parity = parity_of(code, int.from_bytes(data, "big"))
    size = (code.parity_bits + 7) // 8
    return (parity << 8 * size - code.parity_bits).to_bytes(size, "big")


@pytest.mark.parametrize(("n", "k", "t", "generator"), GENERATORS)
def test_generator(n, k, t, generator):
    code = ecc.BchCode(data_bits=k, t=t, m=n.bit_length())
    assert code.generator == generator
    assert code.code_bits == n
    with pytest.raises(ValueError, match=f"data_bits must be 1..{k} for m ="):
        ecc.BchCode(data_bits=k + 1, t=t, m=n.bit_length())


@pytest.mark.parametrize("t", range(1, 6))
def test_generator_of_another_field_polynomial(t):
    assert ecc.BchCode(data_bits=64, t=t, primitive=0x83).generator == LINUX_M7[t - 1]


def test_qr_format_information():
    words = """5412 5125 5E7C 5B4B 45F9 40CE 4F97 4AA0 77C4 72F3 7DAA 789D 662F 6318 6C41 6976
    1689 13BE 1CE7 19D0 0762 0255 0D0C 083B 355F 3068 3F31 3A06 24B4 2183 2EDA 2BED"""
    code = ecc.BchCode(data_bits=5, t=3)
    assert code.generator == 0x537
    for value, word in enumerate(words.split()):
        assert (value << 10 | parity_of(code, value)) ^ 0x5412 == int(word, 16)


@pytest.mark.parametrize("word", [0x7CD215D8, 0x7A89C197])
def test_pocsag_sync_and_idle(word):
    code = ecc.BchCode(data_bits=21, t=2, extended=True)
    assert code.generator == 0x769
    parity = parity_of(code, word >> 11)
    assert parity & 0x3FF == word >> 1 & 0x3FF
    assert parity >> 10 == word & 1  # even parity over the whole word


def test_h261():
    code = ecc.BchCode(data_bits=493, t=2)
    assert code.generator == ecc.multiply((9, 4, 0), (9, 6, 4, 3, 0))
    assert f"{parity_of(code, (1 << 492) - 1):018b}" == "011011010100011011"


def test_samsung_nand():
    code = ecc.BchCode(data_bits=4096, t=16, m=13)
    parity = linux_parity(code, b"\xff" * 512)
    assert parity.hex() == "6528106e777f0408f9c5a360b6db2f8afd1ca61f1b43e1df8fd1"


def test_left_aligned_parity_of_15_bits():
    code = ecc.BchCode(data_bits=16, t=3, m=5)
    assert linux_parity(code, bytes.fromhex("ABCD")).hex() == "50e8"


@pytest.mark.parametrize(
    ("m", "primitive", "t", "data", "expected"),
    [
        (13, 0x201B, 4, bytes(i % 256 for i in range(512)), "ecd0e0a751c490"),
        (13, 0x201B, 4, b"\xff" * 512, "d7ec33c6695380"),
        (14, 0x402B, 8, bytes(i % 256 for i in range(1024)), "c52905a3278849baff1cc71c3a7e"),
    ],
)
def test_linux_format(m, primitive, t, data, expected):
    code = ecc.BchCode(data_bits=8 * len(data), t=t, m=m, primitive=primitive)
    assert linux_parity(code, data).hex() == expected


def test_bluetooth_sync_word():
    generator = ecc.BchCode(data_bits=30, t=6).generator
    assert ecc.multiply(0b11, generator) == 0o260534236651


def test_cospas_sarsat():
    assert ecc.BchCode(data_bits=106, t=3, m=7).generator == 0b1001101101100111100011
    assert ecc.BchCode(data_bits=51, t=2, m=6).generator == 0b1010100111001
    second = ecc.BchCode(data_bits=202, t=6, m=8)  # (255, 207, 6) shortened to (250, 202)
    assert (second.code_bits, second.parity_bits) == (250, 48)


def test_dvb_t_parameters():
    code = ecc.BchCode(data_bits=53, t=2, m=7)
    assert code.generator == 0x4377
    assert code.code_bits == 67


def test_dvb_s2_normal_frame():
    """Table 6a of EN 302 307-1: the generator is the product of the first 8, 10 or 12 of these."""
    table = [
        (16, 5, 3, 2, 0), (16, 8, 6, 5, 4, 1, 0), (16, 11, 10, 9, 8, 7, 5, 4, 3, 2, 0),
        (16, 14, 12, 11, 9, 6, 4, 2, 0), (16, 12, 11, 10, 9, 8, 5, 3, 2, 1, 0),
        (16, 15, 14, 13, 12, 10, 9, 8, 7, 5, 4, 2, 0), (16, 15, 13, 11, 10, 9, 8, 6, 5, 2, 0),
        (16, 14, 13, 12, 9, 8, 6, 5, 2, 1, 0), (16, 11, 10, 9, 7, 5, 0),
        (16, 14, 13, 12, 10, 8, 7, 5, 2, 1, 0), (16, 13, 12, 11, 9, 5, 3, 2, 0),
        (16, 12, 11, 9, 7, 6, 5, 1, 0),
    ]  # fmt: skip
    product = 1
    for t, factor in enumerate(table, start=1):
        product = ecc.multiply(product, factor)
        code = ecc.BchCode(data_bits=32208, t=t, m=16, primitive=0x1002D)
        assert code.generator == product


def test_parity_is_the_remainder_of_plain_python():
    """Encoding by definition, on codes with 1..4 words of parity and odd lengths."""
    rng = np.random.default_rng(0)
    for bits, t, m, extended in [
        (1, 1, 3, False), (4, 1, 3, True), (11, 1, 4, True), (45, 3, 6, False), (45, 5, 7, True),
        (301, 7, 9, False), (301, 7, 9, True), (513, 13, 10, True), (4096, 5, 13, True), (71, 9, 7, True),
        (100, 8, 8, True), (100, 8, 8, False),
        (2048, 16, 13, False), (64, 10, 8, True),
    ]:  # fmt: skip
        code = ecc.BchCode(data_bits=bits, t=t, m=m, extended=extended)
        r = code.generator.bit_length() - 1
        for _ in range(5):
            data = int.from_bytes(rng.bytes((bits + 7) // 8), "little") & (1 << bits) - 1
            expected = ecc.mod(data << r, code.generator)
            if extended:
                expected |= ((data.bit_count() + expected.bit_count()) & 1) << r
            assert parity_of(code, data) == expected

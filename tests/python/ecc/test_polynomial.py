"""Polynomials over GF(2): the fields of the multipliers, and arithmetic against plain Python."""

from __future__ import annotations

import doctest
import random

import pytest

from lampyris import ecc
from lampyris.ecc import fields, polynomials

# Facts 2 of the multiplier: fields of the netlists.
WIDE = [
    (45, 4, 3, 1, 0),
    (64, 4, 3, 1, 0),
    (128, 7, 2, 1, 0),
    (131, 8, 3, 2, 0),
    (163, 7, 6, 3, 0),
    (193, 15, 0),
    (233, 74, 0),
    (239, 36, 0),
    (283, 12, 7, 5, 0),
    (409, 87, 0),
    (571, 10, 5, 2, 0),
]


def slow_multiply(a: int, b: int) -> int:
    out = 0
    for i in range(b.bit_length()):
        out ^= (a << i) * (b >> i & 1)
    return out


def test_examples():
    assert doctest.testmod(polynomials).failed == 0
    assert doctest.testmod(ecc).failed == 0
    assert doctest.testmod(fields).failed == 0


@pytest.mark.parametrize("exponents", WIDE)
def test_wide_fields_are_irreducible(exponents):
    assert ecc.is_irreducible(exponents)
    assert not ecc.is_irreducible(exponents[:-1])


def test_products_and_remainders_of_any_length():
    generator = random.Random(0)
    for bits in (1, 63, 64, 65, 200, 600):
        a, b = generator.getrandbits(bits), generator.getrandbits(bits // 2 + 1) | 1
        product = ecc.multiply(a, b)
        assert product == slow_multiply(a, b)
        assert ecc.mod(product, b) == 0
        assert ecc.mod(product ^ 1, b) == ecc.mod(1, b)


def test_fields_multiply_and_invert():
    assert set(ecc.FIELD_POLYNOMIALS) >= {exponents[0] for exponents in WIDE}
    generator = random.Random(1)
    for m, exponents in ecc.FIELD_POLYNOMIALS.items():
        field = ecc.Field(m=m)
        assert field.m == m and field.polynomial == ecc.polynomial(exponents)
        a, b = generator.getrandbits(m), generator.getrandbits(m) | 1
        assert field.multiply(a, b) == ecc.mod(slow_multiply(a, b), exponents)
        assert field.multiply(b, field.inverse(b)) == 1


def test_bad_fields():
    with pytest.raises(ValueError, match="polynomial must be irreducible, got x\\^4 \\+ 1"):
        ecc.Field((4, 0))
    with pytest.raises(ValueError, match=r"m must be one of 8, 16, .*571, got 46"):
        ecc.Field(m=46)
    with pytest.raises(ValueError, match="only one of them"):
        ecc.Field(19, m=8)
    with pytest.raises(ValueError, match="element must have degree below 4, got 4"):
        ecc.Field(19).multiply(16, 1)
    with pytest.raises(ValueError, match="a must be other than 0"):
        ecc.Field(19).inverse(0)


def test_bad_input():
    with pytest.raises(ValueError, match="bits must be >= 0, got -3"):
        ecc.is_irreducible(-3)
    with pytest.raises(ValueError, match="divisor must be other than 0"):
        ecc.mod(5, 0)
    with pytest.raises(ValueError, match="order: polynomial must be irreducible, got x\\^2 \\+ 1"):
        ecc.order(5)

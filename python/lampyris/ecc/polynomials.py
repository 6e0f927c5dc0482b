"""Polynomials over GF(2) as integers: bit i is the coefficient of x^i."""

from __future__ import annotations

from collections.abc import Iterable

from lampyris import _native

__all__ = ["Polynomial", "is_irreducible", "is_primitive", "mod", "multiply", "order", "polynomial"]

Polynomial = int | Iterable[int]


def polynomial(value: Polynomial) -> int:
    """The integer of a polynomial given as one, or as exponents.

    Example:
        >>> polynomial((4, 1, 0)), polynomial(19)
        (19, 19)
    """
    if isinstance(value, int):
        return value
    bits = 0
    for exponent in value:
        bits ^= 1 << exponent
    return bits


def multiply(a: Polynomial, b: Polynomial) -> int:
    """The product over GF(2).

    Example:
        >>> multiply(0b11, 0b11)
        5
    """
    return _native.ecc.multiply(polynomial(a), polynomial(b))


def mod(a: Polynomial, b: Polynomial) -> int:
    """The remainder of a divided by b.

    Raises:
        ValueError: b is 0.

    Example:
        >>> mod((14,), (4, 1, 0))
        9
    """
    return _native.ecc.mod(polynomial(a), polynomial(b))


def is_irreducible(f: Polynomial) -> bool:
    """Whether f has no factor but itself and 1, by Rabin's test.

    Example:
        >>> is_irreducible((163, 7, 6, 3, 0)), is_irreducible(0b101)
        (True, False)
    """
    return _native.ecc.is_irreducible(polynomial(f))


def is_primitive(f: Polynomial) -> bool:
    """Whether the powers of x run through all 2^m - 1 non-zero elements of the field of f.

    Raises:
        ValueError: the degree is above 64.

    Example:
        >>> is_primitive((45, 4, 3, 1, 0)), is_primitive((45, 10, 9, 1, 0))
        (True, False)
    """
    return _native.ecc.is_primitive(polynomial(f))


def order(f: Polynomial) -> int:
    """The smallest e > 0 with x^e = 1 modulo f, an irreducible polynomial of degree 1..64.

    Raises:
        ValueError: f is reducible, x, or its degree is outside 1..64.

    Example:
        >>> order((4, 3, 2, 1, 0))
        5
    """
    return _native.ecc.order(polynomial(f))

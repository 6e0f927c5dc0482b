"""Fields GF(2^m) whose elements are integers: bit i is the coefficient of x^i."""

from __future__ import annotations

from lampyris import _native
from lampyris.ecc.polynomials import Polynomial
from lampyris.ecc.polynomials import polynomial as to_integer

__all__ = ["FIELD_POLYNOMIALS", "Field"]

# Degree -> exponents of an irreducible polynomial of fewest terms; 163, 233, 283, 409 and 571 are those
# of FIPS 186-4.
FIELD_POLYNOMIALS: dict[int, tuple[int, ...]] = dict(_native.ecc.wide_polynomials)


class Field:
    """GF(2^m) = GF(2)[x] modulo an irreducible polynomial of degree m, 2 <= m <= 576.

    Args:
        polynomial: an integer or exponents.
        m: a degree in ``FIELD_POLYNOMIALS`` instead.

    Raises:
        ValueError: a reducible polynomial, or a degree outside 2..576 or without a built-in one.

    Example:
        >>> field = Field((45, 4, 3, 1, 0))
        >>> field.multiply(1 << 44, 2)
        27
        >>> field.multiply(12345, field.inverse(12345))
        1
    """

    def __init__(self, polynomial: Polynomial | None = None, *, m: int | None = None) -> None:
        if (polynomial is None) == (m is None):
            raise ValueError("field: polynomial or m must be given, and only one of them")
        if polynomial is None:
            if m not in FIELD_POLYNOMIALS:
                raise ValueError(f"field: m must be one of {', '.join(map(str, FIELD_POLYNOMIALS))}, got {m}")
            polynomial = FIELD_POLYNOMIALS[m]
        self._native = _native.ecc.WideField(to_integer(polynomial))

    m = property(lambda self: self._native.m, doc="Degree of the field.")
    polynomial = property(lambda self: self._native.polynomial, doc="Its polynomial as an integer.")

    def __repr__(self) -> str:
        return f"Field({self.polynomial:#x})"

    def multiply(self, a: int, b: int) -> int:
        """The product of two elements, each below 2^m.

        Raises:
            ValueError: an element that is negative or of degree m or more.
        """
        return self._native.multiply(a, b)

    def inverse(self, a: int) -> int:
        """The element whose product with a is 1.

        Raises:
            ValueError: a is 0, negative, or of degree m or more.
        """
        return self._native.inverse(a)

"""BCH codes: bit-granular lengths, explicit field, optional overall parity bit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampyris import _native

__all__ = ["ROOT_FINDERS", "BchCode", "DecodeResult"]

Bytes = bytes | bytearray | memoryview | NDArray[np.uint8]

ROOT_FINDERS = ("auto", "chien", "gray", "closed_form", "least_affine")
_STATUS = ("clean", "corrected", "uncorrectable")
_FINDERS = {name: getattr(_native.ecc.RootFinder, name) for name in ROOT_FINDERS}


class DecodeResult(NamedTuple):
    """What a decoder did with one word.

    Args:
        status: ``"clean"``, ``"corrected"`` or ``"uncorrectable"``.
        count: bits corrected.
        positions: their positions, ascending: p < r is parity bit p, from r on data bit p - r, and
            r + data_bits the overall parity bit (r is the degree of the generator).
        data: uint8 [bytes], corrected, or as it came.
        parity: uint8 [bytes], likewise.
    """

    status: str
    count: int
    positions: list[int]
    data: NDArray[np.uint8]
    parity: NDArray[np.uint8]


class BchCode:
    """A narrow-sense binary BCH code that corrects ``t`` errors among data and parity bits.

    Data bit i is bit i % 8 of byte i // 8 and the coefficient of x^(r + i); parity bit j is the
    coefficient of x^j, and the overall parity bit follows as bit r. The unused high bits of the last
    byte must be zero.

    Args:
        data_bits: length of the data; with the parity at most 2^m - 1.
        t: errors corrected.
        extended: add an overall parity bit, so that no word with t + 1 errors is accepted.
        m: degree of the field, 3..16; the smallest that holds the code when None.
        primitive: polynomial of the field as an integer (0x1053 for m = 12); the textbook one of
            degree m when None. Linux' lib/bch.c takes 0x83 for m = 7 and 0x402b for m = 14.

    Raises:
        ValueError: parameters that no code has, or a polynomial that is not primitive.

    Example:
        >>> code = BchCode(data_bits=512, t=3, extended=True)
        >>> (code.m, code.parity_bits, code.code_bits)
        (10, 31, 543)
        >>> data = np.arange(64, dtype=np.uint8)
        >>> parity = code.encode(data)
        >>> broken = data.copy()
        >>> broken[[0, 20, 63]] ^= 1
        >>> result = code.decode(broken, parity)
        >>> result.status, result.positions, bool((result.data == data).all())
        ('corrected', [30, 190, 534], True)
    """

    def __init__(
        self,
        data_bits: int,
        t: int,
        extended: bool = False,
        m: int | None = None,
        primitive: int | None = None,
    ) -> None:
        self._native = _native.ecc.BchCode(data_bits, t, extended, m, primitive)

    m = property(lambda self: self._native.m, doc="Degree of the field.")
    primitive = property(lambda self: self._native.primitive, doc="Polynomial of the field.")
    t = property(lambda self: self._native.t, doc="Errors corrected.")
    extended = property(lambda self: self._native.extended, doc="Whether there is an overall parity bit.")
    data_bits = property(lambda self: self._native.data_bits, doc="Data bits of a word.")
    parity_bits = property(
        lambda self: self._native.parity_bits, doc="Parity bits, the overall one included."
    )
    code_bits = property(lambda self: self._native.code_bits, doc="Data and parity bits.")
    generator = property(lambda self: self._native.generator, doc="Generator polynomial as an integer.")

    def __repr__(self) -> str:
        return (
            f"BchCode(data_bits={self.data_bits}, t={self.t}, extended={self.extended}, m={self.m},"
            f" primitive={self.primitive:#x})"
        )

    def encode(self, data: Bytes) -> NDArray[np.uint8]:
        """Parity of one word.

        Args:
            data: uint8 [ceil(data_bits / 8)].

        Returns:
            uint8 [ceil(parity_bits / 8)].

        Raises:
            ValueError: a wrong length, or padding bits that are not zero.
        """
        return self._native.encode(data)

    def decode(self, data: Bytes, parity: Bytes, root_finder: str = "auto") -> DecodeResult:
        """Correct up to t errors of one word; what was given is left as it is.

        Args:
            data: uint8 [ceil(data_bits / 8)].
            parity: uint8 [ceil(parity_bits / 8)].
            root_finder: one of ``ROOT_FINDERS``; all give the same result.

        Returns:
            A `DecodeResult`. With more than t errors its status is ``"uncorrectable"``, or, for about
            one word in t!, another code word lies within t errors and is taken.

        Raises:
            ValueError: a wrong length, padding bits that are not zero, or an unknown root finder.
        """
        status, positions, data, parity = self._native.decode(data, parity, _finder(root_finder))
        return DecodeResult(_STATUS[status], len(positions), positions, data, parity)

    def encode_pages(self, data: Bytes) -> NDArray[np.uint64]:
        """Parity of many words of whole bytes, one after another.

        Args:
            data: uint8 [pages * data_bits / 8]; the code has at most 64 parity bits.

        Returns:
            uint64 [pages]: the parity bits of each page.

        Raises:
            ValueError: a length that is no multiple of a page, or a code without whole bytes.

        Example:
            >>> code = BchCode(data_bits=2048, t=5, extended=True)
            >>> pages = np.zeros(3 * 256, np.uint8)
            >>> words = code.encode_pages(pages)
            >>> pages[300] = 7
            >>> code.check_pages(pages, words)
            array([1])
            >>> fixed, words, counts = code.decode_pages(pages, words)
            >>> int(fixed.sum()), counts
            (0, array([0, 3, 0], dtype=int32))
        """
        return self._native.encode_pages(data)

    def check_pages(self, data: Bytes, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Indices of the pages whose parity is not the given one: int64 [dirty], ascending.

        Raises:
            ValueError: lengths that do not fit each other.
        """
        return self._native.check_pages(data, words)

    def decode_pages(
        self, data: Bytes, words: NDArray[np.uint64], root_finder: str = "auto"
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.int32]]:
        """Correct every page that needs it.

        Returns:
            The pages, their words, and for each page the number of bits corrected, -1 where it is
            uncorrectable and was left as it came.

        Raises:
            ValueError: lengths that do not fit each other, or a word with bits above the parity.
        """
        return self._native.decode_pages(data, words, _finder(root_finder))


def _finder(name: str):
    try:
        return _FINDERS[name]
    except KeyError:
        raise ValueError(
            f"decode: root_finder must be one of {', '.join(ROOT_FINDERS)}, got {name}"
        ) from None

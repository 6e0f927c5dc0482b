"""Check words of pages in plain Python and numpy: the twin of csrc/ecc/page_code.cpp.

A tensor is cut into pages from its start; a last, shorter page counts as followed by zeros. Every page
has one check word, a little-endian unsigned integer: the parity of an extended code XORed with a mask
that depends on the page's number, so that empty memory and neighbouring pages are no code words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["PRESETS", "PageCode", "Repaired"]

MASKED_BITS = 6  # low bits of a page's number that choose its mask


@dataclass(frozen=True)
class Repaired:
    """A tensor after decoding: what it holds now and what was found.

    Attributes:
        data: uint8 [n], corrected where that was possible.
        words: check words likewise.
        bits: wrong bits by number of the page, for each corrected page.
        lost: numbers of the pages that are beyond correction, as read.
    """

    data: np.ndarray
    words: np.ndarray
    bits: dict[int, int]
    lost: list[int]


@dataclass(frozen=True)
class PageCode:
    """One preset. ``m`` 0 is the extended Hamming code SECDED(72,64), anything else a BCH code.

    Args:
        page_bytes: data of a page.
        word_bytes: size of a check word; bits that the code does not use are zero.
        t: wrong bits corrected, in data, parity and overall parity bit together.
        masks: the first for every page, the others for bits 0..5 of its number.
        m, polynomial: field GF(2^m) and its primitive polynomial.
    """

    name: str
    page_bytes: int
    word_bytes: int
    t: int
    masks: tuple[int, ...]
    m: int = 0
    polynomial: int = 0

    @property
    def plan(self) -> dict[str, Any]:
        """What the plan of an image says of this code."""
        masks = [f"0x{mask:x}" for mask in self.masks]
        plan = {"bits": 8 * self.page_bytes, "masks": masks, "t": self.t, "word": self.word_bytes}
        if not self.m:
            return {"code": "hamming", **plan}
        return {"code": "bch", "extended": True, "m": self.m, "polynomial": self.polynomial, **plan}

    def pages(self, size: int) -> int:
        """Number of pages of a tensor of ``size`` bytes."""
        return -(-size // self.page_bytes)

    @cached_property
    def _exp(self) -> list[int]:
        powers, value = [], 1
        for _ in range((1 << self.m) - 1):
            powers.append(value)
            value <<= 1
            if value >> self.m:
                value ^= self.polynomial
        return powers

    @cached_property
    def _log(self) -> dict[int, int]:
        return {value: power for power, value in enumerate(self._exp)}

    def _multiply(self, a: int, b: int) -> int:
        if not a or not b:
            return 0
        return self._exp[(self._log[a] + self._log[b]) % len(self._exp)]

    @cached_property
    def generator(self) -> int:
        """Generator polynomial, bit i the coefficient of x^i: roots alpha, alpha^3 .. alpha^(2t-1)."""
        roots: set[int] = set()
        for j in range(1, 2 * self.t, 2):
            root = j
            while root not in roots:
                roots.add(root)
                root = 2 * root % len(self._exp)
        polynomial = [1]
        for root in sorted(roots):
            shifted = [0, *polynomial]
            for i, coefficient in enumerate(polynomial):
                shifted[i] ^= self._multiply(coefficient, self._exp[root])
            polynomial = shifted
        return sum(coefficient << i for i, coefficient in enumerate(polynomial))

    @cached_property
    def parity_bits(self) -> int:
        """r: check bits below the overall parity bit."""
        return self.generator.bit_length() - 1 if self.m else 7

    @cached_property
    def columns(self) -> list[int]:
        """The check word that each data bit alone gives, without mask."""
        if self.m:
            remainder, columns = 1, []
            for i in range(self.parity_bits + 8 * self.page_bytes):
                if i >= self.parity_bits:
                    columns.append(remainder)
                remainder <<= 1
                if remainder >> self.parity_bits:
                    remainder ^= self.generator
        else:
            places = (place for place in range(3, 72) if place & (place - 1))
            columns = [place for place, _ in zip(places, range(64), strict=False)]
        return [c | (1 + c.bit_count()) % 2 << self.parity_bits for c in columns]

    @cached_property
    def _tables(self) -> np.ndarray:
        """uint64 [page_bytes, 256]: the check word of each byte value at each place."""
        tables = np.zeros((self.page_bytes, 256), np.uint64)
        columns = np.array(self.columns, np.uint64).reshape(-1, 8)
        for bit in range(8):
            half = 1 << bit
            tables[:, half : 2 * half] = tables[:, :half] ^ columns[:, bit : bit + 1]
        return tables

    @cached_property
    def _page_masks(self) -> np.ndarray:
        masks = np.array([self.masks[0]], np.uint64)
        for mask in self.masks[1:]:
            masks = np.concatenate([masks, masks ^ np.uint64(mask)])
        return masks

    def encode(self, data: np.ndarray) -> np.ndarray:
        """Check words, masks included, uint64 [pages], of a tensor uint8 [n]."""
        pages = self.pages(len(data))
        padded = np.zeros((pages, self.page_bytes), np.uint8)
        padded.reshape(-1)[: len(data)] = data
        words = self._page_masks[np.arange(pages) % len(self._page_masks)]
        for place in range(self.page_bytes):
            words ^= self._tables[place].take(padded[:, place])
        return words

    def from_bytes(self, stored: bytes | memoryview | np.ndarray) -> np.ndarray:
        """Check words uint64 [pages] of the bytes that an image stores."""
        return np.frombuffer(stored, f"<u{self.word_bytes}").astype(np.uint64)

    def to_bytes(self, words: np.ndarray) -> bytes:
        """The bytes that an image stores."""
        return words.astype(f"<u{self.word_bytes}").tobytes()

    def repair(self, data: np.ndarray, words: np.ndarray) -> Repaired | None:
        """Decode a tensor uint8 [n] against its check words; None where nothing is wrong."""
        difference = self.encode(data) ^ words
        dirty = np.flatnonzero(difference)
        if not len(dirty):
            return None
        result = Repaired(data.copy(), words.copy(), {}, [])
        for page in dirty.tolist():
            begin = page * self.page_bytes
            bits = 8 * min(self.page_bytes, len(data) - begin)
            found = self.locate(int(difference[page]), bits)
            if found is None:
                result.lost.append(page)
                continue
            places, flips = found
            for place in places:
                result.data[begin + place // 8] ^= 1 << place % 8
            result.words[page] ^= np.uint64(flips)
            result.bits[page] = len(places) + flips.bit_count()
        return result

    def locate(self, difference: int, data_bits: int) -> tuple[list[int], int] | None:
        """The wrong bits behind a difference of check words.

        Args:
            difference: stored word ^ word of the stored data.
            data_bits: bits of the page that exist.

        Returns:
            Places of wrong data bits, ascending, and the wrong bits of the check word; None beyond ``t``.
        """
        r = self.parity_bits
        low, unused = difference & ((1 << r) - 1), difference >> (r + 1)
        found = self._roots(low) if self.m else self._hamming_root(low)
        if found is None:
            return None
        places = sorted(place - r for place in found if place >= r)
        flips = sum(1 << place for place in found if place < r) | unused << (r + 1)
        parity = (difference >> r ^ low.bit_count() ^ len(found)) & 1
        flips |= parity << r
        if len(places) + flips.bit_count() > self.t or (places and places[-1] >= data_bits):
            return None
        check = 0
        for place in places:
            check ^= self.columns[place]
        return (places, flips) if check ^ flips == difference else None

    def _hamming_root(self, low: int) -> list[int] | None:
        if not low:
            return []
        if not low & (low - 1):
            return [low.bit_length() - 1]
        place = low - low.bit_length() - 1  # data skip places 0 and the powers of two
        return [7 + place] if place < 64 else None

    def _roots(self, low: int) -> list[int] | None:
        """Places (coefficients of x^place) of at most ``t`` wrong bits with this remainder."""
        if not low:
            return []
        syndromes = [0] * (2 * self.t + 1)
        for j in range(1, 2 * self.t, 2):
            for i in range(self.parity_bits):
                if low >> i & 1:
                    syndromes[j] ^= self._exp[i * j % len(self._exp)]
        for j in range(2, 2 * self.t + 1, 2):
            syndromes[j] = self._multiply(syndromes[j // 2], syndromes[j // 2])
        locator = self._locator(syndromes)
        if locator is None:
            return None
        order = len(self._exp)
        place = np.arange(self.parity_bits + 8 * self.page_bytes)
        exp = np.array(self._exp, np.int64)
        total = np.full(len(place), locator[0], np.int64)
        for i, coefficient in enumerate(locator[1:], start=1):
            if coefficient:
                total ^= exp[(self._log[coefficient] - i * place) % order]
        roots = np.flatnonzero(total == 0).tolist()
        return roots if len(roots) == len(locator) - 1 else None

    def _locator(self, syndromes: list[int]) -> list[int] | None:
        """Berlekamp-Massey: the shortest locator 1 + ..., or None if its degree is not its length."""
        order = len(self._exp)
        locator, previous, length, shift, scale = [1], [1], 0, 1, 1
        for n in range(2 * self.t):
            discrepancy = 0
            for i, coefficient in enumerate(locator[: n + 1]):
                discrepancy ^= self._multiply(coefficient, syndromes[n + 1 - i])
            if not discrepancy:
                shift += 1
                continue
            factor = self._exp[(self._log[discrepancy] - self._log[scale]) % order]
            longer = locator + [0] * (len(previous) + shift - len(locator))
            for i, coefficient in enumerate(previous):
                longer[i + shift] ^= self._multiply(factor, coefficient)
            if 2 * length <= n:
                previous, scale, length, shift = locator, discrepancy, n + 1 - length, 1
            else:
                shift += 1
            locator = longer
        while locator[-1] == 0:
            locator.pop()
        return locator if len(locator) - 1 == length <= self.t else None


PRESETS = {
    code.name: code
    for code in (
        PageCode(
            "bram", 8, 1, 1, (0xB4, 0x74, 0xF6, 0xB1, 0xAA, 0xB7, 0x88)
        ),
        PageCode(
            "line", 64, 4, 3,
            (0x650A7968, 0x55B8A8B3, 0x24E46C27, 0x7051023, 0x380B5D01, 0x80444B2, 0x63A257E3),
            10, 0x409,
        ),
        PageCode(
            "page", 512, 8, 4,
            (0x10ED3177CA7192, 0x2421F612B33BD, 0x1237E55C3941C5, 0x14B5C4E183F275,
             0x24B6C1FA5CDAF, 0x7CDEF175C40A3, 0x4D72B91712EF4),
            13, 0x201B,
        ),
        PageCode(
            "row", 256, 8, 5,
            (0x105B8FD1605E5DF2, 0x18048AFB1BAD3673, 0x126B86199153507D, 0x1BCA75CE169D9DCD,
             0xB21EBEF971DC798, 0x149C19A339E22B6C, 0x59A499895235BC1),
            12, 0x1053,
        ),
        PageCode(
            "strong", 32, 8, 5,
            (0x2433451A4183, 0x21C1C0FB8EC2, 0x1ACA4E182CD3, 0x6B6F24A632D,
             0x2E0EE22CEE24, 0x2423145DA896, 0x1ED9B508722F),
            9, 0x211,
        ),
    )
}  # fmt: skip

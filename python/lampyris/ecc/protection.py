"""Presets that protect weight memories, and what they let through at a given bit error rate."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from lampyris.ecc.bch import BchCode

__all__ = ["PRESETS", "Exposure", "Preset", "expected_faults", "parse_protection"]

HAMMING_CHECK_BITS = 8  # of SECDED(72,64)


@dataclass(frozen=True)
class Preset:
    """A page code for memories.

    Attributes:
        page_bytes, word_bytes: data of a page and size of its check word.
        t: wrong bits corrected on a page, check word included; t + 1 are always detected.
        m, polynomial: field of the extended BCH code; 0 for the Hamming code of block RAM.
    """

    name: str
    page_bytes: int
    word_bytes: int
    t: int
    m: int
    polynomial: int

    @property
    def overhead(self) -> float:
        """Check words over data."""
        return self.word_bytes / self.page_bytes

    @property
    def check_bits(self) -> int:
        """Bits of a check word that the code uses, the overall parity bit with them."""
        return self.code.parity_bits if self.m else HAMMING_CHECK_BITS

    @property
    def code(self) -> BchCode:
        """The BCH code. Raises ValueError for the Hamming code."""
        if not self.m:
            raise ValueError(f"preset {self.name} must be a BCH code, got SECDED(72,64)")
        bits = 8 * self.page_bytes
        return BchCode(data_bits=bits, t=self.t, extended=True, m=self.m, primitive=self.polynomial)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("bram", 8, 1, 1, 0, 0),
        Preset("line", 64, 4, 3, 10, 0x409),
        Preset("page", 512, 8, 4, 13, 0x201B),
        Preset("row", 256, 8, 5, 12, 0x1053),
        Preset("strong", 32, 8, 5, 9, 0x211),
    )
}
"""The presets by name (docs/ecc.md, "Protected images")."""


@dataclass(frozen=True)
class Exposure:
    """What to expect of a memory after one exposure to independent bit errors.

    Attributes:
        pages: of the memory.
        wrong_bits: expected, in data and check bits.
        uncorrectable: expected pages with more than t wrong bits.
        silent: expected pages among them that decode to another code word: before any checksum.
    """

    pages: int
    wrong_bits: float
    uncorrectable: float
    silent: float


def error_counts(n: int, rate: float, least: int) -> list[float]:
    """Probabilities of ``least``, ``least + 1``, ... wrong bits among ``n``, as far as they matter."""
    if rate in (0, 1):
        return [float(k == n * rate) for k in range(least, n + 1)]
    log_rate, log_rest = math.log(rate), math.log1p(-rate)
    terms: list[float] = []
    for k in range(least, n + 1):
        log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        terms.append(math.exp(log + k * log_rate + (n - k) * log_rest))
        if k > n * rate and terms[-1] < 1e-18 * max(terms):
            break
    return terms


def uncorrectable(n: int, t: int, rate: float) -> float:
    """Probability of more than ``t`` wrong bits among ``n``.

    Example:
        >>> f"{uncorrectable(72, 1, 1e-6):.3g}"
        '2.56e-09'
    """
    return min(1.0, math.fsum(error_counts(n, rate, t + 1)))


def miscorrection_ratio(n: int, r: int, t: int) -> float:
    """Share of random words of ``n`` bits within ``t`` errors of a code word, with ``r`` check bits.

    Example:
        >>> round(miscorrection_ratio(512 + 30, 30, 3), 4)
        0.0247
    """
    return sum(math.comb(n, i) for i in range(t + 1)) / 2**r


def hamming_shares() -> tuple[float, float]:
    """Shares of the patterns of 4 and of 3 wrong bits that SECDED(72,64) takes for none and for one."""
    pairs = itertools.combinations(range(72), 2)
    triples = sum(third < 72 for a, b in pairs for third in ((a ^ b ^ c) for c in range(b + 1, 72)))
    return triples / 4 / math.comb(72, 4), triples / math.comb(72, 3)


@functools.cache
def passing_shares(preset: str) -> tuple[float, float]:
    """Shares of even and odd patterns of more than t + 1 wrong bits that decode to a wrong word.

    The overall parity bit lets v wrong bits pass for i <= t only where v - i is even, so that t + 1
    never do.
    """
    code = PRESETS[preset]
    if not code.m:
        return hamming_shares()
    n = 8 * code.page_bytes + code.check_bits
    even, odd = (sum(math.comb(n, i) for i in range(first, code.t + 1, 2)) for first in (0, 1))
    return even / 2 ** (code.check_bits - 1), odd / 2 ** (code.check_bits - 1)


def undetected(preset: str, n: int, rate: float) -> float:
    """Probability that ``n`` bits of a page and its check word go to a wrong word."""
    t, shares = PRESETS[preset].t, passing_shares(preset)
    beyond = error_counts(n, rate, t + 2)
    return math.fsum(p * shares[(t + 2 + i) % 2] for i, p in enumerate(beyond))


def expected_faults(sizes: Mapping[str, int] | int, rate: float, preset: str | None = None) -> Exposure:
    """Expected uncorrectable pages at a bit error rate.

    Args:
        sizes: bytes by name of preset ("none" for unprotected ones), or bytes of one ``preset``.
        rate: probability of each bit, of data and check words, to be wrong.
        preset: for a single size.

    Returns:
        The sum over all; without protection a byte is a page and every wrong one is silent.

    Raises:
        ValueError: a rate outside 0..1, a negative size or an unknown preset.

    Example:
        >>> found = expected_faults(1 << 20, 1e-5, "line")
        >>> found.pages, f"{found.uncorrectable:.1e}"
        (16384, '5.8e-07')
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"expected_faults: rate must be a probability, got {rate}")
    if isinstance(sizes, int):
        sizes = {preset or "none": sizes}
    pages, bits, lost, silent = 0, 0.0, 0.0, 0.0
    for name, size in sizes.items():
        if size < 0:
            raise ValueError(f"expected_faults: sizes must be >= 0, got {size}")
        if name == "none":
            wrong = size * uncorrectable(8, 0, rate)
            pages, bits, lost, silent = pages + size, bits + 8 * size * rate, lost + wrong, silent + wrong
            continue
        if name not in PRESETS:
            raise ValueError(f"expected_faults: preset must be one of {', '.join(PRESETS)}, got {name}")
        code = PRESETS[name]
        count, rest = divmod(size, code.page_bytes)
        for number, length in ((count, code.page_bytes), (1 if rest else 0, rest)):
            if not number:
                continue
            n = 8 * length + code.check_bits
            pages, bits = pages + number, bits + number * n * rate
            lost += number * uncorrectable(n, code.t, rate)
            silent += number * undetected(name, n, rate)
    return Exposure(pages, bits, lost, silent)


def parse_protection(text: str) -> tuple[str | None, dict[str, str | None]]:
    """Presets from a command line: ``PRESET[,CLASS=PRESET...]``, "none" for no protection.

    Returns:
        The preset of all classes that are not named, and those that are.

    Raises:
        ValueError: another form; names are checked where they are used.

    Example:
        >>> parse_protection("row,bias=strong,registers=strong")
        ('row', {'bias': 'strong', 'registers': 'strong'})
    """
    first, *others = text.split(",")
    classes: dict[str, str | None] = {}
    if not first or "=" in first:
        raise ValueError(f"ecc must be PRESET[,CLASS=PRESET...], got {text!r}")
    for other in others:
        name, sign, preset = other.partition("=")
        if not name or not sign or not preset or name in classes:
            raise ValueError(f"ecc must be PRESET[,CLASS=PRESET...], each class once, got {text!r}")
        classes[name] = None if preset == "none" else preset
    return (None if first == "none" else first), classes

"""Bit-parallel GF(2^m) multipliers as netlists of gates, plain or protected by a code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lampyris import _native
from lampyris.ecc.polynomials import Polynomial, is_irreducible
from lampyris.ecc.polynomials import polynomial as _integer

__all__ = ["Campaign", "Depth", "Evaluation", "Gates", "Multiplier", "default_polynomial", "multiplier"]

MAX_DEGREE = 1024


class Gates(NamedTuple):
    """Two-input gates; area in gate equivalents (NAND2 = 1): AND and OR 1.33, XOR 2, NOT 0.67."""

    ands: int
    xors: int
    ors: int
    nots: int
    equivalents: float

    @property
    def total(self) -> int:
        return self.ands + self.xors + self.ors + self.nots


class Depth(NamedTuple):
    """The slowest path: AND and OR gates (ta), XOR gates (tx), inverters; delay with AND = OR = 1,
    XOR = 2, NOT = 0.5."""

    ta: int
    tx: int
    nots: int
    delay: float

    def __str__(self) -> str:
        return f"{self.ta}TA+{self.tx}TX"


class Evaluation(NamedTuple):
    """The product, and whether the design raised `error` (never where it has no such output)."""

    product: int | list[int]
    error: bool | list[bool]


@dataclass(frozen=True)
class Campaign:
    """What became of the same `products` random products under each set of faults.

    Attributes:
        outcomes: int64 [sets, 5]: masked (nothing wrong reached the word that the decoder sees),
            corrected, detected (`error` raised), alarms (those of them with a right product), silent
            (wrong, and no `error`). masked + corrected + detected + silent = products.
        nodes: int32 [sets, gates]: the faulty gates of each set.
        products: products per set.
    """

    outcomes: np.ndarray
    nodes: np.ndarray
    products: int

    def fraction(self, outcome: str) -> float:
        """Part of all products; outcome masked, corrected, detected, alarms or silent."""
        place = ("masked", "corrected", "detected", "alarms", "silent").index(outcome)
        return float(self.outcomes[:, place].sum()) / (len(self.outcomes) * self.products)

    @property
    def vulnerable(self) -> int:
        """Sets of faults with at least one silently wrong product."""
        return int((self.outcomes[:, 4] > 0).sum())

    @property
    def survives(self) -> bool:
        """No product was wrong without `error`."""
        return self.vulnerable == 0


class Multiplier:
    """A netlist with inputs a and b, output c = a b mod polynomial and, in some modes, error.

    Made by `multiplier`. `gates`, `parts` and `depth` are counted on the gates.
    """

    def __init__(self, native: object, field: int, options: dict[str, object]) -> None:
        self._native = native
        self.polynomial = field
        self.m = field.bit_length() - 1
        self.options = dict(options)

    def __repr__(self) -> str:
        options = ", ".join(f"{k}={v!r}" for k, v in self.options.items())
        return f"Multiplier(m={self.m}, {options})"

    @property
    def gates(self) -> Gates:
        return Gates(*self._native.count())

    @property
    def parts(self) -> dict[str, Gates]:
        """Gates of multiplier, predictor, syndromes, key equation, locator, correction and check."""
        return {name: Gates(*counts) for name, counts in self._native.parts().items()}

    @property
    def depth(self) -> Depth:
        return Depth(*self._native.depth())

    @property
    def fast_depth(self) -> Depth:
        """Mode bypass: until c is there when nothing is wrong; else `depth`."""
        return Depth(*self._native.fast_depth())

    @property
    def parity_bits(self) -> int:
        return self._native.parity_bits()

    @property
    def gate_list(self) -> list[tuple[int, str, str]]:
        """(node, "and" | "or" | "xor" | "not", part) of each gate; faults and wires name nodes."""
        return self._native.gate_list()

    def evaluate(
        self, a: int | Sequence[int], b: int | Sequence[int], faults: Iterable[tuple[int, str]] = ()
    ) -> Evaluation:
        """Simulate the gates.

        Args:
            a, b: one value each, or as many; bit i is the coefficient of x^i, m bits.
            faults: (node, "flip" | "stuck-at-0" | "stuck-at-1") of gates that fail in every case.

        Raises:
            ValueError: a value has more than m bits, or a fault names no node.

        Example:
            >>> net = multiplier(m=4, polynomial=(4, 1, 0))
            >>> net.evaluate(0b1001, 0b0111)
            Evaluation(product=10, error=False)
            >>> net.evaluate([2, 9], [8, 7], faults=[(net.gate_list[-1][0], "flip")]).product
            [11, 2]
        """
        one = isinstance(a, int) and isinstance(b, int)
        first, second = ([int(a)], [int(b)]) if one else ([int(v) for v in a], [int(v) for v in b])
        if len(first) != len(second):
            raise ValueError(f"multiplier: a and b must be as many, got {len(first)} and {len(second)}")
        products, errors = self._native.evaluate(first, second, list(faults))
        return Evaluation(products[0], errors[0]) if one else Evaluation(products, errors)

    def campaign(
        self,
        kind: str = "flip",
        *,
        gates: int = 1,
        sets: int | None = None,
        products: int = 1024,
        seed: int = 0,
    ) -> Campaign:
        """Fail gates and count what becomes of random products, on all threads.

        Args:
            kind: "flip", "stuck-at-0", "stuck-at-1", or "mixed" (sampled sets).
            gates: faulty gates of a set.
            sets: sampled sets; left out: each single gate once.
            products: random products of each set.
            seed: of the operands and of the sampled sets.

        Example:
            >>> net = multiplier(m=8, protection="signature", predictor="lin", mode="detect")
            >>> net.campaign("flip", products=256).survives
            True
        """
        if sets is None and gates != 1:
            raise ValueError(f"campaign: sets must be given for {gates} gates at a time, got None")
        if sets is not None and sets < 0:
            raise ValueError(f"campaign: sets must be >= 0, got {sets}")
        if sets is None and kind == "mixed":
            raise ValueError('campaign: kind must be one fault for single gates, got "mixed"')
        outcomes, nodes = self._native.campaign(kind, gates, -1 if sets is None else sets, products, seed)
        return Campaign(outcomes, nodes, products)

    def to_verilog(self, module: str = "multiplier") -> str:
        """A combinational module with a wire n<node> for each gate."""
        return self._native.to_verilog(module)

    def to_blif(self, model: str = "multiplier") -> str:
        """The gates in Berkeley's logic interchange format."""
        return self._native.to_blif(model)


def default_polynomial(m: int) -> tuple[int, ...]:
    """Exponents of the irreducible trinomial or pentanomial of degree m with the smallest exponents.

    Example:
        >>> default_polynomial(45), default_polynomial(233)
        ((45, 4, 3, 1, 0), (233, 74, 0))
    """
    if not 2 <= m <= MAX_DEGREE:
        raise ValueError(f"multiplier: m must lie in 2..{MAX_DEGREE}, got {m}")
    for k in range(1, m):
        if is_irreducible((m, k, 0)):
            return (m, k, 0)
    for i in range(3, m):
        for j in range(2, i):
            for k in range(1, j):
                if is_irreducible((m, i, j, k, 0)):
                    return (m, i, j, k, 0)
    raise ValueError(f"multiplier: no trinomial or pentanomial of degree {m} is irreducible")


def multiplier(
    m: int | None = None,
    polynomial: Polynomial | None = None,
    *,
    form: str = "two-step",
    protection: str = "none",
    t: int = 1,
    predictor: str = "dup",
    sharing: str = "cse",
    locator: str = "flat",
    mode: str = "correct",
) -> Multiplier:
    """Build a multiplier of GF(2^m).

    Args:
        m: degree of the field, 2..1024; left out where a polynomial is given.
        polynomial: irreducible, as exponents or an integer; left out: `default_polynomial(m)`.
        form: "two-step" (product, then reduction; fewest gates), "mastrovito" (matrix of a times b),
            "isolated" (as mastrovito, each output its own cone: one faulty gate, one wrong output).
        protection: "none"; a code whose parity is predicted from a and b: "bch", "hamming", "cross"
            (parities of rows and columns), "ldpc" (regular, column weight 3, one bit-flip iteration),
            "signature" (the fewest bits that tell every single faulty gate; detects); or copies:
            "duplicate" (detects), "tmr".
        t: bits that the BCH code corrects, 1..5.
        predictor: "dup" (second product array), "lin" (shared linear forms), "iso" (as lin, each
            parity bit its own cone).
        sharing: of XOR networks: "tree" (balanced, nothing shared on purpose), "cse" (common pairs once).
        locator: "flat" or "brs" (grouped into affine polynomials).
        mode: "correct"; "bypass" (c passes by the corrector when nothing is wrong); "detect" (c as
            computed, and error); "verify" (corrected, and error where a second check fails).

    Raises:
        ValueError: an option is none of these, the polynomial is reducible, or m and polynomial disagree.

    Example:
        >>> net = multiplier(m=45, protection="bch", t=3, predictor="dup", sharing="cse")
        >>> net.parity_bits, net.gates.ands, net.evaluate(3, 5).product
        (18, 4188, 15)
    """
    if polynomial is None:
        if m is None:
            raise ValueError("multiplier: m or polynomial must be given, got neither")
        polynomial = default_polynomial(m)
    field = _integer(polynomial)
    degree = field.bit_length() - 1
    if m is not None and degree != m:
        raise ValueError(f"multiplier: polynomial must have degree m = {m}, got {degree}")
    if not 2 <= degree <= MAX_DEGREE:
        raise ValueError(f"multiplier: m must lie in 2..{MAX_DEGREE}, got {degree}")
    options = {
        "form": form,
        "protection": protection,
        "t": t,
        "predictor": predictor,
        "sharing": sharing,
        "locator": locator,
        "mode": mode,
    }
    return Multiplier(_native.ecc.Multiplier(polynomial=field, **options), field, options)

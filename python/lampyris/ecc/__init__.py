"""Error-correcting codes for weight memories, and the field arithmetic below them.

Nothing here needs torch. A polynomial over GF(2) is an integer whose bit i is the coefficient of x^i,
or a sequence of exponents: 0b1011 and (3, 1, 0) are both x^3 + x + 1.

Example:
    >>> from lampyris import ecc
    >>> ecc.is_irreducible((45, 4, 3, 1, 0)), ecc.order(0b1011)
    (True, 7)
    >>> code = ecc.BchCode(data_bits=45, t=3)
    >>> code.m, code.code_bits, oct(code.generator)
    (6, 63, '0o1701317')
"""

from __future__ import annotations

from lampyris.ecc.bch import ROOT_FINDERS, BchCode, DecodeResult
from lampyris.ecc.fields import FIELD_POLYNOMIALS, Field
from lampyris.ecc.multiplier import Campaign, Multiplier, default_polynomial, multiplier
from lampyris.ecc.page_decoder import page_decoder
from lampyris.ecc.polynomials import is_irreducible, is_primitive, mod, multiply, order, polynomial
from lampyris.ecc.protection import PRESETS, Exposure, Preset, expected_faults, parse_protection
from lampyris.ecc.scrub import Scrubber

__all__ = [
    "FIELD_POLYNOMIALS",
    "PRESETS",
    "ROOT_FINDERS",
    "BchCode",
    "Campaign",
    "DecodeResult",
    "Exposure",
    "Field",
    "Multiplier",
    "Preset",
    "Scrubber",
    "default_polynomial",
    "expected_faults",
    "is_irreducible",
    "is_primitive",
    "mod",
    "multiplier",
    "multiply",
    "order",
    "page_decoder",
    "parse_protection",
    "polynomial",
]

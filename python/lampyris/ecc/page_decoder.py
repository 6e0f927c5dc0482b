"""The decoder of a page of weights as Verilog."""

from __future__ import annotations

from lampyris import _native
from lampyris.ecc.bch import BchCode

__all__ = ["page_decoder"]


def page_decoder(code: BchCode, module: str = "page_decoder") -> str:
    """A clocked module that corrects pages on their way from memory, 64 bits a clock.

    Ports: ``clk``, ``reset``; ``in_valid``, ``in_ready``, ``in_data`` [64] (low bits of the page first)
    and ``check`` [64] (parity, overall parity, zeros; read with the last word); ``out_valid``,
    ``out_ready``, ``out_data`` [64], ``status`` (0 clean, 1 corrected, 2 uncorrectable: the data as they
    came) and ``count``. Remainder, syndromes, multipliers and root search are generated netlists.

    Args:
        code: data_bits a multiple of 64, 2 <= t <= 7, at most 63 parity bits and the overall one; the
            preset ``row`` is BchCode(data_bits=2048, t=5, extended=True).
        module: its name; the modules below it start with it.

    Raises:
        ValueError: the code does not fit, or the name is no identifier.

    Example:
        >>> text = page_decoder(BchCode(data_bits=2048, t=5, extended=True), "row")
        >>> text.count("endmodule"), "row_multiply by_delta" in text
        (7, True)
    """
    return _native.ecc.page_decoder(code._native, module)

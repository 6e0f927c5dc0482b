"""Canonical JSON (contract section 6, item 1): one text per value, refused in any other form."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

__all__ = ["dump_canonical", "parse_canonical", "refuse", "show"]

MAX_INTEGER = 1 << 53
MAX_DEPTH = 32
_SHOWN = 60  # characters of a value in an error message


def refuse(what: str, expected: object, got: object) -> NoReturn:
    """Raise the one form of error that an image gives."""
    raise ValueError(f"weight image: {what}, expected {expected}, got {got}")


def dump_canonical(value: Any) -> str:
    """The canonical text of a value made of dict, list, str, int, bool and None.

    Example:
        >>> dump_canonical({"b": [1, None], "a": "é"})
        '{"a":"\\\\u00e9","b":[1,null]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def show(value: Any) -> str:
    """The canonical text for an error message, cut after 60 characters."""
    text = dump_canonical(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def parse_canonical(text: bytes, what: str) -> Any:
    """The value of a canonical text.

    Args:
        text: bytes of the text.
        what: its name in errors.

    Raises:
        ValueError: bytes other than printable ASCII, more than 32 levels, no JSON, a number that is
            no integer within +-2^53, or any text that serialising the value does not give again.

    Example:
        >>> parse_canonical(b'{"a":[1,2]}', "plan")
        {'a': [1, 2]}
    """
    if odd := re.search(rb"[^ -~]", text):
        refuse(what, "printable ASCII", f"0x{odd.group()[0]:02x} at byte {odd.start()}")
    decoded = text.decode("ascii")
    _check_depth(decoded, what)
    try:
        value = json.loads(
            decoded, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_float
        )
        if re.search(r"\\u[dD][89a-fA-F]", decoded):
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no UTF-8
    except (ValueError, RecursionError):
        refuse(what, "JSON", "other text")
    if (path := _find_number(value)) is not None:
        refuse(what, "integers within +-2^53", f"another value at {show(path)}")
    canonical = dump_canonical(value)
    if canonical != decoded:
        at = next(
            (i for i, (a, b) in enumerate(zip(canonical, decoded, strict=False)) if a != b),
            min(len(canonical), len(decoded)),
        )
        refuse(what, "canonical JSON", f"another form at byte {at}")
    return value


def _check_depth(text: str, what: str) -> None:
    """Count brackets outside of strings, before any recursive parser sees them."""
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    depth = 0
    for bracket in re.finditer(r"[][{}]", outside):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > MAX_DEPTH:
            refuse(what, f"at most {MAX_DEPTH} levels of nesting", "more")


def _parse_int(text: str) -> int | float:
    return int(text) if len(text) <= len(str(-MAX_INTEGER)) else _parse_float(text)


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a JSON number")
    return value


def _find_number(value: Any) -> str | None:
    """The path of a number that is not allowed, or None."""
    if isinstance(value, dict):
        children: Any = sorted(value.items())
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return "" if number and not (isinstance(value, int) and abs(value) <= MAX_INTEGER) else None
    for key, child in children:
        if (path := _find_number(child)) is not None:
            return f"/{key}{path}"
    return None

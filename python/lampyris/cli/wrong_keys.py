"""One line, with a suggestion, from the messages of jsonargparse."""

from __future__ import annotations

import difflib
import importlib
import inspect
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["one_line", "suggestion"]

UNKNOWN_KEY = re.compile(r"does not accept option '([^']+)'|unrecognized arguments: --([\w.]+)")
UNKNOWN_OPTION = re.compile(r"class_path '([^']+)':\s+Option '([^']+)' is not accepted")
UNKNOWN_CLASS = re.compile(r"module '([^']+)' has no attribute '([^']+)'")
PARSER_KEY = re.compile(r'Parser key "([^"]+)":')
EXPECTED = re.compile(r"Expected a (?:<class '([^']+)'>|(.+?))(?:\. Got value|$)", re.MULTILINE)
UNREADABLE = re.compile(r"Unable to load config ['\"]([^'\"]+)")
GIVEN = re.compile(r"(?:Got|Given) value: (.+)")


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def one_line(message: str, keys: Iterable[str], arguments: Sequence[str] = ()) -> str:
    """Say what is wrong with a config or its overrides in one line.

    Args:
        message: of jsonargparse's ArgumentError.
        keys: all keys that the command knows, dotted.
        arguments: of the command line, to tell which file a wrong key stands in.
    """
    if found := UNKNOWN_KEY.search(message):
        key = found[1] or found[2]
        return f"{_source(key, arguments)}unknown key {key!r}{suggestion(key, keys)}"
    prefix = f"{found[1]}: " if (found := PARSER_KEY.search(message)) else ""
    if found := UNKNOWN_OPTION.search(message):
        owner, key = found[1], found[2]
        where = f"{_source(key, arguments)}{prefix}"
        return f"{where}{owner} has no option {key!r}{suggestion(key, _options(owner))}"
    if found := UNKNOWN_CLASS.search(message):
        owner, name = found[1], found[2]
        where = f"{_source(name, arguments)}{prefix}"
        return f"{where}{owner} has no {name!r}{suggestion(name, dir(importlib.import_module(owner)))}"
    expected = [a or b for a, b in EXPECTED.findall(message)]
    given = GIVEN.findall(message)
    if prefix and expected and given:
        kinds = " or ".join(dict.fromkeys("null" if k == "NoneType" else k for k in expected))
        where = _source(prefix.rstrip(": "), arguments)
        return f"{where}{prefix.rstrip(': ')} must be {kinds}, got {given[-1].strip()}"
    if found := UNREADABLE.search(message):
        return f"{prefix}config file {found[1]!r} does not exist or is no YAML mapping"
    where = _source("", arguments) if "parsing config" in message else ""
    message = message.removeprefix('Parser key "config": ')
    return where + "; ".join(line.strip().rstrip(":") for line in message.splitlines() if line.strip())


def _source(key: str, arguments: Sequence[str]) -> str:
    """The config file that holds the key, when the command line does not."""
    last = key.rsplit(".", 1)[-1]
    given = [a.split("=")[0] for a in arguments]
    if last and any(a.startswith("--") and a.endswith(last) for a in given):
        return ""
    files = [b for a, b in itertools.pairwise(arguments) if a in ("--config", "-c")]
    files += [a.split("=", 1)[1] for a in arguments if a.startswith("--config=")]
    return f"{', '.join(files)}: " if files else ""


def _options(path: str) -> list[str]:
    module, _, name = path.rpartition(".")
    owner: Any = getattr(importlib.import_module(module), name)
    return list(inspect.signature(owner).parameters)

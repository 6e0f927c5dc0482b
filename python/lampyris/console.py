"""The console of every command: wide enough for the tables, also into a pipe or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["NARROWEST", "console"]

NARROWEST = 118
"""Columns that the widest table needs; a narrower terminal wraps lines instead of losing digits."""


def console() -> Console:
    """A rich console on standard output, at least `NARROWEST` columns wide."""
    from rich.console import Console

    found = Console()
    return found if found.width >= NARROWEST else Console(width=NARROWEST)

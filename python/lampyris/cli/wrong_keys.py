"""One line, with a suggestion, from the messages of jsonargparse."""

from __future__ import annotations

import difflib
import re
from typing import Any

__all__ = ["one_line"]


def one_line(message: str, parser: Any = None) -> str:
    return message

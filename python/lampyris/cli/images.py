"""Reading a weight image for a command: what was repaired goes to standard error in one line."""

from __future__ import annotations

import sys
import warnings
from typing import Any

__all__ = ["load_reported"]


def load_reported(path: str, strict: bool = False, on_uncorrectable: str = "refuse") -> Any:
    """The image; arguments and errors as of `firefly.load`."""
    from lampyris import firefly

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", firefly.RepairWarning)
        image = firefly.load(path, strict=strict, on_uncorrectable=on_uncorrectable)
    if found := firefly.describe_repairs(image.repairs):
        print(f"lampyris: weight image {path}: {found}", file=sys.stderr)
    return image

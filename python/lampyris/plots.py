"""Plots as PNG files; matplotlib is imported on first use and opens no window."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from lampyris.files import atomic_write

__all__ = ["pyplot", "save_figure"]

DPI = 130


def pyplot() -> Any:
    """`matplotlib.pyplot`, drawing into memory unless a backend was chosen before."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    import matplotlib.pyplot as plt

    return plt


def save_figure(figure: Any, path: str | os.PathLike, *, tight: bool = True) -> Path:
    """The figure as a PNG, written whole or not at all, and closed.

    Args:
        figure: of `pyplot`.
        path: target file.
        tight: cut to what is drawn.

    Returns:
        The path written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight" if tight else None)
    pyplot().close(figure)
    return atomic_write(path, buffer.getvalue())

"""Native libraries against the sources they were built from, by the hash of cmake/build_id.py."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["PACKAGE", "check_build", "source_build_id"]

PACKAGE = Path(__file__).resolve().parent
_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def source_build_id(folders: tuple[str, ...] | None = None) -> str | None:
    """Hash of the csrc folder beside the package; None when there is none.

    Args:
        folders: folders of csrc that count; None for all.

    Example:
        >>> source_build_id() is None or len(source_build_id()) == 16
        True
    """
    csrc = PACKAGE.parent.parent / "csrc"
    if not (csrc / "core").is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(p for p in csrc.rglob("*") if p.suffix in _SUFFIXES):
        name = path.relative_to(csrc)
        if folders is None or name.parts[0] in folders:
            digest.update(name.as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def check_build(path: str | os.PathLike, built: str, sources: str | None) -> None:
    """Refuse a library of other sources. ``LAMPYRIS_STALE=1`` accepts it.

    Raises:
        ImportError: naming the library and both ids.
    """
    if sources is not None and sources != built and os.environ.get("LAMPYRIS_STALE") != "1":
        raise ImportError(
            f"lampyris: {path} was built from sources {built}, but csrc is {sources}; run `make build`"
        )

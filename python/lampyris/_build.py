"""Native libraries against the sources they were built from.

Each library carries a hash of its sources; importing compares it with the source tree, when there is
one, so that a stale library is named instead of used. CMake runs this file for the same hashes.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

__all__ = ["NATIVE_FOLDERS", "OPERATOR_FOLDERS", "PACKAGE", "check_build", "hash_sources", "source_build_id"]

PACKAGE = Path(__file__).resolve().parent
NATIVE_FOLDERS = ("core", "cpu", "io", "ecc", "firefly", "events", "graph", "bindings")
OPERATOR_FOLDERS = ("core", "cpu", "ops")
_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def hash_sources(csrc: Path, folders: tuple[str, ...]) -> str:
    """16 hex digits over names and bytes of the sources in these folders of ``csrc``."""
    digest = hashlib.sha256()
    for path in sorted(p for p in csrc.rglob("*") if p.suffix in _SUFFIXES):
        name = path.relative_to(csrc)
        if name.parts[0] in folders:
            digest.update(name.as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def source_build_id(folders: tuple[str, ...]) -> str | None:
    """`hash_sources` of the csrc folder beside the package; None when there is none.

    Example:
        >>> source_build_id(NATIVE_FOLDERS) in (None, source_build_id(NATIVE_FOLDERS))
        True
    """
    csrc = PACKAGE.parent.parent / "csrc"
    return hash_sources(csrc, folders) if (csrc / "core").is_dir() else None


def check_build(path: str | os.PathLike, built: str, sources: str | None) -> None:
    """Refuse a library of other sources. ``LAMPYRIS_STALE=1`` accepts it.

    Raises:
        ImportError: naming the library and both ids.
    """
    if sources is not None and sources != built and os.environ.get("LAMPYRIS_STALE") != "1":
        raise ImportError(
            f"lampyris: {path} was built from sources {built}, but csrc is {sources}; run `make build`"
        )


if __name__ == "__main__":
    root = Path(sys.argv[1])
    print(f"{hash_sources(root, NATIVE_FOLDERS)};{hash_sources(root, OPERATOR_FOLDERS)}")

"""Build ids of the native code: hashes over names and bytes of sources, 16 hex digits each.

Prints two: of all of csrc (``_native``), and of the folders behind the operators (``_ops``). The
libraries carry them, and ``import lampyris.ops`` compares its own with the source tree when there is
one, so that a stale library is named instead of loaded.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
OPS_FOLDERS = ("core", "cpu", "ops")


def build_id(csrc: Path, folders: tuple[str, ...] | None = None) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in csrc.rglob("*") if p.suffix in SUFFIXES):
        name = path.relative_to(csrc)
        if folders is None or name.parts[0] in folders:
            digest.update(name.as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    root = Path(sys.argv[1])
    print(f"{build_id(root)};{build_id(root, OPS_FOLDERS)}")

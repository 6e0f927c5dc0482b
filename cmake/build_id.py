"""Build id of the native code: a hash over names and bytes of csrc, printed as 16 hex digits.

The libraries carry it, and ``import lampyris.ops`` compares it with the source tree when there is
one, so that a stale library is named instead of loaded.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def build_id(csrc: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in csrc.rglob("*") if p.suffix in SUFFIXES):
        digest.update(path.relative_to(csrc).as_posix().encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(build_id(Path(sys.argv[1])))

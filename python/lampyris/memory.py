"""Pages that stay: on the CPU a fresh page costs as much as the kernel that fills it."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["allocator", "reuse_pages"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_KEEP_BYTES = 2**31 - 1
_state = {"reuse": False}


def reuse_pages() -> bool:
    """Make the process keep freed memory instead of returning it to the system.

    glibc serves large blocks by fresh mappings whose pages fault on first touch (a 32 MB operator took
    12.3 ms with them, 3.9 ms without). This turns mappings off and trimming as good as off, for
    the whole process; peak memory is then not given back. It does nothing, and returns False, where the
    allocator is not glibc's (musl, macOS) or was replaced by LD_PRELOAD (tcmalloc, jemalloc).

    Returns:
        Whether the setting is in force.

    Example:
        >>> from lampyris import memory
        >>> memory.reuse_pages() in (True, False)
        True
    """
    if allocator() not in ("glibc", "glibc, pages reused"):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    _state["reuse"] = bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES))
    return _state["reuse"]


def allocator() -> str:
    """Name of the allocator in use: "glibc", "glibc, pages reused", or a preloaded library's name."""
    for path in os.environ.get("LD_PRELOAD", "").split(":"):
        for name in ("tcmalloc", "jemalloc", "mimalloc"):
            if name in path:
                return name
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return "system"
    return "glibc, pages reused" if _state["reuse"] else "glibc"

"""Loads the compiled operators, once, after comparing them with the sources they were built from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch

__all__ = ["build_id", "cuda_loaded", "isa", "isa_available", "load", "source_build_id"]

_PACKAGE = Path(__file__).resolve().parent
_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
_FOLDERS = ("core", "cpu", "ops")
_loaded = False


def source_build_id() -> str | None:
    """Hash of the operators' sources in the csrc folder beside the package; None when there is none.

    The same rule as cmake/build_id.py.

    Example:
        >>> source_build_id() is None or len(source_build_id()) == 16
        True
    """
    csrc = _PACKAGE.parent.parent / "csrc"
    if not (csrc / "core").is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(p for p in csrc.rglob("*") if p.suffix in _SUFFIXES):
        name = path.relative_to(csrc)
        if name.parts[0] in _FOLDERS:
            digest.update(name.as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def build_id() -> str:
    """The sources that the loaded ``_ops.so`` was built from.

    Example:
        >>> len(build_id())
        16
    """
    load()
    return torch.ops.lampyris.build_id()


def isa() -> str:
    """The instruction set that CPU kernels use: "base", "avx2", "avx512" or "amx".

    Example:
        >>> isa() in ("base", "avx2", "avx512", "amx")
        True
    """
    load()
    return torch.ops.lampyris.isa()


def isa_available() -> str:
    """The best instruction set of this machine; ``LAMPYRIS_ISA`` lowers what is used.

    Example:
        >>> isa_available() in ("base", "avx2", "avx512", "amx")
        True
    """
    load()
    return torch.ops.lampyris.isa_available()


def cuda_loaded() -> bool:
    """Whether the CUDA kernels are registered.

    Example:
        >>> cuda_loaded() in (False, True)
        True
    """
    load()
    return torch._C._dispatch_has_kernel_for_dispatch_key("lampyris::lif", "CUDA")


def load() -> None:
    """Load ``_ops.so``, and ``_ops_cuda.so`` under a CUDA build of torch when it was built.

    Raises:
        ImportError: a library is missing, cannot be loaded, or was built from other sources; the
            message names its path and the reason. ``LAMPYRIS_STALE=1`` accepts other sources.
    """
    global _loaded
    if _loaded:
        return
    _load(_PACKAGE / "_ops.so")
    cuda = _PACKAGE / "_ops_cuda.so"
    if torch.version.cuda and cuda.exists():
        _load(cuda)
    _compare(_PACKAGE / "_ops.so")
    _loaded = True


def _load(path: Path) -> None:
    if not path.exists():
        raise ImportError(f"lampyris: {path} does not exist; run `make build` or `pip install .`")
    try:
        torch.ops.load_library(str(path))
    except Exception as error:
        raise ImportError(f"lampyris: {path} cannot be loaded: {error.__cause__ or error}") from error


def _compare(path: Path) -> None:
    here, built = source_build_id(), torch.ops.lampyris.build_id()
    if here is not None and here != built and os.environ.get("LAMPYRIS_STALE") != "1":
        raise ImportError(
            f"lampyris: {path} was built from sources {built}, but csrc is {here}; run `make build`"
        )

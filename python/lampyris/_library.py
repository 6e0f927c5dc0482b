"""Loads the compiled operators, once, after comparing them with the sources they were built from."""

from __future__ import annotations

from pathlib import Path

import torch

from lampyris import _build
from lampyris._build import OPERATOR_FOLDERS, PACKAGE, check_build

__all__ = [
    "build_id",
    "cpu_features",
    "cuda_loaded",
    "isa",
    "isa_available",
    "keep_pages",
    "load",
    "source_build_id",
]

_loaded = False


def source_build_id() -> str | None:
    """Hash of the operators' sources beside the package; None when there are none.

    Example:
        >>> source_build_id() is None or len(source_build_id()) == 16
        True
    """
    return _build.source_build_id(OPERATOR_FOLDERS)


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


def cpu_features() -> str:
    """What kernels may use beyond the instruction set's name, e.g. "avx512_bf16 avx512_vnni".

    Example:
        >>> set(cpu_features().split()) <= {"avx512_bf16", "avx512_vnni", "avx512_vbmi2"}
        True
    """
    load()
    return torch.ops.lampyris.cpu_features()


def keep_pages(on: bool) -> bool:
    """Pool the memory of large results, or give it back; returns whether it was pooled before.

    Example:
        >>> keep_pages(keep_pages(False)) in (False, True)
        True
    """
    load()
    return torch.ops.lampyris._keep_pages(on)


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
    _load(PACKAGE / "_ops.so")
    cuda = PACKAGE / "_ops_cuda.so"
    if torch.version.cuda and cuda.exists():
        _load(cuda)
    _compare(PACKAGE / "_ops.so")
    _loaded = True


def _load(path: Path) -> None:
    if not path.exists():
        raise ImportError(f"lampyris: {path} does not exist; run `make build` or `pip install .`")
    try:
        torch.ops.load_library(str(path))
    except Exception as error:
        raise ImportError(f"lampyris: {path} cannot be loaded: {error.__cause__ or error}") from error


def _compare(path: Path) -> None:
    check_build(path, torch.ops.lampyris.build_id(), source_build_id())

"""Lampyris: spiking detectors trained directly, compressed, and run bit for bit on FireFly.

Importing the package loads nothing; each part is loaded on first use, and the hardware half
(``lampyris.firefly``) works without torch.

Example:
    >>> from lampyris import firefly
    >>> import sys
    >>> firefly.Device(parallelism=16).parallelism
    16
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_PARTS = (
    "capture",
    "compress",
    "console",
    "data",
    "deploy",
    "ecc",
    "files",
    "firefly",
    "memory",
    "models",
    "nn",
    "ops",
    "reference",
    "report",
    "tasks",
)

__all__ = ["__version__", *_PARTS]


def __getattr__(name: str):
    if name in _PARTS:
        return importlib.import_module(f"lampyris.{name}")
    if name == "_native":
        return _load_native()
    raise AttributeError(f"module 'lampyris' has no attribute {name!r}")


def _load_native():
    from lampyris._build import NATIVE_FOLDERS, PACKAGE, check_build, source_build_id

    try:
        native = importlib.import_module("lampyris._native")
    except ImportError as error:
        raise ImportError(
            f"lampyris: {PACKAGE}/_native cannot be loaded ({error}); run `make build` or `pip install .`"
        ) from error
    check_build(native.__file__, native.build_id, source_build_id(NATIVE_FOLDERS))
    return native


def __dir__() -> list[str]:
    return sorted(__all__)

"""From exact models to FireFly images: target check, lowering, verification.

Importing this package loads neither torch nor the device; each function loads what it needs.
"""

from __future__ import annotations

import importlib

_HOME = {
    "Explanation": "explanation",
    "TARGETS": "targets",
    "VerifyReport": "verify_report",
    "Violation": "violations",
    "check_network": "check",
    "explain": "explanation",
    "export": "exporting",
    "verify": "verification",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module 'lampyris.deploy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)

"""What models are trained for. `detection`: targets, losses, decoding, metrics, the Lightning module.

`graph`: node tasks and pooling tasks.
"""

from __future__ import annotations

import importlib

__all__ = ["detection", "graph"]


def __getattr__(name: str):
    if name in __all__:
        return importlib.import_module(f"lampyris.tasks.{name}")
    raise AttributeError(f"module 'lampyris.tasks' has no attribute {name!r}")

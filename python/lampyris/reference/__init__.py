"""Slow, obvious twins of the operators, plain torch or numpy, same names and signatures.

Only tests, benchmarks and ``deploy.verify`` import this package. Each name is loaded on first use.

Example:
    >>> import torch
    >>> from lampyris import reference
    >>> spikes, membrane = reference.lif(torch.full((3, 1), 0.6), decay=0.5, threshold=1.0)
    >>> spikes.flatten().tolist()
    [0.0, 0.0, 1.0]
"""

from __future__ import annotations

import importlib

_HOME = {
    "lif": "lif",
    "fake_quantize": "fake_quantize",
    "magnitude_mask": "magnitude_mask",
    "nm_mask": "magnitude_mask",
    "pack_spikes": "pack_spikes",
    "unpack_spikes": "pack_spikes",
}
_MODULES = ("integer",)

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lampyris.reference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)

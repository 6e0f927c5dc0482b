"""What the NIR export and import share: the library itself, and the decay form of its neurons.

NIR neurons are differential equations, ``tau dv/dt = v_leak - v + R I`` (LIF) and ``dv/dt = R I`` (IF). One
step of ours is one forward-Euler step of length dt: decay = 1 - dt / tau, gain = R dt / tau (LIF) or R dt
(IF), v_leak = v_reset, as SpikingJelly writes them. NIR names no reset mode and always means a hard
reset; ours is in the node's metadata, with decay and gain as they are, so that a round trip is exact.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["DECAY_FORM", "DT", "LIBRARY", "nir"]

DT = 1e-4
"""Seconds per time step, the value that SpikingJelly and snnTorch assume."""

LIBRARY = "lampyris"
DECAY_FORM = "u = v_reset + decay (v - v_reset) + gain x"


def nir(function: str) -> ModuleType:
    """The ``nir`` package.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return importlib.import_module("nir")
    except ImportError as error:
        text = f'{function}: needs the package "nir" (pip install "lampyris[nir]"), got {error}'
        raise ImportError(text) from error

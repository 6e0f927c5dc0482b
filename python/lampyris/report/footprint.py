"""Bytes of a network's parameters, index bits of sparse storage included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Footprint", "footprint"]


@dataclass(frozen=True)
class Footprint:
    """Parameters of an integer network.

    ``float32_bytes`` is the same network unquantized, ``dense_bytes`` int8 weights with int16
    biases, ``bitmap_bytes`` one presence bit per weight plus the nonzero bytes.
    """

    weights: int
    nonzero: int
    float32_bytes: int
    dense_bytes: int
    bitmap_bytes: int

    @property
    def sparsity(self) -> float:
        return 1.0 - self.nonzero / max(self.weights, 1)


def footprint(network) -> Footprint:
    """Count the parameters of a ``compress.IntegerNetwork``."""
    weights = [n.arrays["weight"] for n in network.nodes if "weight" in n.arrays]
    biases = sum(int(n.arrays["bias"].size) for n in network.nodes if "bias" in n.arrays)
    total = sum(int(w.size) for w in weights)
    nonzero = sum(int(np.count_nonzero(w)) for w in weights)
    return Footprint(
        total, nonzero, 4 * (total + biases), total + 2 * biases, (total + 7) // 8 + nonzero + 2 * biases
    )

"""The field's energy estimate, with the operand types counted instead of assumed.

E = E_AC x synaptic operations + E_MAC x multiply-accumulates, with E_AC = 0.9 pJ and
E_MAC = 4.6 pJ (32-bit float, 45 nm; Horowitz, ISSCC 2014), the convention of the spiking
detectors' papers (Su et al., ICCV 2023). It prices arithmetic only: no memory traffic.
"""

from __future__ import annotations

import numpy as np

__all__ = ["E_AC_PICOJOULE", "E_MAC_PICOJOULE", "dense_operations", "energy"]

E_AC_PICOJOULE = 0.9
E_MAC_PICOJOULE = 4.6


def dense_operations(network) -> dict[str, int]:
    """Multiply-accumulates of one pass (one time step) by layer name: what a dense network does."""
    return {
        node.name: int(np.prod(node.arrays["weight"].shape)) * int(np.prod(node.shape[1:]))
        for node in network.nodes
        if "weight" in node.arrays
    }


def energy(network, operations: dict[str, float]) -> dict[str, float]:
    """Microjoules per image of the spiking network and of a dense twin of the same shape.

    Args:
        network: ``compress.IntegerNetwork``.
        operations: result of :func:`synaptic_operations` on the same network.

    Returns:
        ``{"spiking_uj", "dense_uj", "ratio"}``. The stem reads pixels and is counted in
        multiply-accumulates, once when the input is constant, else once per time step.
    """
    dense = dense_operations(network)
    steps = {node.name: int(node.params.get("steps", 1)) for node in network.nodes if node.op == "input"}
    stem = sum(dense[n.name] * steps.get(n.inputs[0], 1) for n in network.nodes if n.op == "stem")
    spiking = E_AC_PICOJOULE * sum(operations.values()) + E_MAC_PICOJOULE * stem
    twin = E_MAC_PICOJOULE * sum(dense.values())
    return {"spiking_uj": spiking * 1e-6, "dense_uj": twin * 1e-6, "ratio": twin / spiking}

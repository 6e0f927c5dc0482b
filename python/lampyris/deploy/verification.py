"""Proof by comparison: the exact forward, the numpy reference and the device agree on every value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode
from lampyris.reference import integer

from .compare import Comparison, compare_arrays, compare_counters
from .exporting import integers_of
from .first_difference import with_operands
from .observed import Observed, from_device, from_recorder, from_trace
from .verify_report import VerifyReport, layer_ranges

if TYPE_CHECKING:
    import torch

__all__ = ["verify"]

BATCH = 10


def verify(
    model: torch.nn.Module | IntegerNetwork, image: Any, inputs: Any, *, datapath: str = "functional"
) -> VerifyReport:
    """Compare spikes, streams, post-reset membranes, head integers and clamp counts of three implementations.

    Args:
        model: an exact (prepared) model, or its IntegerNetwork: then the training forward is left out.
        image: the FireFly image exported from it.
        inputs: uint8 [B, C, H, W], or [T, B, C, H, W] when the network reads a sequence; numpy or torch.
        datapath: of the device.

    Returns:
        VerifyReport; `report.ok` is True when all values are equal and none is missing.

    Raises:
        ValueError: inputs or image that do not fit the model.

    Example:
        >>> import torch, warnings
        >>> from lampyris import compress, deploy, models
        >>> model, images = models.ems_yolo().eval(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     _ = compress.prepare(model, compress.ExactConfig(), images)
        >>> report = deploy.verify(model, deploy.export(model), images)
        >>> report.ok, report.differences, report.implementations
        (True, 0, ('forward', 'reference', 'device'))
    """
    network = integers_of(model)
    inputs = inputs if isinstance(inputs, np.ndarray) else np.asarray(inputs.cpu())
    batches = list(_batches(network, inputs))
    _check_image(network, image)
    parallelism = int(image.plan["parallelism"])
    run_device = _device(image, network, parallelism, datapath)
    totals: dict[tuple[str, str], Comparison] = {}
    counters: dict[str, dict[tuple[str, str], int]] = {}
    report = VerifyReport(network.target, network.time_steps, parallelism)
    for first, batch in batches:
        trace = integer.run(network, batch)
        seen = {"reference": from_trace(trace), "device": from_device(run_device(batch))}
        if model is not network:
            seen = {"forward": _forward(model, batch), **seen}
        for comparison in _compare(network, seen, parallelism, first):
            key = comparison.layer, comparison.quantity
            if key in totals:
                totals[key].add(comparison)
            else:
                totals[key] = comparison
        for name, observed in seen.items():
            total = counters.setdefault(name, {})
            for key, count in observed.counters.items():
                total[key] = total.get(key, 0) + count
        report.add_batch(trace, images=batch.shape[-4])
    for node, counter in _counters(network):
        counts = {name: total[node, counter] for name, total in counters.items() if (node, counter) in total}
        totals[node, counter] = compare_counters(node, counter, counts)
        report.counters.setdefault(node, {})[counter] = counts["reference"]
    report.comparisons = [
        totals[node.name, quantity] for node in network.nodes for quantity in _order(node, totals)
    ]
    report.missing = _missing(network, report.comparisons, with_forward=model is not network)
    report.ranges = layer_ranges(network, report)
    _explain_first(report, network, image, inputs, run_device)
    return report


def _explain_first(
    report: VerifyReport, network: IntegerNetwork, image: Any, inputs: np.ndarray, run_device: Any
) -> None:
    first = report.first
    if first is None or first.image is None:
        return
    frame = inputs[first.image] if inputs.ndim == 4 else inputs[:, first.image]
    (run,) = run_device(frame[None] if inputs.ndim == 4 else frame[:, None])
    comparison = next(c for c in report.comparisons if c.first is first)
    comparison.first = with_operands(first, network, image, run, frame)


def _check_image(network: IntegerNetwork, image: Any) -> None:
    for key, wanted in (("target", network.target), ("time_steps", network.time_steps)):
        got = image.plan.get(key)
        if got != wanted:
            raise ValueError(f"verify: image must have {key} {wanted} as the model, got {got}")


def _batches(network: IntegerNetwork, inputs: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    axis = inputs.ndim - 4
    shape = network.nodes[0].shape
    if axis not in (0, 1) or inputs.shape[axis + 1 :] != tuple(shape) or inputs.shape[axis] == 0:
        raise ValueError(
            f"verify: inputs must have shape [B, {str(list(shape))[1:]}, got {list(inputs.shape)}"
        )
    for first in range(0, inputs.shape[axis], BATCH):
        yield first, inputs[first : first + BATCH] if axis == 0 else inputs[:, first : first + BATCH]


def _forward(model: torch.nn.Module, batch: np.ndarray) -> Observed:
    import torch

    from lampyris import compress

    training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad(), compress.recording(model) as recorder:
            model(torch.from_numpy(np.ascontiguousarray(batch)).to(device))
    finally:
        model.train(training)
    return from_recorder(recorder)


def _device(image: Any, network: IntegerNetwork, parallelism: int, datapath: str):
    from lampyris import firefly

    driver = firefly.Driver(firefly.Device(parallelism=parallelism, datapath=datapath, trace=True))

    def run(batch: np.ndarray) -> Iterator[Any]:
        images = batch if batch.ndim == 4 else batch.swapaxes(0, 1)
        return (driver.run(image, np.ascontiguousarray(one)) for one in images)

    return run


def _quantities(node: IntegerNode) -> tuple[str, ...]:
    if node.op == "lif":
        return "spikes", "membrane"
    if node.op == "output":
        return "accumulator", "readout"
    return (node.kind,) if node.kind in ("stream", "spikes") else ()


def _counters(network: IntegerNetwork) -> Iterator[tuple[str, str]]:
    for node in network.nodes:
        if node.op in ("stem", "conv"):
            yield node.name, "clamped"
        elif node.op == "lif":
            yield node.name, "saturated"


def _order(node: IntegerNode, totals: dict[tuple[str, str], Comparison]) -> Iterator[str]:
    for quantity in (*_quantities(node), "clamped", "saturated"):
        if (node.name, quantity) in totals:
            yield quantity


def _compare(
    network: IntegerNetwork, seen: dict[str, Observed], parallelism: int, first: int
) -> Iterator[Comparison]:
    for node in network.nodes:
        for quantity in _quantities(node):
            key = node.name, quantity
            arrays = {name: observed.arrays[key] for name, observed in seen.items() if key in observed.arrays}
            yield compare_arrays(*key, arrays, parallelism, first)


def _missing(network: IntegerNetwork, comparisons: list[Comparison], with_forward: bool) -> list[str]:
    """Quantities an implementation must give and did not: `implementation: layer quantity`.

    The forward has no read-out. On v1 the device stores no currents, and stem and first neuron run on the
    host.
    """
    missing = []
    for comparison in comparisons:
        node, quantity = network.node(comparison.layer), comparison.quantity
        wanted = {"reference", "device"}
        if network.target == "v1":
            on_host = node.op == "stem" or (node.op == "lif" and network.node(node.inputs[0]).op == "stem")
            if on_host or quantity in ("stream", "clamped", "saturated"):
                wanted.discard("device")
        if with_forward and quantity != "readout":
            wanted.add("forward")
        lost = wanted - set(comparison.implementations)
        missing += [f"{name}: {comparison.layer} {quantity}" for name in sorted(lost)]
    return missing

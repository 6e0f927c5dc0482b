"""Operations of any model of ours, counted while it runs, by what the operands really are.

A convolution or linear layer that reads spikes adds weights (accumulates, AC); one that reads real values
multiplies them (MAC), whatever the network is called. Published spiking detectors often price every
convolution as AC although some read membranes or SiLU outputs; both figures stand side by side here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .energy import E_AC_PICOJOULE, E_MAC_PICOJOULE

__all__ = ["LayerOperations", "Operations", "count_operations"]

LARGEST_COUNT = 255
"""Largest integer that counts as a burst of spikes; a uint8 image is told apart by being the input."""


@dataclass
class LayerOperations:
    """One convolution or linear layer; sums over everything it was given.

    Attributes:
        name: qualified name.
        operand: "spikes" (0 and one other value), "counts" (small integers, each that many additions),
            or "real".
        dense: multiply-accumulates without any sparsity, zero weights included.
        ac: additions: one for every spike and nonzero weight that it meets.
        mac: multiply-accumulates on nonzero values and weights, where the operand is real.
        values, nonzero: numbers read, and how many of them are not zero.
    """

    name: str
    operand: str = "spikes"
    dense: float = 0.0
    ac: float = 0.0
    mac: float = 0.0
    values: int = 0
    nonzero: int = 0

    @property
    def density(self) -> float:
        """Share of the numbers read that are not zero."""
        return self.nonzero / self.values if self.values else 0.0


@dataclass
class Operations:
    """What `count_operations` found; figures are per sample, over all T steps.

    Attributes:
        layers: in the order they ran.
        samples: how many were run.
        time_steps: T.
        firing_rate: spikes per neuron and step over all neuron layers, 0 without neurons.
        connections, zero_connections: weights of the counted layers.
    """

    layers: list[LayerOperations]
    samples: int
    time_steps: int
    firing_rate: float
    connections: int
    zero_connections: int
    parameter_bytes: int
    notes: list[str] = field(default_factory=list)

    def _sum(self, name: str) -> float:
        return sum(getattr(layer, name) for layer in self.layers) / max(self.samples, 1)

    @property
    def ac(self) -> float:
        """Additions per sample."""
        return self._sum("ac")

    @property
    def mac(self) -> float:
        """Multiply-accumulates per sample on nonzero real values."""
        return self._sum("mac")

    @property
    def dense(self) -> float:
        """Multiply-accumulates per sample without sparsity."""
        return self._sum("dense")

    @property
    def millijoule(self) -> float:
        """Energy of the arithmetic: E_AC x additions + E_MAC x multiply-accumulates (`report.energy`)."""
        return (E_AC_PICOJOULE * self.ac + E_MAC_PICOJOULE * self.mac) * 1e-9

    @property
    def dense_millijoule(self) -> float:
        """The same layers without sparsity, a multiply-accumulate each: the papers' figure for ANNs."""
        return E_MAC_PICOJOULE * self.dense * 1e-9

    @property
    def papers_millijoule(self) -> float:
        """The papers' formula: every layer but the first at fr x E_AC per dense operation.

        E = E_MAC OP_first + fr E_AC OP_others, fr the mean firing rate (Su et al., ICCV 2023).
        """
        if not self.layers:
            return 0.0
        first = self.layers[0].dense / max(self.samples, 1)
        others = self.dense - first
        return (E_MAC_PICOJOULE * first + self.firing_rate * E_AC_PICOJOULE * others) * 1e-9

    def neurobench(self) -> dict[str, Any]:
        """The keys of NeuroBench's static and workload metrics (Yik et al., Nature Communications 2025)."""
        real = self.layers[1:] or self.layers
        values = sum(layer.values for layer in real)
        nonzero = sum(layer.nonzero for layer in real)
        return {
            "footprint": self.parameter_bytes,
            "connection_sparsity": self.zero_connections / max(self.connections, 1),
            "activation_sparsity": 1 - nonzero / max(values, 1),
            "synaptic_operations": {
                "Effective_MACs": self.mac,
                "Effective_ACs": self.ac,
                "Dense": self.dense,
            },
        }

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "samples": self.samples,
            "time_steps": self.time_steps,
            "firing_rate": self.firing_rate,
            "mj": self.millijoule,
            "dense_mj": self.dense_millijoule,
            "papers_mj": self.papers_millijoule,
            "layers": [vars(layer) | {"density": layer.density} for layer in self.layers],
            "neurobench": self.neurobench(),
        }


def count_operations(
    model: Any, batches: Iterable[Any], *, time_steps: int | None = None, limit: int | None = None
) -> Operations:
    """Run a model in evaluation mode and count the operations of every convolution and linear layer.

    A layer that is called once for all T steps (the stem on a still image) is counted once. Norms, neurons,
    pooling and sums are not counted, as in the papers.

    Args:
        model: a torch module; layers are `torch.nn.Conv2d` and `torch.nn.Linear` and what derives from them.
        batches: inputs [B, ...] or [T, B, ...], or (inputs, targets).
        time_steps: T to run at; None leaves the model's.
        limit: number of batches; None takes all.

    Returns:
        `Operations`.

    Raises:
        ValueError: no batch, or a model without such layers.

    Example:
        >>> import torch
        >>> from lampyris import models
        >>> model = models.ems_yolo(num_classes=10, family="tiny")
        >>> counted = count_operations(model, [torch.zeros(1, 3, 80, 80, dtype=torch.uint8)], time_steps=4)
        >>> counted.layers[0].name, counted.layers[0].operand, counted.time_steps
        ('stem.conv', 'real', 4)
    """
    import torch

    from lampyris import nn

    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    found = {name: module for name, module in model.named_modules() if isinstance(module, kinds)}
    if not found:
        raise ValueError(f"count_operations: model must hold convolutions, got {type(model).__name__}")
    rows: dict[str, LayerOperations] = {}
    handles = [module.register_forward_hook(_hook(rows, name)) for name, module in found.items()]
    fired = [0, 0]
    neurons = [m for m in model.modules() if isinstance(m, (nn.LIF, nn.ILIF, nn.ConvertedIF))]
    handles += [m.register_forward_hook(lambda _, __, output: _fired(fired, output)) for m in neurons]
    stems = [(m, m.time_steps) for m in model.modules() if isinstance(m, nn.Stem)]
    training, samples = model.training, 0
    device = next(model.parameters()).device
    model.eval()
    try:
        if time_steps is not None:
            nn.set_time_steps(model, time_steps)
        steps = max((m.time_steps for m, _ in stems), default=1)
        with torch.no_grad():
            for index, batch in enumerate(batches):
                if index == limit:
                    break
                inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
                model(inputs.to(device))
                samples += inputs.shape[1] if inputs.dim() == 5 else inputs.shape[0]
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
        for stem, before in stems:
            stem.time_steps = before
    if not samples:
        raise ValueError("count_operations: batches must hold at least one, got none")
    weights = [module.weight for module in found.values()]
    return Operations(
        list(rows.values()),
        samples,
        steps,
        fired[0] / max(fired[1], 1),
        sum(w.numel() for w in weights),
        sum(int((w == 0).sum()) for w in weights),
        sum(p.numel() * p.element_size() for p in [*model.parameters(), *model.buffers()]),
    )


def _fired(total: list[int], output: Any) -> None:
    """Add a neuron layer's spikes and neuron-steps; a converted neuron's spikes carry its threshold."""
    spikes = output[0] if isinstance(output, tuple) else output
    unit = spikes.max() if _operand(spikes) == "spikes" else 1
    total[0] += int((spikes / unit).sum()) if bool(spikes.any()) else 0
    total[1] += spikes.numel()


def _hook(rows: dict[str, LayerOperations], name: str) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...], output: Any) -> None:
        first = not rows
        row = rows.setdefault(name, LayerOperations(name))
        _count(row, module, arguments[0], is_input=first or row is next(iter(rows.values())))

    return hook


def _count(row: LayerOperations, module: Any, x: Any, *, is_input: bool) -> None:
    import torch

    if not isinstance(x, torch.Tensor):
        x = x.dense()
    x = x.detach()
    nonzero = x != 0
    row.values += x.numel()
    row.nonzero += int(nonzero.sum())
    operand = "real" if is_input else _operand(x)
    order = ("spikes", "counts", "real")
    row.operand = max(row.operand, operand, key=order.index)
    met = nonzero.to(torch.float64) if operand != "counts" else x.abs().to(torch.float64)
    effective = _fan_out(module, met, (module.weight != 0).to(torch.float64))
    one = met[:1] if isinstance(module, torch.nn.Linear) else met.reshape(-1, *met.shape[-3:])[:1]
    every = torch.ones_like(module.weight, dtype=torch.float64)
    row.dense += _fan_out(module, torch.ones_like(one), every) * (met.numel() // one.numel())
    if operand == "real":
        row.mac += effective
    else:
        row.ac += effective


def _operand(x: Any) -> str:
    """What the numbers are: "spikes" where all nonzero ones are equal, "counts" for small integers."""
    largest = float(x.abs().max()) if x.numel() else 0.0
    if bool(((x == 0) | (x == x.max())).all()):
        return "spikes"
    whole = bool((x == x.round()).all()) and float(x.min()) >= 0
    return "counts" if whole and largest <= LARGEST_COUNT else "real"


def _fan_out(module: Any, x: Any, weight: Any) -> float:
    """Sum over the entries of x of x times the weights that it meets."""
    import torch

    if isinstance(module, torch.nn.Linear):
        return float((x.reshape(-1, x.shape[-1]).sum(0) * weight.sum(0)).sum())
    groups = module.groups
    # Output channels of a group are summed first: one channel a group instead of all.
    taps = weight.reshape(groups, -1, *weight.shape[1:]).sum(1)
    maps = x.reshape(-1, *x.shape[-3:])
    met = torch.nn.functional.conv2d(maps, taps, None, module.stride, module.padding, module.dilation, groups)
    return float(met.sum())

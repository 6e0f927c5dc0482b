"""What the neurons of a model do: firing rates, membranes, inputs."""

from __future__ import annotations

import io
from dataclasses import dataclass

import torch
from torch import Tensor

from lampyris import ops

from .ilif import ILIF
from .neuron import LIF

__all__ = ["Monitor", "Rate", "monitor"]

NEURONS = (LIF, ILIF)


@dataclass(frozen=True)
class Rate:
    """Activity of one layer over all recorded calls.

    Attributes:
        spikes: their number, exact.
        steps: neuron-steps, T x B x neurons summed over the calls.
        calls: of the layer.
    """

    spikes: int = 0
    steps: int = 0
    calls: int = 0

    @property
    def rate(self) -> float:
        """Spikes per neuron and time step; 0 before the first call."""
        return self.spikes / self.steps if self.steps else 0.0


def monitor(
    model: torch.nn.Module,
    *,
    rates: bool = True,
    membranes: bool = False,
    inputs: bool = False,
    layers: list[str] | None = None,
) -> Monitor:
    """Record what the neurons of ``model`` do, until the context is left.

    Hooks only: the model and its results stay as they are, and all hooks are gone on exit. Blocks run their
    layers one by one meanwhile (no fused path).

    Args:
        model: any module with neurons of lampyris.nn, as a detector, or in exact mode.
        rates: count spikes (int64, exact).
        membranes: keep the membrane after every step, in each call; costs a second run of every neuron.
        inputs: keep the currents, in each call.
        layers: qualified names of neurons to record; None records all.

    Returns:
        A `Monitor`; printing it shows a table.

    Raises:
        ValueError: a model without neurons, or a name that is none.

    Example:
        >>> import torch
        >>> from lampyris import nn
        >>> model = torch.nn.Sequential(nn.IF(1.0), nn.Conv2d(1, 1, 1))
        >>> with nn.monitor(model, membranes=True) as record:
        ...     _ = model(torch.full((4, 1, 1, 1, 1), 0.6))
        >>> record.rates["0"].spikes, record.rates["0"].rate
        (2, 0.5)
        >>> record.membranes["0"][0].flatten().tolist()[:2]
        [0.6000000238418579, 0.0]
    """
    return Monitor(model, rates, membranes, inputs, layers)


class Monitor:
    """The handle of `monitor`.

    Attributes:
        rates: {qualified name: `Rate`}, in module order.
        membranes: {qualified name: one trace [T, B, ...] per call}, detached, V after reset.
        inputs: {qualified name: one tensor [T, B, ...] per call}, detached.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        rates: bool = True,
        membranes: bool = False,
        inputs: bool = False,
        layers: list[str] | None = None,
    ) -> None:
        found = {name: m for name, m in model.named_modules() if isinstance(m, NEURONS)}
        if not found:
            raise ValueError(f"monitor: model must hold neurons, got {type(model).__name__} without any")
        unknown = [name for name in layers or () if name not in found]
        if unknown:
            raise ValueError(f"monitor: layers must name neurons of the model, got {unknown[0]!r}")
        names = list(found) if layers is None else [name for name in found if name in layers]
        self._counts = names if rates else []
        self._traces = names if membranes else []
        self._inputs = names if inputs else []
        self.reset()
        self._handles = [
            found[name].register_forward_hook(self._hook(name), with_kwargs=True) for name in names
        ]

    def reset(self) -> None:
        """Forget what was recorded."""
        self.rates: dict[str, Rate] = {name: Rate() for name in self._counts}
        self.membranes: dict[str, list[Tensor]] = {name: [] for name in self._traces}
        self.inputs: dict[str, list[Tensor]] = {name: [] for name in self._inputs}

    def close(self) -> None:
        """Remove the hooks; what was recorded stays."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _hook(self, name: str):
        @torch.no_grad()
        def hook(module, arguments, options, output) -> None:
            x = arguments[0] if arguments else options["x"]
            spikes = output[0] if isinstance(output, tuple) else output
            if name in self.rates:
                old, steps = self.rates[name], spikes.shape.numel()
                self.rates[name] = Rate(old.spikes + _count(spikes), old.steps + steps, old.calls + 1)
            if name in self.membranes:
                state = arguments[1] if len(arguments) > 1 else options.get("state")
                trace = module.run(x, None if state is ... else state, membrane="trace")[1]
                self.membranes[name].append(trace.detach())
            if name in self.inputs:
                self.inputs[name].append(x.detach().clone())

        return hook

    def __rich__(self):
        from rich.table import Table

        table = Table("layer", title="neurons")
        for heading in ("rate", "spikes", "neuron-steps", "calls"):
            table.add_column(heading, justify="right")
        for name, r in self.rates.items():
            table.add_row(name or "(model)", f"{r.rate:.4f}", str(r.spikes), str(r.steps), str(r.calls))
        total = Rate(*(sum(getattr(r, f) for r in self.rates.values()) for f in ("spikes", "steps", "calls")))
        table.add_section()
        table.add_row("all", f"{total.rate:.4f}", str(total.spikes), str(total.steps), "")
        return table

    def __repr__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=100).print(self.__rich__())
        return text.getvalue().rstrip()


def _count(spikes: Tensor | ops.Spikes) -> int:
    """The exact sum of spikes (0/1 or small integers)."""
    if isinstance(spikes, ops.Spikes):
        spikes = spikes.dense()
    return int(spikes.sum(dtype=torch.int64))

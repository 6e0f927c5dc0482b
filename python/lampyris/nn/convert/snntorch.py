"""snnTorch modules as layers of lampyris.nn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..neuron import LIF, PLIF
from .report import EXACT, FINE_TUNE, ROUNDING, Report
from .surrogates import Surrogate, is_step
from .walk import Walk

__all__ = ["from_snntorch"]

RESETS = {"zero": "hard", "subtract": "soft", "none": "none"}

_FORWARD = "convert its layers one by one and write the forward for [T, B, ...] (docs/convert.md)"


def from_snntorch(
    module: torch.nn.Module,
    *,
    keep: tuple[type, ...] = (),
    surrogate: tuple[str, float] | None = None,
) -> tuple[torch.nn.Module, Report]:
    """A copy of snnTorch layers as layers of lampyris.nn, on x [T, B, ...].

    Converted are `Leaky` (strict ``>``, as it fires) and chains of it with torch layers, which act on one
    step in snnTorch and on all of them here: the loop over time goes. The result starts at rest in every
    call; `lampyris.nn.streaming` keeps the membranes. docs/convert.md lists what converts how.

    Args:
        module: a neuron, a torch layer, or a Sequential of them (with ``init_hidden=True``). It stays as
            it is.
        keep: classes of the user's own layers that are copied unchanged, for [T, B, ...].
        surrogate: (name, width) of `lampyris.ops.lif` in place of surrogates that have no name there (as
            fast_sigmoid, whose area is 2 / slope); by default their own derivative is called in backward,
            which is slower.

    Returns:
        (module, `Report`: what is exact, and what is not and why).

    Raises:
        ConversionError: (a ValueError) every layer without a counterpart, by qualified name.

    Example:
        >>> from lampyris.nn.convert import from_snntorch
        >>> from_snntorch(torch.nn.Linear(3, 2))[0]
        TimeDistributed(
          (module): Linear(in_features=3, out_features=2, bias=True)
        )
    """
    walk = _SnnTorch("from_snntorch", "snntorch", keep, surrogate)
    return walk.run(module, "single"), walk.report


class _SnnTorch(Walk):
    def layer(self, module: torch.nn.Module, name: str, steps: str) -> torch.nn.Module:
        if isinstance(module, self.keep):
            return self.kept(module, name)
        if self.is_theirs(module):
            if type(module).__name__ == "Leaky":
                return self._leaky(module, name)
            return self.refuse(module, name, "has no counterpart", "use Leaky, or train anew with nn.LIF")
        if self.is_sequential(module):
            return self.sequential(module, name, steps)
        if self.is_torch(module) and not isinstance(module, (torch.nn.ModuleList, torch.nn.ModuleDict)):
            return self.torch_layer(module, name)
        if any(True for _ in module.children()):
            return self.refuse(module, name, "has a forward for one step", _FORWARD)
        remedy = f"pass keep=({type(module).__name__},) if it is right for [T, B, ...]"
        return self.refuse(module, name, "is unknown", remedy)

    def _leaky(self, leaky: torch.nn.Module, name: str) -> torch.nn.Module:
        graded = torch.as_tensor(leaky.graded_spikes_factor)
        for wrong, reason in (
            (leaky.inhibition, "has inhibition between neurons"),
            (leaky.state_quant, "quantizes its state"),
            (bool((graded != 1).any()) or graded.requires_grad, "has graded spikes"),
        ):
            if wrong:
                return self.refuse(leaky, name, reason, "switch it off, or train anew with nn.LIF")
        if not is_step(leaky.spike_grad, inclusive=False):
            reason = "has a spike_grad that gives no spikes 0 and 1 at >"
            return self.refuse(leaky, name, reason, "use one of snntorch.surrogate without chance")
        found = self._surrogate(leaky.spike_grad)
        note = found.note
        forward, why = self._grade(leaky)
        beta, threshold = leaky.beta.detach().clone(), leaky.threshold.detach().clone()
        learned = isinstance(leaky.threshold, torch.nn.Parameter)
        threshold = (
            torch.nn.Parameter(threshold, leaky.threshold.requires_grad) if learned else _number(threshold)
        )
        reset = RESETS[leaky.reset_mechanism]
        options = {"reset": reset, "detach_reset": True, "surrogate": found.surrogate}
        options["width"] = found.width
        if isinstance(leaky.beta, torch.nn.Parameter):
            layer = PLIF(0.5, threshold, parametrization="clamp", **options)
            layer.raw_decay = torch.nn.Parameter(beta, leaky.beta.requires_grad)
            layer.shape = tuple(beta.shape)
        else:
            layer = LIF(_number(beta.clamp(0, 1)), threshold, **options)
        if leaky.output:
            note = "; ".join(filter(None, (note, "gives spikes only; layer(x, None) gives the membrane too")))
        note = "; ".join(filter(None, (why, note)))
        self.note(name, leaky, layer, forward=forward, gradient=found.gradient, note=note)
        return layer

    @staticmethod
    def _grade(leaky: torch.nn.Module) -> tuple[str, str]:
        """(how near the forward is, why)."""
        if leaky.reset_mechanism != "subtract":
            return EXACT, ""
        if not getattr(leaky, "reset_delay", True):
            return FINE_TUNE, "snnTorch resets twice where the membrane stays above the threshold"
        if bool((leaky.beta == 1).all()):
            return ROUNDING, ""
        return FINE_TUNE, "snnTorch subtracts one step late, after the decay"

    def _surrogate(self, function: Callable[[Tensor], Tensor]) -> Surrogate:
        """Read from the closure that ``snntorch.surrogate`` makes."""
        name = getattr(function, "__qualname__", "").split(".")[0]
        code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
        values = {}
        if code is not None and cells:
            values = {key: c.cell_contents for key, c in zip(code.co_freevars, cells, strict=True)}
        if name == "atan" and "alpha" in values:
            return Surrogate("atan", 1 / float(values["alpha"]))
        if name == "sigmoid" and "slope" in values:
            return Surrogate("sigmoid", 1 / float(values["slope"]))
        if name == "fast_sigmoid" and values.get("slope") == 2:  # the area 2 / slope is 1
            return Surrogate("fast_sigmoid", 0.5)
        return self.unnamed(function, name or type(function).__name__)


def _number(value: torch.Tensor) -> float | torch.Tensor:
    return float(value) if value.numel() == 1 else value

"""SpikingJelly (activation_based) modules as layers of lampyris.nn."""

from __future__ import annotations

import torch

from ..dropout import Dropout
from ..neuron import IF, LIF, PLIF
from ..time_distributed import TimeDistributed
from .report import EXACT, ROUNDING, Report
from .surrogates import Surrogate, is_step
from .walk import Walk

__all__ = ["from_spikingjelly"]

SURROGATES = {
    "Rect": "rectangle",
    "PiecewiseQuadratic": "triangle",
    "Sigmoid": "sigmoid",
    "ATan": "atan",
    "SoftSign": "fast_sigmoid",
    "PiecewiseExp": "piecewise_exponential",
}
"""Class -> our name; alpha is 1 / width in all of them."""

_NEURONS = ("IFNode", "LIFNode", "ParametricLIFNode")
_PER_IMAGE = ("SeqToANNContainer", "MultiStepContainer")
_SET_MODE = 'call functional.set_step_mode(net, "m") first'


def from_spikingjelly(
    module: torch.nn.Module,
    *,
    keep: tuple[type, ...] = (),
    surrogate: tuple[str, float] | None = None,
) -> tuple[torch.nn.Module, Report]:
    """A copy of a SpikingJelly network made of layers of lampyris.nn, on x [T, B, ...].

    Converted are IFNode, LIFNode and ParametricLIFNode (firing at ``>=``, as they do), the step wrappers of
    torch layers, containers, dropout, and modules of the user's own or of the library's model zoo (their
    forward is kept, their children converted). The result starts at rest in every call, as after
    ``functional.reset_net``; use `lampyris.nn.streaming` to keep the membranes. docs/convert.md lists what
    converts how.

    Args:
        module: in step mode "m"; a neuron, or a chain of layers, may be in "s" (it then takes all steps at
            once instead of a loop). It stays as it is.
        keep: classes of the user's own layers that are copied unchanged.
        surrogate: (name, width) of `lampyris.ops.lif` in place of surrogates that have no name there; by
            default their own derivative is called in backward, which is slower.

    Returns:
        (module, `Report`: what is exact, and what is not and why).

    Raises:
        ConversionError: (a ValueError) every layer without a counterpart, by qualified name.

    Example:
        >>> from lampyris.nn.convert import from_spikingjelly
        >>> from_spikingjelly(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1)))[0]
        Sequential(
          (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        )
    """
    walk = _SpikingJelly("from_spikingjelly", "spikingjelly", keep, surrogate)
    modules = module.modules() if isinstance(module, torch.nn.Module) else ()
    multi = any(getattr(m, "step_mode", None) == "m" for m in modules)
    return walk.run(module, "multi" if multi else "single"), walk.report


class _SpikingJelly(Walk):
    def layer(self, module: torch.nn.Module, name: str, steps: str) -> torch.nn.Module:
        kind = type(module).__name__
        if isinstance(module, self.keep):
            return self.kept(module, name)
        mode = getattr(module, "step_mode", None)
        if mode is not None and mode != steps[0] and not (self.is_theirs(module) and kind in _PER_IMAGE):
            return self.refuse(module, name, f'is in step mode "{mode}" inside "{steps[0]}"', _SET_MODE)
        if self.is_theirs(module) and not _is_model(module):
            return self._theirs(module, name, steps, kind)
        if self.is_sequential(module):
            return self.sequential(module, name, steps)
        if self.is_torch(module):
            if steps == "single":
                return self.torch_layer(module, name)
            if any(True for _ in module.children()):  # ModuleList, ModuleDict, ...
                return self.rebuilt(module, name, steps)
            return self.kept(module, name, "kept: it reads [T, B, ...] or has its own rank")
        if any(True for _ in module.children()) and mode is None:
            if steps == "multi":
                return self.rebuilt(module, name, steps)
            return self.refuse(module, name, "has a forward for one step", _SET_MODE)
        return self.refuse(module, name, "is unknown", f"pass keep=({kind},) if it is right for [T, B, ...]")

    def _theirs(self, module: torch.nn.Module, name: str, steps: str, kind: str) -> torch.nn.Module:
        if kind in _NEURONS:
            return self._neuron(module, name)
        if kind in _PER_IMAGE:
            return self.sequential(module, name, "single")
        if kind == "StepModeContainer":
            return self.sequential(module, name, "single")
        if kind in ("Dropout", "Dropout2d"):
            found = Dropout(float(module.p), channels=kind == "Dropout2d")
            self.note(name, module, found, note="the same distribution, other random numbers")
            return found
        if kind == "ThresholdDependentBatchNorm2d":
            module = _as_batch_norm(module)
            return self.torch_layer(module, name)
        if kind == "VotingLayer":
            found = TimeDistributed(torch.nn.AvgPool1d(module.voting_size, module.voting_size))
            self.note(name, module, found)
            return found
        if self.is_wrapper(module):
            return self.torch_layer(module, name)
        remedy = "replace it by a layer of the table in docs/convert.md"
        return self.refuse(module, name, "has no counterpart", remedy)

    def _neuron(self, node: torch.nn.Module, name: str) -> torch.nn.Module:
        function = node.surrogate_function
        if not is_step(function, inclusive=True):
            reason = f"has {type(function).__name__}, which gives no spikes 0 and 1 at >="
            return self.refuse(node, name, reason, "set spiking=True, or another surrogate function")
        found = self._surrogate(function)
        soft = node.v_reset is None
        options = {
            "reset": "soft" if soft else "hard",
            "v_reset": 0.0 if soft else float(node.v_reset),
            "detach_reset": bool(node.detach_reset),
            "inclusive": True,
            "surrogate": found.surrogate,
            "width": found.width,
        }
        threshold, forward, note = float(node.v_threshold), EXACT, found.note
        kind = type(node).__name__
        if kind == "IFNode":
            layer = IF(threshold, **options)
            if options["v_reset"]:
                forward = ROUNDING
        elif kind == "LIFNode":
            tau, decay_input = float(node.tau), bool(node.decay_input)
            layer = LIF(1 - 1 / tau, threshold, gain=1 / tau if decay_input else 1.0, **options)
            forward = EXACT if tau == 2 and not decay_input and not options["v_reset"] else ROUNDING
        else:
            layer = PLIF(0.5, threshold, decay_input=bool(node.decay_input), **options)
            layer.raw_decay = torch.nn.Parameter(-node.w.detach().clone(), node.w.requires_grad)
            forward = ROUNDING
            note = "; ".join(filter(None, (note, "raw_decay is -w")))
        self.note(name, node, layer, forward=forward, gradient=found.gradient, note=note)
        return layer

    def _surrogate(self, function: torch.nn.Module) -> Surrogate:
        kind, alpha = type(function).__name__, getattr(function, "alpha", None)
        if kind in SURROGATES and alpha is not None:
            return Surrogate(SURROGATES[kind], 1 / float(alpha))
        return self.unnamed(function, kind)


def _is_model(module: torch.nn.Module) -> bool:
    """Whether it is a network of the library, which only holds layers, as a user's own would."""
    return ".activation_based.model." in f"{type(module).__module__}." and not hasattr(module, "step_mode")


def _as_batch_norm(module: torch.nn.Module) -> torch.nn.BatchNorm2d:
    """The norm that a ThresholdDependentBatchNorm2d is: alpha and v_th only set its first weight."""
    norm = torch.nn.BatchNorm2d(module.num_features, eps=module.eps, momentum=module.momentum)
    norm.load_state_dict(module.state_dict(), assign=True)
    return norm.train(module.training)

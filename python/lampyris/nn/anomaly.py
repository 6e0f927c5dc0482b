"""Finding the first value that is not finite, by layer, step and index."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris import ops

from .stem import Stem
from .time_distributed import TimeDistributed

__all__ = ["AnomalyDetector", "NonFiniteError", "detect_anomaly"]


class NonFiniteError(FloatingPointError):
    """A NaN or an infinity, with its place.

    Attributes:
        layer: qualified name. what: "input", "output", "parameter <name>", or a gradient of these.
        value: nan, inf or -inf. step: t, or None where the tensor has no time. index: of the element.
        count: of all such elements in the tensor.
    """

    def __init__(
        self, layer: str, kind: str, what: str, value: float, step: int | None, index: list[int], count: int
    ) -> None:
        self.layer, self.what, self.value = layer, what, value
        self.step, self.index, self.count = step, index, count
        where = f"at {index}" if step is None else f"at step t = {step}, index {index}"
        others = f" ({count} such values)" if count > 1 else ""
        name = f'"{layer}" ({kind})' if layer else f"the model ({kind})"
        super().__init__(f"detect_anomaly: {what} of {name} must be finite, got {value} {where}{others}")


def detect_anomaly(model: torch.nn.Module) -> AnomalyDetector:
    """Raise at the first NaN or infinity in any layer's input, parameter, output, or gradient of these.

    A neuron turns a NaN current into silence, so that a broken network looks quiet; this names the layer
    where it began. Backward is checked for the calls made inside the context, while it is open. Each check
    reads every tensor once: use it to look for a fault, not in a running training.

    Args:
        model: any module. Leaves are checked, and layers of lampyris.nn as a whole.

    Returns:
        A context manager; its hooks are gone on exit.

    Raises:
        NonFiniteError: (a FloatingPointError) from the forward or backward that meets the value.

    Example:
        >>> import torch
        >>> from lampyris import nn
        >>> model = torch.nn.Sequential(nn.Conv2d(1, 1, 1), nn.LIF())
        >>> x = torch.zeros(4, 1, 1, 2, 2)
        >>> x[2, 0, 0, 1, 0] = float("nan")
        >>> with nn.detect_anomaly(model):
        ...     model(x)
        Traceback (most recent call last):
        lampyris.nn.anomaly.NonFiniteError: detect_anomaly: input of "0" (Conv2d) must be finite, \
got nan at step t = 2, index [2, 0, 0, 1, 0]
    """
    return AnomalyDetector(model)


class AnomalyDetector:
    """The handle of `detect_anomaly`."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._handles = []
        for name, module in _leaves(model, ""):
            pre, post = self._before(name), self._after(name)
            self._handles.append(module.register_forward_pre_hook(pre))
            self._handles.append(module.register_forward_hook(post))
            for key, parameter in module.named_parameters():
                if parameter.requires_grad:
                    what = f"gradient of parameter {key}"
                    hook = self._check_gradient(name, module, what, timed=False)
                    self._handles.append(parameter.register_hook(hook))
        self._open = True

    def close(self) -> None:
        """Remove the hooks; graphs made before are no longer checked."""
        self._open = False
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> AnomalyDetector:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _before(self, name: str):
        def hook(module, arguments) -> None:
            for key, parameter in module.named_parameters():
                _check(parameter, name, module, f"parameter {key}", timed=False)
            for what, value in _named(module, arguments, "input"):
                _check(value, name, module, what, what == "input" and _timed(module, value))

        return hook

    def _after(self, name: str):
        def hook(module, arguments, output) -> None:
            for what, value in _named(module, output, "output"):
                timed = what == "output" and _timed(module, value)
                _check(value, name, module, what, timed)
                if value.requires_grad:
                    value.register_hook(self._check_gradient(name, module, f"gradient of {what}", timed))

        return hook

    def _check_gradient(self, name: str, module: torch.nn.Module, what: str, timed: bool):
        def hook(grad: Tensor) -> None:
            if self._open:
                _check(grad, name, module, what, timed)

        return hook


def _leaves(module: torch.nn.Module, name: str):
    """Modules without children, and timed layers that fold T away inside."""
    children = list(module.named_children())
    if not children or isinstance(module, TimeDistributed) or getattr(module, "takes_state", False):
        yield name, module
        return
    for key, child in children:
        yield from _leaves(child, f"{name}.{key}" if name else key)
    own = any(True for _ in module.parameters(recurse=False))
    if own and not isinstance(module, Stem):
        yield name, module


def _timed(module: torch.nn.Module, value: Tensor) -> bool:
    """Whether dimension 0 of ``value`` is time."""
    timed = getattr(module, "takes_state", False) or isinstance(module, TimeDistributed)
    return value.dim() == 5 or (timed and value.dim() >= 2)


def _named(module: torch.nn.Module, values, what: str):
    """(name, tensor) of every floating-point tensor; a layer's state is second where it has one."""
    if isinstance(values, (tuple, list)):
        stateful = getattr(module, "takes_state", False)
        for i, value in enumerate(values):
            yield from _named(module, value, "state" if stateful and i else what)
    elif isinstance(values, ops.Spikes):
        yield what, values.carrier
    elif isinstance(values, Tensor) and values.dtype.is_floating_point:
        yield what, values


@torch.no_grad()
def _check(value: Tensor, name: str, module: torch.nn.Module, what: str, timed: bool) -> None:
    finite = torch.isfinite(value)
    if finite.all():
        return
    places = (~finite).nonzero()
    index = places[0].tolist()
    step = index[0] if timed else None
    bad = float(value[tuple(index)])
    raise NonFiniteError(name, type(module).__name__, what, bad, step, index, len(places))

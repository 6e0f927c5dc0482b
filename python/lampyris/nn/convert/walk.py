"""The walk over a foreign module that both converters share."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from .layers import time_first, torch_class
from .report import ConversionError, Converted, Report
from .surrogates import Surrogate, own_derivative, replaced

__all__ = ["Walk", "qualified"]


class Walk:
    """Copies a module tree, layer by layer; a library's converter is a subclass.

    Args:
        function: its name, for errors.
        library: package name of the library, as classes give it in ``__module__``.
        keep: classes whose modules are copied as they are.
        surrogate: (name, width) in place of surrogates that have no name here; None takes their own
            derivative.
    """

    def __init__(
        self, function: str, library: str, keep: tuple[type, ...], surrogate: tuple[str, float] | None
    ) -> None:
        self.function, self.library, self.keep, self.surrogate = function, library, keep, surrogate
        self.report = Report()
        self.problems: list[tuple[str, str, str]] = []
        self._done: dict[int, torch.nn.Module] = {}

    def run(self, module: torch.nn.Module, steps: str) -> torch.nn.Module:
        """The converted copy, in the same training mode.

        Raises:
            ConversionError: all layers without a counterpart.
        """
        if not isinstance(module, torch.nn.Module):
            raise ValueError(f"{self.function}: module must be a torch module, got {type(module).__name__}")
        converted = self.convert(module, "", steps)
        if self.problems:
            raise ConversionError(self.function, self.problems)
        return converted

    def convert(self, module: torch.nn.Module, name: str, steps: str) -> torch.nn.Module:
        if id(module) not in self._done:
            converted = self.layer(module, name, steps)
            converted.training = module.training
            if hasattr(module, "step_mode") and not hasattr(converted, "step_mode"):
                converted.step_mode = module.step_mode  # a kept forward may ask for it
            self._done[id(module)] = converted
        return self._done[id(module)]

    def layer(self, module: torch.nn.Module, name: str, steps: str) -> torch.nn.Module:
        """The counterpart of one module; ``steps`` is "single" where T is looped over outside it."""
        raise NotImplementedError

    def children(self, module: torch.nn.Module, name: str, steps: str) -> dict[str, torch.nn.Module | None]:
        """{key: converted child}, None where there is none."""
        found = {}
        for key, child in module._modules.items():  # named_children leaves out repeated ones and None
            path = f"{name}.{key}" if name else key
            found[key] = None if child is None else self.convert(child, path, steps)
        return found

    def sequential(self, module: torch.nn.Module, name: str, steps: str) -> torch.nn.Module:
        found = torch.nn.Sequential()
        for key, child in self.children(module, name, steps).items():
            found.add_module(key, child)
        return found

    def torch_layer(self, module: torch.nn.Module, name: str) -> torch.nn.Module:
        """A layer of torch, or a wrapper around one, applied to every step."""
        found, note = time_first(module)
        self.note(name, module, found, note=note)
        return found.train(module.training)

    def kept(self, module: torch.nn.Module, name: str, note: str = "kept as it is") -> torch.nn.Module:
        self.report.layers.append(Converted(name, type(module).__name__, type(module).__name__, note=note))
        return copy.deepcopy(module)

    def rebuilt(self, module: torch.nn.Module, name: str, steps: str) -> torch.nn.Module:
        """A copy of a user's module with converted children and its own forward."""
        found = type(module).__new__(type(module))
        tables = {key: copy.copy(v) if isinstance(v, dict) else v for key, v in module.__dict__.items()}
        found.__dict__ = tables
        for table in ("_parameters", "_buffers"):
            found.__dict__[table] = copy.deepcopy(module.__dict__[table])
        found.__dict__["_modules"] = {}
        self.report.layers.append(
            Converted(name, type(module).__name__, type(module).__name__, note="its forward is kept")
        )
        for key, child in self.children(module, name, steps).items():
            found.add_module(key, child)
        return found

    def note(self, name: str, source: torch.nn.Module, target: torch.nn.Module, **what: str) -> None:
        kind = type(target).__name__
        if kind == "TimeDistributed":
            kind = f"TimeDistributed({type(target.module).__name__})"
        self.report.layers.append(Converted(name, type(source).__name__, kind, **what))

    def refuse(self, module: torch.nn.Module, name: str, reason: str, remedy: str) -> torch.nn.Module:
        self.problems.append((name or "module", f"({qualified(module)}) {reason}", remedy))
        return torch.nn.Identity()

    def is_torch(self, module: torch.nn.Module) -> bool:
        return type(module).__module__.startswith("torch.nn.")

    def is_theirs(self, module: torch.nn.Module) -> bool:
        return type(module).__module__.split(".")[0] == self.library

    def is_wrapper(self, module: torch.nn.Module) -> bool:
        """Whether the library only wraps a torch layer of the same name."""
        kind = torch_class(module)
        return kind is not None and self.is_theirs(module) and kind.__name__ == type(module).__name__

    @staticmethod
    def is_sequential(module: torch.nn.Module) -> bool:
        return isinstance(module, torch.nn.Sequential) and type(module).forward is torch.nn.Sequential.forward

    def unnamed(self, function: Callable[[Tensor], Tensor], name: str) -> Surrogate:
        """A surrogate that `lampyris.ops.lif` has no name for."""
        return own_derivative(function, name) if self.surrogate is None else replaced(self.surrogate, name)


def qualified(module: torch.nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"

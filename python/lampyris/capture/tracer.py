"""torch.fx tracing with the layers of lampyris.nn as leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import fx

from lampyris import nn

from .graph import CaptureError

__all__ = ["trace"]

_REMEDY = "use layers of lampyris.nn, + and Python constants only; reshapes and tests belong inside layers"


class _Tracer(fx.Tracer):
    """Keeps the qualified name of the module whose forward makes each node."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = [""]

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.LAYERS) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m, forward, args, kwargs):
        self.stack.append(self.path_of_module(m))
        result = super().call_module(m, forward, args, kwargs)
        self.stack.pop()
        return result

    def create_node(self, kind, target, args, kwargs, name=None, type_expr=None):
        node = super().create_node(kind, target, args, kwargs, name, type_expr)
        node.meta["scope"] = self.stack[-1]
        return node


def trace(model: torch.nn.Module) -> fx.Graph:
    """Trace ``model`` once; blocks with a ``fused`` path are traced on their plain one.

    Raises:
        CaptureError: the forward cannot be traced; names the module it stopped in.
    """
    tracer = _Tracer()
    with _plain_paths(model):
        try:
            return tracer.trace(model)
        except Exception as error:
            where = next((name for name in reversed(tracer.stack) if name), type(model).__name__)
            reason = f"forward cannot be traced ({str(error).splitlines()[0] if str(error) else error!r})"
            raise CaptureError([(where, reason, _REMEDY)]) from error


@contextlib.contextmanager
def _plain_paths(model: torch.nn.Module) -> Iterator[None]:
    fused = [module for module in model.modules() if getattr(module, "fused", False) is True]
    for module in fused:
        module.fused = False
    try:
        yield
    finally:
        for module in fused:
            module.fused = True

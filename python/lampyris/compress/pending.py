"""The current of a residual branch, waiting for its shortcut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from .exact_conv import ExactConv2d

__all__ = ["PendingCurrent"]


class PendingCurrent:
    """(P << s) + B of a residual branch's last convolution; ``+ shortcut`` gives sat16((P << s) + B + A).

    Clamping the sum once needs both operands, so the convolution hands out this object and a plain ``+`` in
    the model's forward completes it. Anything else done with it raises TypeError.
    """

    __slots__ = ("current", "layer")

    def __init__(self, layer: ExactConv2d, current: Tensor) -> None:
        self.layer = layer
        self.current = current

    def __add__(self, shortcut: Tensor) -> Tensor:
        if not isinstance(shortcut, Tensor):
            self._refuse(f"+ {type(shortcut).__name__}")
        return self.layer.finish(self.current, shortcut)

    __radd__ = __add__

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        pending = [argument for argument in args if isinstance(argument, cls)]
        name = getattr(func, "__name__", str(func))
        if not pending:
            raise TypeError(f"PendingCurrent: must be completed by +, got {name}")
        others = [argument for argument in args if not isinstance(argument, cls)]
        if name in ("add", "__add__", "__radd__") and len(pending) == len(others) == 1 and not kwargs:
            return pending[0] + others[0]
        pending[0]._refuse(name)

    def _refuse(self, got: str):
        raise TypeError(
            f"{self.layer.entry['name']}: current must be completed by + with its shortcut, got {got}"
        )

"""Surrogates of other libraries as those of `lampyris.ops.lif`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .report import EXACT, FINE_TUNE

__all__ = ["OwnDerivative", "Surrogate", "is_step", "own_derivative", "replaced"]

_PROBES = 65  # distances from -2 to 2, with 0 in the middle


@dataclass(frozen=True)
class Surrogate:
    """``surrogate`` and ``width`` of `lampyris.ops.lif`, the grade of the gradient, and a note on it."""

    surrogate: str | Callable[[Tensor], Tensor]
    width: float = 1.0
    gradient: str = EXACT
    note: str = ""


class OwnDerivative:
    """ds/dU of another library's spike function, as its own autograd computes it.

    Example:
        >>> OwnDerivative(torch.sigmoid)(torch.zeros(1)).item()
        0.25
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def __call__(self, distance: Tensor) -> Tensor:
        with torch.enable_grad():
            distance = distance.detach().requires_grad_()
            spikes = self.function(distance)
            if not spikes.requires_grad:
                return torch.zeros_like(distance)
            (slope,) = torch.autograd.grad(spikes.sum(), distance)
        return slope

    def __repr__(self) -> str:
        return f"OwnDerivative({self.function})"


def own_derivative(function: Callable[[Tensor], Tensor], name: str) -> Surrogate:
    """The function's own derivative, through the operator's slower path."""
    return Surrogate(
        OwnDerivative(function), note=f"{name}'s own derivative, on the slower path for callables"
    )


def replaced(surrogate: tuple[str, float], name: str) -> Surrogate:
    """The user's choice in place of the function called ``name``."""
    kind, width = surrogate
    return Surrogate(kind, float(width), FINE_TUNE, f"surrogate {name} became {kind} of width {width:g}")


def is_step(function: Callable[[Tensor], Tensor], inclusive: bool) -> bool:
    """Whether ``function`` gives 1 above 0 (and at 0 if inclusive) and 0 below, without chance."""
    distance = torch.linspace(-2, 2, _PROBES)
    expected = (distance >= 0 if inclusive else distance > 0).float()
    with torch.no_grad():
        return all(torch.equal(torch.as_tensor(function(distance)).float(), expected) for _ in range(2))

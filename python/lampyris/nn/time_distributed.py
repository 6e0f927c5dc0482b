"""Any torch module, applied to every time step."""

from __future__ import annotations

import torch
from torch import Tensor

from .folding import fold, per_image

__all__ = ["TimeDistributed"]

_DEPENDENT = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)


class TimeDistributed(torch.nn.Module):
    """Apply ``module`` ([N, ...] -> [N, ...]) to each step of x [T, B, ...]: T and B are folded into N.

    No copy is made for contiguous, channels_last or batch-first memory. Where all steps are one tensor
    (expanded over T), the work is done once, unless the module draws random numbers or takes batch
    statistics (batch norm and dropout in training mode).

    Args:
        module: any module whose first argument and result are one tensor [N, ...]; it must not have a
            neuron inside, which would take N for time.

    Raises:
        ValueError: a module that holds neurons, or x without T and B.

    Example:
        >>> import torch
        >>> TimeDistributed(torch.nn.Linear(5, 3))(torch.zeros(4, 2, 5)).shape
        torch.Size([4, 2, 3])
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        for name, part in module.named_modules():
            if getattr(part, "takes_state", False):
                got = f'{type(part).__name__} "{name}"' if name else type(part).__name__
                raise ValueError(f"TimeDistributed: module must not hold layers with a state, got {got}")
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, ...] -> [T, B, ...], each step through the module."""
        if x.dim() < 2:
            raise ValueError(f"TimeDistributed: x must have shape [T, B, ...], got {list(x.shape)}")
        dependent = any(m.training and isinstance(m, _DEPENDENT) for m in self.module.modules())
        return (fold if dependent else per_image)(self.module, x)

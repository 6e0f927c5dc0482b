"""Totals that divide a loss: those of all processes, so that N processes train as one."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["shared_total"]


@torch.no_grad()
def shared_total(total: Tensor, least: float = 1.0) -> Tensor:
    """Mean over processes of ``total``, at least ``least`` / processes.

    DDP averages gradients over P processes. A sum divided by this is then, on average, the sum over all
    processes divided by the total over all of them: what one process with the whole batch computes.

    Args:
        total: a scalar, such as the number of matched cells.
        least: of the sum over processes.

    Example:
        >>> import torch
        >>> shared_total(torch.tensor(0.25)).item()
        1.0
    """
    processes = 1
    if dist.is_available() and dist.is_initialized():
        processes = dist.get_world_size()
    if processes > 1:
        total = total.detach().clone()
        dist.all_reduce(total)
        total = total / processes
    return total.clamp(min=least / processes)

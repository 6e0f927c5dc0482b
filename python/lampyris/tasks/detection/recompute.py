"""Activation checkpointing: blocks are computed again in the backward pass instead of being kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

__all__ = ["outermost_blocks", "recompute_blocks"]


def outermost_blocks(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Residual blocks and LCBs (modules with ``fused``) that lie in no other one."""
    found: list[torch.nn.Module] = []
    for child in model.children():
        found += [child] if hasattr(child, "fused") else outermost_blocks(child)
    return found


def recompute_blocks(model: torch.nn.Module) -> int:
    """Keep only the inputs of the blocks of ``model`` between forward and backward.

    One more forward pass of the blocks buys the memory of all but one of them. Running statistics are
    updated by the first pass alone, and random numbers are drawn again alike: results are the same.

    Args:
        model: a detector; its blocks are changed in place, names of parameters stay.

    Returns:
        Number of blocks.

    Example:
        >>> from lampyris import models
        >>> recompute_blocks(models.ems_yolo())
        4
    """
    blocks = outermost_blocks(model)
    for block in blocks:
        block.forward = MethodType(_forward, block)
    return len(blocks)


def _forward(self: torch.nn.Module, x: Tensor) -> Any:
    plain = type(self).forward
    if not (self.training and torch.is_grad_enabled()):
        return plain(self, x)
    contexts = partial(_contexts, self)
    return checkpoint(plain, self, x, use_reentrant=False, context_fn=contexts)


def _contexts(block: torch.nn.Module) -> tuple[Any, Any]:
    return contextlib.nullcontext(), _frozen_statistics(block)


@contextlib.contextmanager
def _frozen_statistics(block: torch.nn.Module) -> Iterator[None]:
    """Momentum 0 leaves running statistics as they are, bit for bit; the count of batches is put back."""
    norms = [m for m in block.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    kept = [(norm, norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)

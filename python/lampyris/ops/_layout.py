"""Shapes and strides that the operators return, for their fake kernels (csrc/ops/layout.h)."""

from __future__ import annotations

from torch import Tensor

__all__ = ["empty_steps", "packed_dim", "packed_order", "step_order"]


def step_order(x: Tensor) -> list[int]:
    """Dims of x[0] in memory order, outermost first; logical order when one is expanded."""
    sizes, strides = x.shape[1:], x.stride()[1:]
    order = list(range(len(sizes)))
    if any(size > 1 and stride == 0 for size, stride in zip(sizes, strides, strict=True)):
        return order
    return sorted(order, key=lambda d: -strides[d])


def packed_dim(x: Tensor) -> int:
    """The dimension that ``output="packed"`` packs: C of maps [T, B, C, H, W], else the last."""
    return 2 if x.dim() == 5 else x.dim() - 1


def packed_order(x: Tensor) -> list[int]:
    """The memory order that packing keeps: logical, or the packed dimension innermost."""
    logical = list(range(x.dim() - 1))
    last = packed_dim(x) - 1
    moved = [d for d in logical if d != last] + ([last] if last >= 0 else [])
    significant = [d for d in step_order(x) if x.shape[d + 1] > 1]
    return moved if significant == [d for d in moved if x.shape[d + 1] > 1] else logical


def empty_steps(x: Tensor, order: list[int], steps: int | None) -> Tensor:
    """An empty tensor [steps, *x.shape[1:]] (no T when None), dense in ``order``."""
    sizes = x.shape[1:]
    strides, stride = [1] * len(sizes), 1
    for d in reversed(order):
        strides[d] = stride
        stride = stride * max(sizes[d], 1)
    if steps is None:
        return x.new_empty_strided(sizes, strides)
    neurons = 1
    for size in sizes:
        neurons = neurons * size
    return x.new_empty_strided((steps, *sizes), (max(neurons, 1), *strides))

"""Shapes (C, H, W) of each layer's result, without running it."""

from __future__ import annotations

import torch

__all__ = ["convolved", "layer_shape"]

Shape = tuple[int, int, int]


def convolved(conv: torch.nn.Conv2d, shape: Shape) -> Shape:
    """Shape after ``conv``. Raises ValueError when the channels differ."""
    if shape[0] != conv.in_channels:
        raise ValueError(f"must read {conv.in_channels} channels, got {shape[0]}")
    sizes = [
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, pad, dilation, kernel, stride in zip(
            shape[1:], conv.padding, conv.dilation, conv.kernel_size, conv.stride, strict=True
        )
    ]
    return (conv.out_channels, sizes[0], sizes[1])


def layer_shape(op: str, module: torch.nn.Module, inputs: list[Shape]) -> Shape:
    """Shape of the result of one layer. Raises ValueError saying what does not fit.

    Example:
        >>> from lampyris import nn
        >>> layer_shape("maxpool", nn.MaxPool2d(2), [(8, 10, 12)])
        (8, 5, 6)
    """
    c, h, w = inputs[0]
    if op == "stem":
        return convolved(getattr(module, "conv", module), inputs[0])
    if op == "conv":
        return convolved(module, inputs[0])
    if op == "maxpool":
        k = module.kernel_size
        if h % k or w % k:
            raise ValueError(f"must read H and W that are multiples of {k}, got {h} x {w}")
        return (c, h // k, w // k)
    if op == "upsample":
        return (c, h * module.factor, w * module.factor)
    if op == "concat":
        if any(shape[1:] != (h, w) for shape in inputs):
            raise ValueError(f"must join maps of one size, got {inputs}")
        return (sum(shape[0] for shape in inputs), h, w)
    return (c, h, w)

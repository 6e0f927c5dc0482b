"""Neurons, then synapses, in plain torch."""

from __future__ import annotations

from torch import Tensor

from lampyris.reference.lif import lif
from lampyris.reference.spike_conv2d import spike_conv2d
from lampyris.reference.spike_linear import spike_linear

__all__ = ["lif_conv2d", "lif_linear"]


def lif_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    decay: float | Tensor,
    threshold: float | Tensor,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    precision: str = "mixed",
    **options,
) -> tuple[Tensor, Tensor | None]:
    """The twin of :func:`lampyris.ops.lif_conv2d`; see there for every argument.

    Example:
        >>> import torch
        >>> x = torch.tensor([0.6, 0.6, 0.6]).view(3, 1, 1, 1, 1)
        >>> lif_conv2d(x, torch.ones(1, 1, 1, 1), decay=0.5, threshold=1.0)[0].flatten().tolist()
        [0.0, 0.0, 1.0]
    """
    spikes, membrane = lif(x, decay, threshold, **options)
    current = spike_conv2d(
        spikes, weight, bias, stride=stride, padding=padding, groups=groups, precision=precision
    )
    return current, membrane


def lif_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    decay: float | Tensor,
    threshold: float | Tensor,
    precision: str = "mixed",
    **options,
) -> tuple[Tensor, Tensor | None]:
    """The twin of :func:`lampyris.ops.lif_linear`; see there for every argument.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.6], [0.6], [0.6]])
        >>> lif_linear(x, torch.tensor([[2.0]]), decay=0.5, threshold=1.0)[0].flatten().tolist()
        [0.0, 0.0, 2.0]
    """
    spikes, membrane = lif(x, decay, threshold, **options)
    return spike_linear(spikes, weight, bias, precision=precision), membrane

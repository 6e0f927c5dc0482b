"""Batch norm over time and batch, a residual, and neurons, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.reference.lif import lif

__all__ = ["tdbn_add", "tdbn_add_lif"]


def tdbn_add(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    process_group: None = None,
) -> Tensor:
    """The twin of :func:`lampyris.ops.tdbn_add`; see there for every argument.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
        >>> tdbn_add(x, None, None, None, None, None, training=True, eps=0.0).flatten().tolist()
        [-1.0, 1.0]
    """
    dims = (0, 1, 3, 4)
    if training:
        mean, var = x.mean(dims), x.var(dims, correction=0)
        with torch.no_grad():
            n = x.numel() / x.shape[2]
            if running_mean is not None:
                running_mean += momentum * (mean - running_mean)
            if running_var is not None:
                running_var += momentum * (var * (n / (n - 1)) - running_var)
    else:
        mean, var = running_mean, running_var
    shape = (-1, 1, 1)
    y = (x - mean.view(shape)) / (var.view(shape) + eps).sqrt()
    if weight is not None:
        y = y * weight.view(shape)
    if bias is not None:
        y = y + bias.view(shape)
    return y if residual is None else y + residual


def tdbn_add_lif(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    process_group: None = None,
    decay: float | Tensor,
    threshold: float | Tensor,
    output: str = "packed",
    stream: bool = True,
    **options,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """The twin of :func:`lampyris.ops.tdbn_add_lif`; see there for every argument.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
        >>> _, spikes, _ = tdbn_add_lif(
        ...     x, None, None, None, None, None, training=True, decay=0.5, threshold=0.25, output="dense")
        >>> spikes.flatten().tolist()
        [0.0, 1.0]
    """
    current = tdbn_add(
        x, residual, weight, bias, running_mean, running_var, training=training, momentum=momentum, eps=eps
    )
    spikes, v = lif(current, decay, threshold, output=output, **options)
    return current if stream else None, spikes, v

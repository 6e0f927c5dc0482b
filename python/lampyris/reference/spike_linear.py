"""Linear layer on spikes: unpack and multiply."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops.spikes import Spikes
from lampyris.reference.pack_spikes import unpack_spikes

__all__ = ["spike_linear"]


def spike_linear(
    spikes: Spikes | Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    scale: float | Tensor | None = None,
    precision: str = "float32",
) -> Tensor:
    """The twin of :func:`lampyris.ops.spike_linear`; see there for every argument.

    Returns:
        Tensor [..., N]; with "bfloat16" of the weight rounded to it.

    Example:
        >>> import torch
        >>> spike_linear(torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[1.0, 10.0, 100.0]])).tolist()
        [[101.0]]
    """
    dense = unpack_spikes(spikes) if isinstance(spikes, Spikes) else spikes
    if weight.dtype == torch.int8:
        exact = torch.nn.functional.linear(
            dense.double(), weight.double(), None if bias is None else bias.double()
        )
        return exact.to(torch.int32) if scale is None else exact.to(torch.int32) * scale
    if precision == "bfloat16":
        weight = weight.bfloat16().to(weight.dtype)
    return torch.nn.functional.linear(dense.to(weight.dtype), weight, bias)

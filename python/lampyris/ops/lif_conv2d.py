"""Neurons and the synapses behind them in one call."""

from __future__ import annotations

from torch import Tensor

from lampyris.ops.lif import lif
from lampyris.ops.spike_conv2d import spike_conv2d
from lampyris.ops.spike_linear import spike_linear

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
    """Convolve the spikes of LIF neurons; no float spikes reach memory.

    Bit-equal to :func:`lampyris.ops.lif` with ``output="packed"``, then
    :func:`lampyris.ops.spike_conv2d`. The spikes exist as one bit each; the backward keeps them and,
    with a rectangle surrogate and a detached or soft reset, two more bits a neuron-step.

    Args:
        x: input currents [T, B, C, H, W]; channels_last maps are read, and their gradient is written,
            in place (else one copy of the gradient is made).
        weight: [Co, C / groups, kh, kw], dtype of x.
        bias: [Co].
        decay: share of the membrane kept per step, as in ``lif``.
        threshold: firing threshold, as in ``lif``.
        stride: step in pixels, >= 1.
        padding: silent pixels on each side, >= 0.
        groups: blocks of channels that do not mix.
        precision: "float32", "mixed" (forward as float32, so that no spike of the next layer flips;
            products of the gradients in bfloat16 where the machine is faster so) or "bfloat16".
        options: ``gain``, ``reset``, ``v_reset``, ``detach_reset``, ``inclusive``, ``surrogate``,
            ``width``, ``v_init``, ``rounding`` and ``membrane`` of ``lif``.

    Returns:
        (current [T, B, Co, H', W'] in channels_last strides, membrane as ``lif`` returns it). Gradients
        reach x, weight, bias, v_init, decay, threshold and gain.

    Raises:
        ValueError: a shape, dtype, device or option is not one of the above.
        TypeError: an option that ``lif`` does not have, or ``output``.

    Example:
        >>> import torch
        >>> x = torch.tensor([0.6, 0.6, 0.6]).view(3, 1, 1, 1, 1)
        >>> current, v = lif_conv2d(x, torch.full((1, 1, 1, 1), 2.0), decay=0.5, threshold=1.0)
        >>> current.flatten().tolist(), v.flatten().tolist()
        ([0.0, 0.0, 2.0], [0.0])
    """
    if x.dim() != 5:
        raise ValueError(f"lif_conv2d: x must have shape [T, B, C, H, W], got {list(x.shape)}")
    _check_options("lif_conv2d", options)
    spikes, membrane = lif(x, decay, threshold, output="packed", **options)
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
    """Multiply the spikes of LIF neurons by a matrix; no float spikes reach memory.

    Bit-equal to :func:`lampyris.ops.lif` with ``output="packed"``, then
    :func:`lampyris.ops.spike_linear`.

    Args:
        x: input currents [T, ..., K] with 2 to 4 dimensions.
        weight: [N, K], dtype of x.
        bias: [N].
        decay: share of the membrane kept per step, as in ``lif``.
        threshold: firing threshold, as in ``lif``.
        precision: as in :func:`lif_conv2d`.
        options: as in :func:`lif_conv2d`.

    Returns:
        (current [T, ..., N], membrane as ``lif`` returns it). Gradients reach x, weight, bias, v_init,
        decay, threshold and gain.

    Raises:
        ValueError: a shape, dtype, device or option is not one of the above.
        TypeError: an option that ``lif`` does not have, or ``output``.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.6], [0.6], [0.6]])
        >>> lif_linear(x, torch.tensor([[2.0]]), decay=0.5, threshold=1.0)[0].flatten().tolist()
        [0.0, 0.0, 2.0]
    """
    if not 2 <= x.dim() <= 4:
        raise ValueError(
            f"lif_linear: x must have shape [T, ..., K] with 2 to 4 dimensions, got {list(x.shape)}"
        )
    _check_options("lif_linear", options)
    spikes, membrane = lif(x, decay, threshold, output="packed", **options)
    return spike_linear(spikes, weight, bias, precision=precision), membrane


def _check_options(op: str, options: dict) -> None:
    if "output" in options:
        raise TypeError(f"{op}: options must not contain output, got {options['output']!r}")

"""Batch norm over time and batch, a residual, and neurons, in two passes over memory."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor

from lampyris.ops import _layout, _tdbn_autograd
from lampyris.ops._below_autograd import below_autograd
from lampyris.ops.lif import lif
from lampyris.ops.spikes import Spikes

__all__ = ["tdbn_add", "tdbn_add_lif"]

_OUTPUTS = ("dense", "packed")
_HALVES = (torch.float16, torch.bfloat16)


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
    process_group: torch.distributed.ProcessGroup | None = None,
) -> Tensor:
    """Normalise currents per channel over T, B, H and W, scale and shift them, and add a residual.

    stream = (x - mean) / sqrt(var + eps) * weight + bias + residual. Sums are made in float32 about a pivot
    for at most 128 values, then in float64; mean and variance are float64.

    Args:
        x: currents [T, B, C, H, W], float32 (float64; bfloat16 and float16 are computed in float32 and
            give a stream of their dtype). channels_last maps are read in place and fastest.
        residual: like x, or None.
        weight, bias: [C], or None for 1 and 0.
        running_mean, running_var: [C]; moved in place when training (the variance unbiased), used when not.
        training: statistics of x, else the running ones.
        momentum: share of the new statistics.
        eps: added to the variance.
        process_group: sums are added up over its processes, as in torch's SyncBatchNorm.

    Returns:
        stream [T, B, C, H, W] in x's dtype and memory order.

    Raises:
        ValueError: a shape, dtype or device is not one of the above; one value per channel when training; no
            running statistics when not.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
        >>> tdbn_add(x, None, None, None, None, None, training=True, eps=0.0).flatten().tolist()
        [-1.0, 1.0]

    Source: Zheng et al., Going deeper with directly-trained larger spiking neural networks, AAAI 2021.
    """
    x, residual, dtype = _widen(x, residual)
    weight, bias = _parameters(x, weight, bias)
    moments, group = _moments(x, running_mean, running_var, training, momentum, eps, process_group)
    stream = torch.ops.lampyris.tdbn_add(x, residual, weight, bias, moments, training, group)
    return stream if dtype == stream.dtype else stream.to(dtype)


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
    process_group: torch.distributed.ProcessGroup | None = None,
    decay: float | Tensor,
    threshold: float | Tensor,
    output: str = "packed",
    stream: bool = True,
    gain: float | Tensor = 1.0,
    width: float | Tensor = 1.0,
    v_init: Tensor | None = None,
    membrane: str | None = "last",
    **options,
) -> tuple[Tensor | None, Tensor | Spikes, Tensor | None]:
    """`tdbn_add`, then `lampyris.ops.lif` on its stream while that is in cache.

    With a rectangle surrogate, a detached or soft reset and no gradient for decay, threshold or gain, the
    backward keeps x, two bits a neuron-step and the statistics; otherwise this is the two operators one after
    the other.

    Args:
        x, residual, weight, bias, running_mean, running_var, training, momentum, eps, process_group: as in
            `tdbn_add`.
        decay, threshold, gain, width, v_init, membrane, options: as in `lampyris.ops.lif`.
        output: "packed" returns :class:`Spikes` packed along C, "dense" a Tensor.
        stream: return the stream too; without it, it is not written to memory.

    Returns:
        (stream [T, B, C, H, W] or None, spikes, membrane).

    Raises:
        ValueError: as in `tdbn_add` and `lampyris.ops.lif`.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
        >>> stream, spikes, v = tdbn_add_lif(
        ...     x, None, None, None, None, None, training=True, eps=0.0, decay=0.5, threshold=0.25)
        >>> stream.flatten().tolist(), spikes.dense().flatten().tolist(), v.flatten().tolist()
        ([-1.0, 1.0], [0.0, 1.0], [0.0])
    """
    if output not in _OUTPUTS:
        raise ValueError(f"tdbn_add_lif: output must be one of 'dense', 'packed', got {output!r}")
    learned = torch.is_grad_enabled() and any(
        isinstance(p, Tensor) and p.requires_grad for p in (decay, threshold, gain)
    )
    reset, detach_reset = options.get("reset", "hard"), options.get("detach_reset", True)
    codes_are_enough = (
        options.get("surrogate", "rectangle") == "rectangle"
        and options.get("rounding", "none") == "none"
        and reset in ("hard", "soft")
        and (detach_reset or reset == "soft")
        and membrane in ("last", None)
        and not learned
    )
    dtype = x.dtype
    if not codes_are_enough or dtype in _HALVES:
        current = tdbn_add(
            *(t.float() if t is not None and t.dtype in _HALVES else t for t in (x, residual)),
            weight,
            bias,
            running_mean,
            running_var,
            training=training,
            momentum=momentum,
            eps=eps,
            process_group=process_group,
        )
        spikes, v = lif(
            current,
            decay,
            threshold,
            gain=gain,
            width=width,
            v_init=v_init,
            membrane=membrane,
            output=output,
            **options,
        )
        return current.to(dtype) if stream else None, spikes, v
    weight, bias = _parameters(x, weight, bias)
    moments, group = _moments(x, running_mean, running_var, training, momentum, eps, process_group)
    return _fused(
        x, residual, weight, bias, moments, training, group, decay, threshold, gain, width, v_init,
        membrane, output, stream, reset, detach_reset, **_rest(options),
    )  # fmt: skip


def _rest(options: dict) -> dict:
    known = ("reset", "detach_reset", "surrogate", "rounding")
    return {name: value for name, value in options.items() if name not in known}


def _fused(
    x, residual, weight, bias, moments, training, group, decay, threshold, gain, width, v_init,
    membrane, output, stream, reset, detach_reset, v_reset=0.0, inclusive=False,
):  # fmt: skip
    tensors = [p if isinstance(p, Tensor) else None for p in (decay, threshold, gain, width)]
    values = [0.0 if isinstance(p, Tensor) else float(p) for p in (decay, threshold, gain, width)]
    if tensors[3] is not None and tensors[3].requires_grad:
        raise ValueError("lif: width must not require grad, got a tensor that does")
    inputs = (x, residual, weight, bias, v_init)
    save_codes = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs)
    spikes, current, v, _, words = _tdbn_autograd.run_lif(
        x,
        residual,
        weight,
        bias,
        moments,
        v_init,
        *tensors,
        [*values, float(v_reset)],
        reset,
        detach_reset,
        inclusive,
        output,
        membrane or "none",
        stream,
        save_codes,
        training,
        group,
    )
    if output == "packed":
        spikes = Spikes(words, spikes, _layout.packed_dim(x))
    return current, spikes, v


def _widen(x: Tensor, residual: Tensor | None) -> tuple[Tensor, Tensor | None, torch.dtype]:
    dtype = x.dtype
    if dtype not in _HALVES:
        return x, residual, dtype
    return x.float(), None if residual is None else residual.float(), dtype


def _parameters(x: Tensor, *parameters: Tensor | None) -> list[Tensor | None]:
    return [p.float() if p is not None and p.dtype in _HALVES else p for p in parameters]


def _moments(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    process_group: torch.distributed.ProcessGroup | None,
) -> tuple[Tensor, str]:
    """float64 [2 C + 1]: mean, 1 / sqrt(var + eps), number of values; and the group's name."""
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("tdbn_add: running_mean and running_var must be given unless training, got None")
        one = running_mean.new_ones(1, dtype=torch.float64)
        inverse_std = (running_var.double() + eps).rsqrt()
        return torch.cat((running_mean.double(), inverse_std, one)), ""
    sums = below_autograd(torch.ops.lampyris._tdbn_stats.default, x.detach())
    group = ""
    if process_group is not None:
        group = process_group.group_name
        sums = _tdbn_autograd.sum_over(sums, group)
    elif x.numel() < 2 * x.shape[2]:
        raise ValueError(
            f"tdbn_add: x must have more than 1 value per channel when training, got {list(x.shape)}"
        )
    update = torch.ops.lampyris._tdbn_moments.default
    return below_autograd(update, sums, running_mean, running_var, momentum, eps), group

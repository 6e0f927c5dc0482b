"""Batch norm over time and batch, a residual, and neurons, in two passes over memory."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor

from lampyris.ops import _layout
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
    spikes, current, v, _, words = torch.ops.lampyris.tdbn_add_lif(
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
    sums = torch.ops.lampyris._tdbn_stats(x.detach())
    group = ""
    if process_group is not None:
        group = process_group.group_name
        sums = _sum_over(sums, group)
    elif x.numel() < 2 * x.shape[2]:
        raise ValueError(
            f"tdbn_add: x must have more than 1 value per channel when training, got {list(x.shape)}"
        )
    return torch.ops.lampyris._tdbn_moments(sums, running_mean, running_var, momentum, eps), group


def _sum_over(sums: Tensor, group: str) -> Tensor:
    """The sums added up over the processes of a group; traceable."""
    total = torch.ops._c10d_functional.all_reduce(sums, "sum", group)
    return torch.ops._c10d_functional.wait_tensor(total)


def _order(x: Tensor, output: str) -> list[int]:
    return _layout.packed_order(x) if output == "packed" else _layout.step_order(x)


def _like(x: Tensor, output: str) -> Tensor:
    return _layout.empty_steps(x, _order(x, output), x.shape[0])


@torch.library.register_fake("lampyris::_tdbn_stats")
def _(x):
    return x.new_empty(2 * x.shape[2] + 1, dtype=torch.float64)


@torch.library.register_fake("lampyris::_tdbn_moments")
def _(sums, running_mean, running_var, momentum, eps):
    return torch.empty_like(sums)


@torch.library.register_fake("lampyris::tdbn_add")
def _(x, residual, weight, bias, moments, training, group):
    return _like(x, "dense")


@torch.library.register_fake("lampyris::tdbn_add_lif")
def _(x, residual, weight, bias, moments, v_init, decay, threshold, gain, width, values, reset,
      detach_reset, inclusive, output, membrane, stream, save_codes, training, group):  # fmt: skip
    steps, neurons = x.shape[0], 1
    for size in x.shape[1:]:
        neurons = neurons * size
    current = _like(x, output) if stream else None
    v = _layout.empty_steps(x, _order(x, output), None) if membrane == "last" else None
    rows = (steps + 3) // 4
    codes = x.new_empty((rows, neurons), dtype=torch.uint8) if save_codes else None
    if output == "dense":
        return _like(x, output), current, v, codes, None
    shape = [*x.shape[:2], *x.shape[3:], (x.shape[2] + 31) // 32]
    words = x.new_empty(shape, dtype=torch.int32)
    return x.new_empty_strided(x.shape, (0,) * x.dim()), current, v, codes, words


@torch.library.register_fake("lampyris::_tdbn_grad_sums")
def _(grad, x, moments):
    return x.new_empty(2 * x.shape[2], dtype=torch.float64)


@torch.library.register_fake("lampyris::_tdbn_lif_grad_sums")
def _(grad_stream, grad_spikes, grad_membrane, x, codes, moments, decay, threshold, gain, width,
      values, reset, detach_reset, inclusive, output, membrane, wants_v_init):  # fmt: skip
    v = _layout.empty_steps(x, _order(x, output), None) if wants_v_init else None
    return _like(x, output), x.new_empty(2 * x.shape[2], dtype=torch.float64), v


@torch.library.register_fake("lampyris::_tdbn_grad_")
def _(grad, x, weight, moments, sums):
    return None


@torch.library.register_fake("lampyris::_tdbn_grad")
def _(grad, x, weight, moments, sums):
    return _like(x, "dense")


def _norm_gradients(ctx, dz: Tensor, sums: Tensor, x, weight, bias, moments, spent: bool):
    """Gradients of x, weight and bias: parameters from this process, x from the sums of all.

    The memory of dz becomes that of x's gradient when dz is spent.
    """
    channels = x.shape[2]
    wants_x, _, wants_weight, wants_bias = ctx.needs_input_grad[:4]
    grad_x = grad_weight = grad_bias = None
    if wants_weight:
        grad_weight = (sums[channels:] * moments[channels : 2 * channels]).to(weight.dtype)
    if wants_bias:
        grad_bias = sums[:channels].to(bias.dtype)
    if wants_x:
        total = None
        if ctx.training:
            total = _sum_over(sums, ctx.group) if ctx.group else sums
        if spent:
            torch.ops.lampyris._tdbn_grad_(dz, x, weight, moments, total)
            grad_x = dz
        else:
            grad_x = torch.ops.lampyris._tdbn_grad(dz, x, weight, moments, total)
    return grad_x, grad_weight, grad_bias


def _add_setup(ctx, inputs, output) -> None:
    x, _, weight, bias, moments, ctx.training, ctx.group = inputs
    ctx.save_for_backward(x, weight, bias, moments)


def _add_backward(ctx, grad):
    x, weight, bias, moments = ctx.saved_tensors
    sums = torch.ops.lampyris._tdbn_grad_sums(grad, x, moments)
    grad_x, grad_weight, grad_bias = _norm_gradients(ctx, grad, sums, x, weight, bias, moments, False)
    grad_residual = grad if ctx.needs_input_grad[1] else None
    return grad_x, grad_residual, grad_weight, grad_bias, None, None, None


def _lif_setup(ctx, inputs, output) -> None:
    x, _, weight, bias, moments, _, *parameters = inputs[:10]
    *ctx.options, _, ctx.saved_codes, ctx.training, ctx.group = inputs[10:]
    ctx.save_for_backward(x, weight, bias, moments, output[3], *parameters)
    ctx.set_materialize_grads(False)


def _lif_backward(ctx, grad_spikes, grad_stream, grad_membrane, *_):
    x, weight, bias, moments, codes, *parameters = ctx.saved_tensors
    if not ctx.saved_codes:
        raise RuntimeError(
            "tdbn_add_lif: x must require grad when the operator is called, got a call without"
        )
    if grad_spikes is None and grad_stream is None and grad_membrane is None:
        return (None,) * 20
    dz, sums, grad_v = torch.ops.lampyris._tdbn_lif_grad_sums(
        grad_stream, grad_spikes, grad_membrane, x, codes, moments, *parameters, *ctx.options,
        ctx.needs_input_grad[5],
    )  # fmt: skip
    grad_residual = dz if ctx.needs_input_grad[1] else None
    spent = grad_residual is None
    grad_x, grad_weight, grad_bias = _norm_gradients(ctx, dz, sums, x, weight, bias, moments, spent)
    return grad_x, grad_residual, grad_weight, grad_bias, None, grad_v, *(None,) * 14


def _no_double_backward(ctx, *grads):
    raise RuntimeError("tdbn_add: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::tdbn_add", _add_backward, setup_context=_add_setup)
torch.library.register_autograd("lampyris::tdbn_add_lif", _lif_backward, setup_context=_lif_setup)
for _name in ("_tdbn_grad_sums", "_tdbn_lif_grad_sums", "_tdbn_grad"):
    torch.library.register_autograd(f"lampyris::{_name}", _no_double_backward)

"""Linear layer on spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops.pack_spikes import pack_spikes
from lampyris.ops.spikes import Spikes

__all__ = ["spike_linear"]

_PRECISIONS = ("float32", "mixed", "bfloat16")


def spike_linear(
    spikes: Spikes | Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    scale: float | Tensor | None = None,
    precision: str = "float32",
) -> Tensor:
    """Multiply spikes by a matrix: every spike adds a column of the weights.

    Args:
        spikes: [..., K], packed along K, or dense (then packed first; any value but 0 counts as 1, and
            gradients pass through unchanged).
        weight: [N, K], float32, float64, bfloat16, float16 (sums in float32, in float64 for float64) or
            int8 (sums exact in int32).
        bias: [N], dtype of the weight; int32 with int8 weights.
        scale: with int8 weights: real value of one unit, a float or [N]; the result is then float32.
        precision: "float32": accurate to float32. "bfloat16": operands of every product rounded to
            bfloat16, sums in float32; a dense product may round its result to bfloat16 too. "mixed":
            forward as float32; the gradients' products run on bfloat16 where the machine is faster so.

    Returns:
        Tensor [..., N], dtype of the weight (int32 or float32 with int8 weights).

    Raises:
        ValueError: a shape, dtype, device or option is not one of the above.

    Example:
        >>> import torch
        >>> spike_linear(torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[1.0, 10.0, 100.0]])).tolist()
        [[101.0]]
    """
    if precision not in _PRECISIONS:
        raise ValueError(
            f"spike_linear: precision must be one of {', '.join(map(repr, _PRECISIONS))}, got {precision!r}"
        )
    if len(spikes.shape) < 1:
        raise ValueError(f"spike_linear: spikes must have shape [..., K], got {list(spikes.shape)}")
    packed = pack_spikes(spikes) if isinstance(spikes, Tensor) else spikes
    *lead, inputs = packed.shape
    if packed.dim != len(lead):
        raise ValueError(
            f"spike_linear: spikes must be packed along K (dim {len(lead)}), got dim {packed.dim}"
        )
    rows = 1
    for size in lead:
        rows = rows * size
    words = packed.words.reshape(rows, (inputs + 31) // 32)
    carrier = packed.carrier.reshape(rows, inputs)
    if weight.dtype == torch.int8:
        out = _int8(words, carrier, weight, bias, scale)
    elif scale is not None:
        raise ValueError(f"spike_linear: scale must be None without int8 weights, got {weight.dtype}")
    else:
        out = torch.ops.lampyris.spike_linear(words, carrier, weight, bias, precision)
    return out.reshape(*lead, out.shape[-1])


def _int8(words, carrier, weight, bias, scale) -> Tensor:
    """Exact sums (float64 holds them); int32, or float32 times scale."""
    dense = torch.ops.lampyris.unpack_spikes(carrier.detach(), words, 1, torch.float64)
    out = torch.nn.functional.linear(dense, weight.double(), None if bias is None else bias.double())
    return out.to(torch.int32) if scale is None else out.to(torch.int32) * scale


@torch.library.register_fake("lampyris::spike_linear")
def _(words, carrier, weight, bias, precision):
    return weight.new_empty((carrier.shape[0], weight.shape[0]))


@torch.library.register_fake("lampyris::_spike_linear_grad_weight")
def _(words, carrier, grad, weight, precision):
    return weight.new_empty(weight.shape)


@torch.library.register_fake("lampyris::_spike_linear_grad_input")
def _(grad, weight, precision):
    return grad.new_empty((grad.shape[0], weight.shape[1]))


def _setup(ctx, inputs, output) -> None:
    words, carrier, weight, _, ctx.precision = inputs
    ctx.save_for_backward(words, carrier, weight)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad):
    if grad is None:
        return (None,) * 5
    words, carrier, weight = ctx.saved_tensors
    _, to_carrier, to_weight, to_bias, _ = ctx.needs_input_grad
    dx = dw = db = None
    if to_carrier:
        dx = torch.ops.lampyris._spike_linear_grad_input(grad, weight, ctx.precision).to(carrier.dtype)
    if to_weight:
        dw = torch.ops.lampyris._spike_linear_grad_weight(words, carrier, grad, weight, ctx.precision)
    if to_bias:
        db = grad.sum(0)
    return None, dx, dw, db, None


def _no_double_backward(ctx, *grads):
    raise RuntimeError("spike_linear: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::spike_linear", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_spike_linear_grad_weight", _no_double_backward)
torch.library.register_autograd("lampyris::_spike_linear_grad_input", _no_double_backward)
for _device in ("cpu", "cuda"):
    torch.library.register_autocast("lampyris::spike_linear", _device, torch.float32)

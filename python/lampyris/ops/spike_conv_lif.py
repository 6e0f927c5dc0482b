"""Convolution of spikes and the neurons behind it, at inference, in one pass."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops.pack_spikes import pack_spikes
from lampyris.ops.spikes import Spikes

__all__ = ["spike_conv_lif"]


def spike_conv_lif(
    spikes: Spikes | Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    decay: float | Tensor,
    threshold: float | Tensor,
    residual: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    scale: float | Tensor | None = None,
    shift: int = 0,
    gain: float | Tensor = 1.0,
    reset: str = "hard",
    v_reset: float = 0.0,
    inclusive: bool = False,
    v_init: Tensor | None = None,
    stream: bool = False,
    membrane: bool = False,
) -> tuple[Spikes, Tensor | None, Tensor | None]:
    """A folded block at inference: packed spikes in, packed spikes out, no currents in memory.

    Equal to :func:`spike_conv2d`, the sum with ``residual`` and :func:`lif`:

    - float32 weights: X = conv + bias + residual.
    - int8 weights: X = sat16((P << shift) + bias + residual) with the exact sum P, and neurons with
      ``rounding="floor"``: docs/contract.md sections 2 and 3, bit for bit.
    - int8 weights with ``scale``: X = (P scale + bias) + residual in float32, P exact.

    Args:
        spikes: [T, B, C, H, W], packed along C, or dense (then packed first).
        weight: [Co, C / groups, kh, kw], float32 or int8; a norm is folded into it and the bias.
        bias: [Co], float32, or int32 with int8 weights without scale.
        decay: share of the membrane kept per step; like ``threshold`` and ``gain`` a float or one value
            a channel, float32 [Co] (or [Co, 1, 1]).
        threshold: firing threshold.
        residual: [T, B, Co, H', W'] added to the current, float32, or int16 with int8 weights without
            scale.
        stride: step in pixels, >= 1.
        padding: silent pixels on each side, >= 0.
        groups: blocks of channels that do not mix.
        scale: with int8 weights: real value of one unit, a float or [Co].
        shift: left shift of the exact sum, 0 to 4.
        gain: factor of the current.
        reset: "hard" sets V = v_reset after a spike, "soft" subtracts the threshold, "none" keeps V.
        v_reset: value of a hard reset and resting value of the leak.
        inclusive: spike where U >= threshold.
        v_init: [B, Co, H', W'] membrane before the first step, 0 when None.
        stream: also return the currents X.
        membrane: also return V after the last step.

    Returns:
        (spikes [T, B, Co, H', W'] packed along Co, membrane [B, Co, H', W'] or None, stream [T, B, Co,
        H', W'] or None); float32, the stream int16 with int8 weights without scale. Not differentiable.

    Raises:
        ValueError: a shape, dtype, device or option is not one of the above.
        RuntimeError: a backward through the result.

    Example:
        >>> import torch
        >>> ones = torch.ones(2, 1, 1, 1, 2)
        >>> weight = torch.full((1, 1, 1, 1), 5, dtype=torch.int8)
        >>> spikes, v, x = spike_conv_lif(ones, weight, decay=0.5, threshold=6.0, membrane=True, stream=True)
        >>> spikes.dense().flatten().tolist(), x.flatten().tolist()
        ([0.0, 0.0, 1.0, 1.0], [5, 5, 5, 5])
    """
    if len(spikes.shape) != 5:
        raise ValueError(f"spike_conv_lif: spikes must have shape [T, B, C, H, W], got {list(spikes.shape)}")
    packed = pack_spikes(spikes, dim=2) if isinstance(spikes, Tensor) else spikes
    if packed.dim != 2:
        raise ValueError(f"spike_conv_lif: spikes must be packed along C (dim 2), got dim {packed.dim}")
    tensors: list[Tensor | None] = []
    values: list[float] = []
    for p in (decay, threshold, gain, 1.0 if scale is None else scale):
        tensors.append(_per_channel(p, weight.shape[0]) if isinstance(p, Tensor) else None)
        values.append(0.0 if isinstance(p, Tensor) else float(p))
    carrier, words, v, x = torch.ops.lampyris.spike_conv_lif(
        packed.words,
        packed.carrier,
        weight,
        bias,
        residual,
        v_init,
        *tensors,
        [*values, float(v_reset)],
        reset,
        inclusive,
        scale is not None,
        shift,
        stride,
        padding,
        groups,
        stream,
        membrane,
    )
    return Spikes(words, carrier, 2), v, x


def _per_channel(p: Tensor, channels: int) -> Tensor:
    """[Co] from one value or [Co, 1, 1]; other shapes pass on to the operator's error."""
    if p.numel() == 1:
        return p.reshape(1).expand(channels)
    return p.flatten() if p.dim() == 3 and p.shape[1:] == (1, 1) else p


@torch.library.register_fake("lampyris::spike_conv_lif")
def _(words, carrier, weight, bias, residual, v_init, decay, threshold, gain, scale, values, reset,
      inclusive, scaled, shift, stride, padding, groups, stream, membrane):  # fmt: skip
    t, b, _, h, w = carrier.shape
    out, _, kernel_h, kernel_w = weight.shape
    h, w = (h + 2 * padding - kernel_h) // stride + 1, (w + 2 * padding - kernel_w) // stride + 1
    maps, image = (t, b, out, h, w), out * h * w
    strides = (image, 1, w * out, out)
    v = carrier.new_empty_strided(maps[1:], strides, dtype=torch.float32) if membrane else None
    x = None
    if stream:
        exact = weight.dtype == torch.int8 and not scaled
        dtype = torch.int16 if exact else torch.float32
        x = carrier.new_empty_strided(maps, (b * image, *strides), dtype=dtype)
    spikes = carrier.new_empty_strided(maps, (0,) * 5, dtype=torch.float32)
    return spikes, words.new_empty((t, b, h, w, (out + 31) // 32)), v, x


def _setup(ctx, inputs, output) -> None:
    ctx.set_materialize_grads(False)


def _not_differentiable(ctx, *grads):
    raise RuntimeError(
        "spike_conv_lif: is an inference operator, got a backward; train with spike_conv2d and lif"
    )


torch.library.register_autograd("lampyris::spike_conv_lif", _not_differentiable, setup_context=_setup)

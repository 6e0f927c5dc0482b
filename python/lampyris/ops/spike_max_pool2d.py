"""Max-pooling of spikes, as OR of packed words."""

from __future__ import annotations

import torch
from torch import Tensor

from lampyris.ops.spikes import Spikes

__all__ = ["spike_max_pool2d"]


def spike_max_pool2d(spikes: Spikes | Tensor, kernel_size: int = 2, stride: int | None = None):
    """Max-pool maps of spikes.

    Args:
        spikes: :class:`Spikes` of maps [T, B, C, H, W] or [N, C, H, W] packed along C, or a Tensor of
            such a shape.
        kernel_size: side of the window, 1 to min(H, W).
        stride: distance of windows; ``kernel_size`` when None. No padding: rows and columns that no
            window covers are left out.

    Returns:
        Spikes for Spikes (bits in, bits out), else a Tensor as torch's max_pool2d returns; shape
        [T, B, C, H', W'] or [N, C, H', W'] with H' = (H - kernel_size) // stride + 1.

        The gradient is torch's: the first maximum in scan order gets it, which is the first spike of a
        window, and the first element of a window without spikes. It has channels_last strides for
        Spikes.

    Raises:
        ValueError: another rank, spikes packed along another dimension, or a window that does not fit.

    Example:
        >>> import torch
        >>> from lampyris import ops
        >>> maps = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]).view(1, 1, 2, 4)
        >>> spike_max_pool2d(ops.pack_spikes(maps, dim=1)).dense().tolist()
        [[[[1.0, 0.0]]]]
    """
    stride = kernel_size if stride is None else stride
    if len(spikes.shape) not in (4, 5):
        raise ValueError(
            "spike_max_pool2d: spikes must have shape [T, B, C, H, W] or [N, C, H, W], "
            f"got {list(spikes.shape)}"
        )
    if not isinstance(spikes, Spikes):
        pooled = torch.nn.functional.max_pool2d(spikes.flatten(0, -4), kernel_size, stride)
        return pooled.unflatten(0, spikes.shape[:-3])
    lead = spikes.shape[:-3]
    if spikes.dim != len(lead):
        raise ValueError(
            f"spike_max_pool2d: spikes must be packed along C, dimension {len(lead)}, got {spikes.dim}"
        )
    carrier, words = torch.ops.lampyris.spike_max_pool2d(
        spikes.words.flatten(0, -4), spikes.carrier.flatten(0, -4), kernel_size, stride
    )
    return Spikes(words.unflatten(0, lead), carrier.unflatten(0, lead), spikes.dim)


def _pooled(size: int, kernel_size: int, stride: int) -> int:
    return (size - kernel_size) // stride + 1


@torch.library.register_fake("lampyris::spike_max_pool2d")
def _(words, carrier, kernel_size, stride):
    n, c, *sides = carrier.shape
    h, w = (_pooled(side, kernel_size, stride) for side in sides)
    return carrier.new_empty_strided((n, c, h, w), (0,) * 4), words.new_empty((n, h, w, words.shape[-1]))


@torch.library.register_fake("lampyris::_spike_max_pool2d_backward")
def _(grad, words, kernel_size, stride):
    n, h, w = words.shape[:3]
    return grad.new_empty((n, h, w, grad.shape[1])).permute(0, 3, 1, 2)


def _setup(ctx, inputs, output) -> None:
    words, _, *ctx.options = inputs
    ctx.save_for_backward(words)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad, _):
    (words,) = ctx.saved_tensors
    if grad is None:
        return (None,) * 4
    return None, torch.ops.lampyris._spike_max_pool2d_backward(grad, words, *ctx.options), None, None


def _no_double_backward(ctx, *grads):
    raise RuntimeError("spike_max_pool2d: must not be differentiated twice, got a double backward")


torch.library.register_autograd("lampyris::spike_max_pool2d", _backward, setup_context=_setup)
torch.library.register_autograd("lampyris::_spike_max_pool2d_backward", _no_double_backward)

"""Convolutions that are exact on integers: in float32, and of spikes with int8 weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from lampyris import ops

__all__ = ["EXACT_LIMIT", "convolve", "convolve_spikes", "exact_arithmetic", "prefers_integers"]

EXACT_LIMIT = 2**24
"""Integers below it are exact in float32 in any order of summation."""


_INTEGER_ISAS = ("avx512", "amx")


@contextlib.contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Inside, convolutions on ``device`` sum float32 products directly: no autocast, no TF32 or bfloat16, no
    Winograd or FFT (cuDNN may choose them, NNPACK does, so neither is used).
    """
    with contextlib.ExitStack() as stack:
        if torch.is_autocast_enabled(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            matmul = torch.backends.cuda.matmul
            if matmul.allow_tf32:
                matmul.allow_tf32 = False
                stack.callback(setattr, matmul, "allow_tf32", True)
        elif device.type == "cpu":
            conv = torch.backends.mkldnn.conv
            if conv.fp32_precision != "ieee":
                stack.callback(setattr, conv, "fp32_precision", conv.fp32_precision)
                conv.fp32_precision = "ieee"
            stack.enter_context(torch.backends.nnpack.flags(enabled=False))
        yield


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Convolution of integers in float32, x [N, C, H, W]. The caller proves |sum| < 2^24."""
    with exact_arithmetic(x.device):
        return F.conv2d(x.float(), weight, bias, stride, padding)


class _SpikeConvolution(torch.autograd.Function):
    """(P << shift) + bias by the integer kernels; gradients of the float convolution, straight through."""

    @staticmethod
    def forward(ctx, spikes, weight, bias, shift, stride, padding):
        packed = ops.pack_spikes(spikes.detach(), dim=1)
        ctx.shift, ctx.geometry = shift, (stride, padding, 1, "float32")
        ctx.save_for_backward(packed.words, packed.carrier, weight)
        return torch.ops.lampyris._spike_conv2d_exact(
            packed.words,
            packed.carrier,
            weight.to(torch.int8),
            bias.to(torch.int32),
            shift,
            stride,
            padding,
            1,
        )

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        words, carrier, weight = ctx.saved_tensors
        dx = dw = db = None
        if ctx.needs_input_grad[2]:
            db = grad.sum((0, 2, 3))
        if ctx.shift:
            grad = grad * 2.0**ctx.shift
        with exact_arithmetic(grad.device):
            if ctx.needs_input_grad[0]:
                dx = torch.ops.lampyris._spike_conv2d_grad_input(carrier, grad, weight, *ctx.geometry)
            if ctx.needs_input_grad[1]:
                dw = torch.ops.lampyris._spike_conv2d_grad_weight(words, carrier, grad, weight, *ctx.geometry)
        return dx, dw, db, None, None, None


def convolve_spikes(
    spikes: Tensor, weight: Tensor, bias: Tensor, shift: int, stride: int, padding: int
) -> Tensor:
    """``(P << shift) + bias`` of spikes 0/1 [N, C, H, W] with integer weights in [-128, 127].

    The caller proves |P| < 2^24; a result beyond 2^24 is rounded, and clamps whatever is added.
    """
    return _SpikeConvolution.apply(spikes, weight, bias, shift, stride, padding)


def prefers_integers(x: Tensor) -> bool:
    """Whether `convolve_spikes` is faster than `convolve` here: CPUs with AVX-512, at every density."""
    return x.device.type == "cpu" and torch.ops.lampyris.isa() in _INTEGER_ISAS

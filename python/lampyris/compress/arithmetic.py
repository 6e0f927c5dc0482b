"""Float32 convolutions that are exact on integers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["EXACT_LIMIT", "convolve", "exact_arithmetic"]

EXACT_LIMIT = 2**24
"""Integers below it are exact in float32 in any order of summation."""


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

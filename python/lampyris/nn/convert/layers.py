"""Layers of torch, and the step wrappers around them, as layers on [T, B, ...]."""

from __future__ import annotations

import copy

import torch

from ..conv import Conv2d
from ..maps import Identity, MaxPool2d, Upsample
from ..norm import TDBatchNorm2d
from ..time_distributed import TimeDistributed

__all__ = ["plain", "time_first", "torch_class"]

_ELEMENTWISE = (torch.nn.ReLU, torch.nn.LeakyReLU, torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.GELU)


def torch_class(module: torch.nn.Module) -> type | None:
    """The first class of torch.nn that ``module``'s class is or derives from; None without one."""
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.") and kind is not torch.nn.Module:
            return kind
    return None


def plain(module: torch.nn.Module) -> torch.nn.Module:
    """A copy of ``module`` as its torch class, without what a wrapper added."""
    found = copy.deepcopy(module)
    found.__dict__.pop("_step_mode", None)
    found.__class__ = torch_class(module)
    return found


def time_first(module: torch.nn.Module) -> tuple[torch.nn.Module, str]:
    """(a copy of a torch layer that acts on every step of [T, B, ...], what to know about it)."""
    kind = torch_class(module)
    if kind is torch.nn.Conv2d and _simple_convolution(module):
        conv = Conv2d(
            module.in_channels,
            module.out_channels,
            module.kernel_size[0],
            module.stride[0],
            module.padding[0],
            module.groups,
            module.bias is not None,
        )
        return _loaded(conv, module), ""
    if kind is torch.nn.BatchNorm2d and module.affine and module.track_running_stats:
        norm = TDBatchNorm2d(module.num_features, eps=module.eps, momentum=module.momentum)
        return _loaded(norm, module), ""
    if kind is torch.nn.MaxPool2d and _simple_pool(module):
        return MaxPool2d(_pair(module.kernel_size)[0]), "H and W must be multiples of the window"
    if kind is torch.nn.Upsample and module.mode == "nearest" and module.size is None:
        factors = set(_pair(module.scale_factor))
        if len(factors) == 1 and (factor := factors.pop()) == int(factor):
            return Upsample(int(factor)), ""
    if kind is torch.nn.Identity:
        return Identity(), ""
    if kind in _ELEMENTWISE:
        return plain(module), ""
    return TimeDistributed(plain(module)), ""


def _simple_convolution(conv: torch.nn.Conv2d) -> bool:
    square = all(len({*pair}) == 1 for pair in (conv.kernel_size, conv.stride))
    padding = not isinstance(conv.padding, str) and len({*conv.padding}) == 1
    return square and padding and conv.dilation == (1, 1) and conv.padding_mode == "zeros"


def _simple_pool(pool: torch.nn.MaxPool2d) -> bool:
    k = _pair(pool.kernel_size)
    same = k[0] == k[1] and _pair(pool.stride) == k
    return same and _pair(pool.padding) == (0, 0) and _pair(pool.dilation) == (1, 1) and not pool.ceil_mode


def _pair(value) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _loaded(layer: torch.nn.Module, source: torch.nn.Module) -> torch.nn.Module:
    tensors = {name: tensor.detach().clone() for name, tensor in source.state_dict().items()}
    layer.load_state_dict(tensors, assign=True)
    for (_, mine), (_, theirs) in zip(layer.named_parameters(), source.named_parameters(), strict=True):
        mine.requires_grad_(theirs.requires_grad)
    return layer

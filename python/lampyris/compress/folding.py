"""Norms folded into their convolutions: in float64, rounded once to float32."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from lampyris.capture import Graph

__all__ = ["fold_norm", "folded_copy", "folded_parameters"]


def fold_norm(
    weight: Tensor, bias: Tensor | None, norm: torch.nn.BatchNorm2d | None
) -> tuple[Tensor, Tensor]:
    """(W', b') of a convolution and its frozen norm.

    ``v = gamma / sqrt(var + eps); W' = W v; b' = beta + (b - mean) v``.

    Args:
        weight: [C_out, C_in, K, K].
        bias: [C_out] or None.
        norm: running statistics and affine parameters, or None for a convolution without norm.

    Returns:
        float32 tensors, rounded once from float64.

    Example:
        >>> norm = torch.nn.BatchNorm2d(1, eps=0.0).eval()
        >>> _ = norm.running_var.fill_(4.0), norm.running_mean.fill_(2.0)
        >>> fold_norm(torch.ones(1, 1, 1, 1), None, norm)[1].tolist()
        [-1.0]
    """
    w = weight.detach().double()
    b = torch.zeros(len(w), dtype=torch.float64, device=w.device) if bias is None else bias.detach().double()
    if norm is not None:
        v = (
            torch.rsqrt(norm.running_var.double() + norm.eps)
            if norm.weight is None
            else (norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps))
        )
        w = w * v.view(-1, 1, 1, 1)
        b = (b - norm.running_mean.double()) * v
        b = b if norm.bias is None else b + norm.bias.detach().double()
    return w.float(), b.float()


def folded_copy(model: torch.nn.Module, graph: Graph) -> torch.nn.Module:
    """A copy of ``model`` in evaluation mode: convolutions hold W', b', norms are identities."""
    folded = copy.deepcopy(model).eval()
    for node in graph:
        if node.op == "stem":
            stem = folded.get_submodule(node.name)
            _set(stem.conv, *fold_norm(stem.conv.weight, stem.conv.bias, stem.norm))
            stem.norm = torch.nn.Identity()
        elif node.op in ("conv", "output"):
            conv = folded.get_submodule(node.name)
            norm = None if node.norm is None else folded.get_submodule(node.norm)
            _set(conv, *fold_norm(conv.weight, conv.bias, norm))
            if node.norm is not None:
                folded.set_submodule(node.norm, torch.nn.Identity())
    return folded


def folded_parameters(folded: torch.nn.Module, name: str) -> tuple[Tensor, Tensor]:
    """(W', b') of a stem or convolution in the result of `folded_copy`."""
    module = folded.get_submodule(name)
    conv = getattr(module, "conv", module)
    return conv.weight.detach(), conv.bias.detach()


def _set(conv: torch.nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    conv.weight = torch.nn.Parameter(weight)
    conv.bias = torch.nn.Parameter(bias)

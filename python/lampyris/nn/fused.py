"""Blocks through fused operators: when they take that path, and the path itself.

Spikes are bits from the neuron to the convolution, the norm is added to the shortcut in the pass that
normalises, and the current between the two halves of a branch is never written: `ops.lif` (packed),
`ops.spike_max_pool2d`, `ops.spike_conv2d`, `ops.tdbn_add_lif`, `ops.spike_conv2d`, `ops.tdbn_add`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx._symbolic_trace import is_fx_symbolic_tracing
from torch.nn.modules import module as torch_module

from lampyris import ops

from .conv import Conv2d
from .folding import check_rank
from .maps import Concat, MaxPool2d, check_multiple
from .neuron import IF, LIF, PLIF
from .norm import TDBatchNorm2d

__all__ = ["reason", "set_fused", "set_precision", "takes_fused_path"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GLOBAL_HOOKS = tuple(f"_global{name}" for name in _HOOKS)
_LAYERS = (LIF, IF, PLIF, Conv2d, TDBatchNorm2d, MaxPool2d, Concat)
_DTYPES = (torch.float32, torch.float64)


def takes_fused_path(block: torch.nn.Module) -> bool:
    """Whether ``block`` runs through fused operators now; `reason` says why not.

    Example:
        >>> from lampyris import nn
        >>> block = nn.MSBlock(32)
        >>> nn.takes_fused_path(block)
        True
        >>> handle = block.branch[0].lif.register_forward_hook(lambda *_: None)
        >>> nn.takes_fused_path(block), nn.reason(block)
        (False, 'branch.0.lif has hooks')
    """
    return reason(block) is None


def reason(block: torch.nn.Module) -> str | None:
    """Why ``block`` runs layer by layer, or None if it takes the fused path.

    The fused path is taken unless: ``fused`` is off (`set_fused`); torch.fx is tracing, as capture does; a
    layer has hooks, which want to see its output (monitors, streaming, anomaly detection, pruning); a layer
    is not one of ours as it stands (an exact layer, a subclass, a parametrized one); a convolution or norm
    has options that the operators do not (dilation, other padding, cumulative statistics); autocast is on;
    or parameters are not float32 or float64.
    """
    if not getattr(block, "fused", False):
        return "fused is off"
    if is_fx_symbolic_tracing():
        return "torch.fx is tracing"
    if any(getattr(torch_module, name) for name in _GLOBAL_HOOKS):
        return "there are global hooks"
    for name, child in block.named_modules():
        if child is block:
            continue
        if any(getattr(child, hooks) for hooks in _HOOKS):
            return f"{name} has hooks"
        if next(child.children(), None) is not None:
            continue
        if type(child) not in _LAYERS:
            return f"{name} is a {type(child).__name__}"
        if isinstance(child, Conv2d) and not _plain_convolution(child):
            return f"{name} has options that spike_conv2d does not"
        if isinstance(child, TDBatchNorm2d) and not child.operator_fits():
            return f"{name} has options that tdbn_add does not"
    weight = next(block.parameters())
    if weight.dtype not in _DTYPES:
        return f"parameters are {weight.dtype}"
    if torch.is_autocast_enabled(weight.device.type):
        return "autocast is on"
    return None


def set_fused(model: torch.nn.Module, fused: bool = True) -> None:
    """Let every block of ``model`` take the fused path when it can, or none.

    Example:
        >>> from lampyris import nn
        >>> model = torch.nn.Sequential(nn.LCB(8, 8), nn.MSBlock(8))
        >>> nn.set_fused(model, False)
        >>> nn.reason(model[1])
        'fused is off'
    """
    for module in model.modules():
        if hasattr(module, "fused"):
            module.fused = fused


def set_precision(model: torch.nn.Module, precision: str) -> None:
    """Precision of the convolutions of every block on the fused path (`lampyris.ops.spike_conv2d`).

    Args:
        precision: "float32", "mixed" (bfloat16 operands, float32 sums) or "bfloat16".

    Raises:
        ValueError: another word.

    Example:
        >>> from lampyris import nn
        >>> block = nn.LCB(8, 8)
        >>> nn.set_precision(block, "mixed")
        >>> block.precision
        'mixed'
    """
    if precision not in ("float32", "mixed", "bfloat16"):
        contract = "be 'float32', 'mixed' or 'bfloat16'"
        raise ValueError(f"set_precision: precision must {contract}, got {precision!r}")
    for module in model.modules():
        if hasattr(module, "fused"):
            module.precision = precision


def _plain_convolution(conv: Conv2d) -> bool:
    square = all(len(set(pair)) == 1 for pair in (conv.stride, conv.padding))
    return square and conv.padding_mode == "zeros" and conv.dilation == (1, 1)


def run_lcb(block: torch.nn.Module, x: Tensor) -> Tensor:
    """An `LCB`."""
    check_rank("LCB", x)
    current = _convolve(block, _spikes(block, x))
    return ops.tdbn_add(current, None, **block.norm.operator_arguments())


def run_branch(branch: torch.nn.Sequential, x: Tensor, residual: Tensor) -> Tensor:
    """Two `LCB` and the sum with ``residual``; the current between them stays in cache."""
    first, second = branch
    check_rank("LCB", x)
    current = _convolve(first, _spikes(first, x))
    lif = second.lif
    _, spikes, _ = ops.tdbn_add_lif(
        current,
        None,
        **first.norm.operator_arguments(),
        decay=lif.decay,
        threshold=lif.threshold,
        stream=False,
        output="packed",
        membrane=None,
        v_init=lif.rest(current),
        **lif.rule(),
    )
    current = _convolve(second, _pooled(second, spikes))
    return ops.tdbn_add(current, residual, **second.norm.operator_arguments())


def _spikes(block: torch.nn.Module, x: Tensor) -> ops.Spikes:
    return _pooled(block, block.lif.run(x, membrane=None, output="packed")[0])


def _pooled(block: torch.nn.Module, spikes: ops.Spikes) -> ops.Spikes:
    if block.pool is None:
        return spikes
    check_multiple(spikes.shape, block.pool.kernel_size)
    return ops.spike_max_pool2d(spikes, block.pool.kernel_size)


def _convolve(block: torch.nn.Module, spikes: ops.Spikes) -> Tensor:
    conv = block.conv
    return ops.spike_conv2d(
        spikes,
        conv.weight,
        conv.bias,
        stride=conv.stride[0],
        padding=conv.padding[0],
        groups=conv.groups,
        precision=getattr(block, "precision", "float32"),
    )

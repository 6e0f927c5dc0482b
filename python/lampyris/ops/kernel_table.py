"""Which kernel each operator chooses on this machine, found by asking the operators themselves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lampyris.ops.kernel_log import record_kernels
from lampyris.ops.spike_conv2d import spike_conv2d
from lampyris.ops.spike_linear import spike_linear

__all__ = ["KernelChoice", "kernel_table"]

_COARSE = (1, 5, 10, 20, 40, 60, 80, 95)
_CHANNELS = 64


@dataclass(frozen=True)
class KernelChoice:
    """The kernels of one pass of an operator.

    Args:
        operator: as in a record of `record_kernels`: "spike_conv2d", "spike_conv2d dW", ...
        case: shape and precision.
        ranges: (kernel, least density, greatest density) in ascending density; one range where the
            choice does not depend on it. Break-evens are where one range ends and the next begins.

    Example:
        >>> KernelChoice("spike_conv2d dX", "64 to 64, 3x3, float32", [("onednn float32", 0.01, 0.95)]).text()
        'onednn float32'
        >>> KernelChoice("op", "", [("event float32 avx512", 0.01, 0.3), ("amx bf16x3", 0.31, 0.95)]).text()
        'event float32 avx512 to 30 %, amx bf16x3'
    """

    operator: str
    case: str
    ranges: list[tuple[str, float, float]]

    def text(self) -> str:
        """The kernels, each with the density up to which it runs."""
        parts = [f"{kernel} to {100 * end:.0f} %" for kernel, _, end in self.ranges[:-1]]
        return ", ".join([*parts, self.ranges[-1][0]])


def kernel_table() -> list[KernelChoice]:
    """Run small calls at many densities of spikes and see which kernels they take.

    Convolutions of 64 to 64 channels with 3x3 weights, depthwise ones, and products 256 to 256; other
    widths have other break-evens (`record_kernels` tells for a given network). Takes about a second.

    Returns:
        A :class:`KernelChoice` for every operator, pass and precision.

    Raises:
        ImportError: the operators are not built.

    Example:
        >>> table = kernel_table()
        >>> {choice.operator for choice in table} >= {"spike_conv2d", "spike_conv2d dW", "spike_linear"}
        True
    """
    table = []
    for case, call in _cases():
        table += _choices(case, call)
    return table


def _cases() -> list[tuple[str, Callable[[float], object]]]:
    cases: list[tuple[str, Callable[[float], object]]] = []
    for precision in ("float32", "mixed", "bfloat16"):
        case = f"{_CHANNELS} to {_CHANNELS}, 3x3, {precision}"
        cases.append((case, lambda density, p=precision: _convolve(density, 1, p)))
    cases.append(
        (f"depthwise {_CHANNELS}, 3x3, float32", lambda density: _convolve(density, _CHANNELS, "float32"))
    )
    cases.append((f"{_CHANNELS} to {_CHANNELS}, 3x3, int8", _convolve_int8))
    for precision in ("float32", "mixed", "bfloat16"):
        cases.append((f"256 to 256, {precision}", lambda density, p=precision: _multiply(density, p)))
    return cases


def _spikes(density: float, *shape: int) -> Tensor:
    order = torch.randperm(math.prod(shape))
    return (order < density * len(order)).float().view(shape)


def _convolve(density: float, groups: int, precision: str) -> None:
    weight = torch.zeros(_CHANNELS, _CHANNELS // groups, 3, 3, requires_grad=True)
    spikes = _spikes(density, 2, _CHANNELS, 8, 8).requires_grad_()
    spike_conv2d(spikes, weight, padding=1, groups=groups, precision=precision).sum().backward()


def _convolve_int8(density: float) -> None:
    weight = torch.zeros(_CHANNELS, _CHANNELS, 3, 3, dtype=torch.int8)
    spike_conv2d(_spikes(density, 2, _CHANNELS, 8, 8), weight, padding=1)


def _multiply(density: float, precision: str) -> None:
    weight = torch.zeros(256, 256, requires_grad=True)
    spike_linear(_spikes(density, 2, 32, 256).requires_grad_(), weight, precision=precision).sum().backward()


def _choices(case: str, call: Callable[[float], object]) -> list[KernelChoice]:
    found: dict[int, dict[str, str]] = {}

    def kernels(percent: int) -> dict[str, str]:
        if percent not in found:
            with torch.enable_grad(), torch.random.fork_rng(devices=[]), record_kernels() as ran:
                torch.manual_seed(percent)
                call(percent / 100)
            found[percent] = {record.operator: record.kernel for record in ran}
        return found[percent]

    for percent in _COARSE:
        kernels(percent)
    for low, high in itertools.pairwise(_COARSE):
        _refine(kernels, low, high)
    operators = dict.fromkeys(name for percent in sorted(found) for name in found[percent])
    return [KernelChoice(operator, case, _ranges(found, operator)) for operator in operators]


def _refine(kernels: Callable[[int], dict[str, str]], low: int, high: int) -> None:
    """Ask between two densities until every change is known to 1 %."""
    if high - low > 1 and kernels(low) != kernels(high):
        middle = (low + high) // 2
        _refine(kernels, low, middle)
        _refine(kernels, middle, high)


def _ranges(found: dict[int, dict[str, str]], operator: str) -> list[tuple[str, float, float]]:
    ranges: list[tuple[str, float, float]] = []
    for percent in sorted(found):
        kernel = found[percent].get(operator)
        if kernel is None:
            continue
        if ranges and ranges[-1][0] == kernel:
            ranges[-1] = (kernel, ranges[-1][1], percent / 100)
        else:
            ranges.append((kernel, percent / 100, percent / 100))
    return ranges

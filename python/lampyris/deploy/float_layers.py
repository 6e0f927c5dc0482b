"""Violations of a float model that its layers show by themselves, before any graph is captured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .targets import Target
from .violations import Violation

if TYPE_CHECKING:
    import torch

__all__ = ["check_modules"]

FULL_SPIKE = 'use the "full_spike" form: LIF, then Conv2d, joined by + of currents'


def check_modules(model: torch.nn.Module, table: Target) -> Iterator[Violation]:
    """Every leaf layer that cannot be exported, in module order."""
    import torch

    from lampyris import nn

    stem_parts = {
        id(part) for stem in model.modules() if isinstance(stem, nn.Stem) for part in stem.modules()
    }
    for name, module in model.named_modules():
        if isinstance(module, nn.LIF):
            yield from _neuron(name, module, table)
        elif isinstance(module, nn.Stem):
            yield from _stem(name, module)
        elif isinstance(module, nn.Conv2d):
            if id(module) not in stem_parts:
                yield from _conv(name, module, table)
        elif isinstance(module, nn.MaxPool2d):
            if module.kernel_size != 2:
                yield Violation(name, f"pooling must be 2 x 2, got {module.kernel_size}", "use MaxPool2d(2)")
        elif isinstance(module, nn.Upsample):
            if module.factor != 2:
                yield Violation(
                    name, f"up-sampling must be by 2, got {module.factor}", "use Upsample(2) twice"
                )
        elif not isinstance(module, nn.LAYERS) and not any(module.children()):
            kind = type(module)
            if kind.__module__.startswith("torch.nn") and not isinstance(module, torch.nn.Identity):
                yield Violation(name, f"is a {kind.__module__}.{kind.__qualname__}", FULL_SPIKE)


def _neuron(name: str, module: torch.nn.Module, table: Target) -> Iterator[Violation]:
    import torch

    for option in ("decay", "gain", "threshold"):
        if isinstance(getattr(module, option), torch.Tensor):
            yield Violation(
                name, f"{option} must be a constant, got a learned tensor", f"fix {option}, then fine-tune"
            )
            return
    pairs = {(1.0, 1.0): "none", (0.5, 0.5): "half_after"}
    pairs |= {(2.0**-k, 1.0): "before" for k in table.exponents}
    pair = (float(module.decay), float(module.gain))
    if pair not in pairs or pairs[pair] not in table.leaks:
        wanted = ", ".join(f"({decay:g}, {gain:g})" for decay, gain in pairs)
        yield Violation(
            name, f"(decay, gain) must be one of {wanted}, got ({pair[0]:g}, {pair[1]:g})", "train with one"
        )
    if module.reset != "hard" or module.v_reset != 0.0:
        yield Violation(
            name,
            f"reset must be hard to 0, got {module.reset} to {module.v_reset:g}",
            "train with reset='hard', v_reset=0",
        )


def _stem(name: str, module: torch.nn.Module) -> Iterator[Violation]:
    conv = module.conv
    if tuple(conv.dilation) != (1, 1):
        yield Violation(f"{name}.conv", f"dilation must be 1, got {conv.dilation[0]}", "use dilation 1")


def _conv(name: str, module: torch.nn.Module, table: Target) -> Iterator[Violation]:
    if module.groups != 1:
        yield Violation(
            name, f"groups must be 1, got {module.groups}", "use a dense convolution outside the stem"
        )
    if tuple(module.dilation) != (1, 1):
        yield Violation(name, f"dilation must be 1, got {module.dilation[0]}", "use dilation 1")
    if getattr(module, "padding_mode", "zeros") != "zeros":
        yield Violation(name, f"padding must be zeros, got {module.padding_mode}", "use padding_mode='zeros'")

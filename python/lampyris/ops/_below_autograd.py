"""Calls of compiled operators that need no gradient of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["below_autograd", "in_backward"]


def below_autograd(operator: Callable, *arguments):
    """The operator's result past the dispatcher's autograd layer, which costs 4 us a call.

    A traced call goes through it.
    """
    if torch.compiler.is_compiling():
        return operator(*arguments)
    with torch._C._AutoDispatchBelowAutograd():
        return operator(*arguments)


def in_backward(operator: Callable, *arguments):
    """The same, but for a backward that is recorded itself: that ends in the operator's own refusal."""
    return operator(*arguments) if torch.is_grad_enabled() else below_autograd(operator, *arguments)

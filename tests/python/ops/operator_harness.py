"""What every operator's tests share: layouts, comparison with the reference, opcheck, compile.

A new operator's test file is a list of cases and a few calls of these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

OPCHECK = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def layouts(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The same values in other memory orders: contiguous, strided, and for maps channels_last."""
    yield "contiguous", x.contiguous()
    if x.dim() >= 1 and x.numel() > 0:
        wide = x.new_empty(*x.shape[:-1], 2 * x.shape[-1])
        wide[..., ::2] = x
        yield "every second element", wide[..., ::2]
    if x.dim() >= 2:
        yield "transposed", x.transpose(0, 1).contiguous().transpose(0, 1)
    if x.dim() == 5:
        maps = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        yield "channels_last", maps.unflatten(0, x.shape[:2])


def leaves(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Copies with the same strides that require grad (integers and bools as they are)."""
    out: list[Tensor | None] = []
    for t in tensors:
        if t is None or not t.dtype.is_floating_point:
            out.append(t)
            continue
        copy = torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=t.device)
        out.append(copy.copy_(t).requires_grad_())
    return out


def gradients(
    function: Callable[..., Sequence[Tensor]],
    tensors: Sequence[Tensor | None],
    upstream: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Outputs, and gradients of ``tensors`` for given gradients of the outputs."""
    inputs = leaves(tensors)
    outputs = list(function(*inputs))
    torch.autograd.backward(outputs, list(upstream))
    return outputs, [None if t is None else t.grad for t in inputs]


def assert_same(ours: Tensor, reference: Tensor, case: object) -> None:
    """Equal bit for bit (0 and -0 are equal, NaN is never)."""
    assert ours.shape == reference.shape, f"{case}: {list(ours.shape)} != {list(reference.shape)}"
    assert ours.dtype == reference.dtype, f"{case}: {ours.dtype} != {reference.dtype}"
    differing = int((ours != reference).sum())
    assert differing == 0, f"{case}: {differing} of {ours.numel()} values differ"


def check_operator(op, *args, **kwargs) -> None:
    """``torch.library.opcheck`` with all its tests."""
    torch.library.opcheck(op, args, kwargs, test_utils=OPCHECK)


def check_compiles(function: Callable[..., Sequence[Tensor]], *args) -> None:
    """One graph, and the same results, under torch.compile."""
    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for ours, eager in zip(compiled(*args), function(*args), strict=True):
        assert_same(ours, eager, "compiled")

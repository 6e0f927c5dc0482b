"""The causal neighbour graph of an event recording."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["event_graph"]


def event_graph(
    x: Tensor,
    y: Tensor,
    t: Tensor,
    *,
    width: int,
    height: int,
    radius: float = 3.0,
    time_radius: int = 10_000,
    max_neighbours: int = 16,
    recording_ptr: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Connect every event with the newest events before it in a disc of pixels.

    Event i hears from events j < i of the same recording with (x_i - x_j)^2 + (y_i - y_j)^2 <= radius^2
    and t_i - t_j <= time_radius, the newest ``max_neighbours`` of them. Edges point from old to new, so
    the graph of a growing recording only grows. Linear in the events, on torch's threads.

    Args:
        x, y: pixels [E], any integer dtype, 0 <= x < width and 0 <= y < height.
        t: time stamps [E] in microseconds, int64, never falling within a recording.
        width, height: of the sensor, pixels.
        radius: of the disc, pixels, 0 <= radius < 16; 0 connects events of one pixel.
        time_radius: longest age of a neighbour, microseconds, >= 0.
        max_neighbours: cap of a row, 1 to 1024.
        recording_ptr: [R + 1], the events of recording r are recording_ptr[r] to recording_ptr[r + 1];
            one recording when None.

    Returns:
        (row_ptr [E + 1], col [edges]), int64: event i hears from col[row_ptr[i]:row_ptr[i + 1]], newest
        first. Not differentiable.

    Raises:
        ValueError: a shape, dtype, device or range is not one of the above; events out of the frame or
            times that fall are named with their index.

    Example:
        >>> import torch
        >>> x, y = torch.tensor([4, 5, 40, 4]), torch.tensor([7, 7, 7, 8])
        >>> row_ptr, col = event_graph(x, y, torch.tensor([0, 10, 20, 30]), width=64, height=32)
        >>> row_ptr.tolist(), col.tolist()
        ([0, 0, 1, 1, 3], [0, 1, 0])

    Source: the graph of Gehrig and Scaramuzza, Nature 629, 2024 (per-pixel queues, causal, capped), with
    the newest events of the whole disc instead of the first ones of a spiral.
    """
    for name, value in (("x", x), ("y", y), ("t", t)):
        if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
            raise ValueError(f"event_graph: {name} must have an integer dtype, got {value.dtype}")
    if recording_ptr is None:
        recording_ptr = torch.tensor([0, x.shape[0] if x.dim() else 0], device=x.device)
    return torch.ops.lampyris.event_graph(
        _coordinates("x", x, width),
        _coordinates("y", y, height),
        t.long(),
        recording_ptr,
        width,
        height,
        float(radius),
        time_radius,
        max_neighbours,
    )


def _coordinates(name: str, values: Tensor, size: int) -> Tensor:
    """int32, after a check where narrowing could hide a value out of range."""
    if size >= 1 and values.dtype == torch.int64 and values.numel() and not torch.compiler.is_compiling():
        low, high = (int(v) for v in values.aminmax())
        if low < 0 or high >= size:
            raise ValueError(
                f"event_graph: {name} must be in [0, {size}), got {low if low < 0 else high}"
                f" at [{int((values == (low if low < 0 else high)).nonzero()[0])}]"
            )
    return values.int()


@torch.library.register_fake("lampyris::event_graph")
def _(x, y, t, recording_ptr, width, height, radius, time_radius, max_neighbours):
    edges = torch.library.get_ctx().new_dynamic_size()
    return t.new_empty(x.shape[0] + 1), t.new_empty(edges)


@torch.library.impl("lampyris::event_graph", "CUDA")
def _(x, y, t, recording_ptr, width, height, *options):
    x, y, t, recording_ptr = (value.contiguous() for value in (x, y, t, recording_ptr))
    recordings = recording_ptr.numel() - 1
    lengths = recording_ptr.diff()
    falls = (t.diff() < 0).nonzero()[:, 0] + 1
    falls = falls[~torch.isin(falls, recording_ptr)]
    wrong = [int(recording_ptr[0]) != 0, int(recording_ptr[-1]) != len(x), bool((lengths < 0).any())]
    if any(wrong):
        raise ValueError(
            f"event_graph: recording_ptr must rise from 0 to {len(x)}, got {recording_ptr.tolist()[:8]}"
        )
    for name, value, size in (("x", x, width), ("y", y, height)):
        out = ((value < 0) | (value >= size)).nonzero()[:, 0]
        if len(out):
            raise ValueError(
                f"event_graph: {name} must be in [0, {size}), got {int(value[out[0]])} at [{int(out[0])}]"
            )
    if len(falls):
        i = int(falls[0])
        raise ValueError(
            f"event_graph: t must not fall within a recording, got {int(t[i])} after {int(t[i - 1])} at [{i}]"
        )
    recording = torch.repeat_interleave(torch.arange(recordings, device=x.device), lengths)
    key = (recording * height + y) * width + x
    order = torch.argsort(key, stable=True)
    bounds = torch.arange(recordings * width * height + 1, device=x.device)
    key_ptr = torch.searchsorted(key[order], bounds)
    merge = torch.ops.lampyris._event_graph_merge
    lists = (x, y, t, recording, order, key_ptr)
    degree = merge(*lists, None, 0, width, height, *options)
    row_ptr = torch.nn.functional.pad(degree.cumsum(0), (1, 0))
    return row_ptr, merge(*lists, row_ptr, int(row_ptr[-1]), width, height, *options)


@torch.library.register_fake("lampyris::_event_graph_merge")
def _(x, y, t, recording, order, key_ptr, row_ptr, edges, *options):
    return t.new_empty(x.shape[0] if row_ptr is None else edges)

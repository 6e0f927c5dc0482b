from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator

from lampyris import ops, reference

FRAME = {"width": 24, "height": 17}


def events(count, seed=0, span=4000, width=24, height=17):
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(width, (count,), generator=random)
    y = torch.randint(height, (count,), generator=random)
    return x, y, torch.randint(span, (count,), generator=random).sort().values


def assert_equals_reference(arguments, device, **options):
    ours = ops.event_graph(*(a.to(device) for a in arguments), **options)
    for name, a, b in zip(
        ("row_ptr", "col"), ours, reference.event_graph(*arguments, **options), strict=True
    ):
        assert_same(a.cpu(), b, name)
    return ours


def test_by_hand(device):
    #        0 hears nobody; 1 hears 0; 2 is far away; 3 hears 1 and 0, newest first; 4 comes too late
    x = torch.tensor([4, 5, 20, 4, 4], device=device)
    y = torch.tensor([7, 7, 7, 8, 8], device=device)
    t = torch.tensor([0, 10, 20, 30, 131], device=device)
    row_ptr, col = ops.event_graph(x, y, t, **FRAME, radius=1.5, time_radius=100)
    assert row_ptr.tolist() == [0, 0, 1, 1, 3, 3] and col.tolist() == [0, 1, 0]


@pytest.mark.parametrize("count", [0, 1, 2, 33, 700])
@pytest.mark.parametrize(
    "radius, time_radius, cap", [(3, 1000, 16), (0, 4000, 2), (1.5, 300, 1), (6.2, 0, 5)]
)
def test_equals_reference(count, radius, time_radius, cap, device, isa):
    options = {"radius": radius, "time_radius": time_radius, "max_neighbours": cap}
    assert_equals_reference(events(count), device, **FRAME, **options)


@pytest.mark.parametrize("radius, cap", [(2, 1), (2, 16), (4, 33), (4, 70), (9, 16)])
def test_crowds_are_thinned_to_the_newest(radius, cap, device, isa):
    x, y, t = events(600, seed=2, width=6, height=6)
    options = {"radius": radius, "time_radius": 10**6, "max_neighbours": cap}
    assert_equals_reference((x, y, t), device, width=6, height=6, **options)


def test_disc_is_exact(device):
    for radius in (0.99, 1, 1.42, 5, 15.9):
        x, y, t = events(300, seed=3, width=60, height=60)
        assert_equals_reference(
            (x, y, t), device, width=60, height=60, radius=radius, time_radius=9999, max_neighbours=300
        )


def test_recordings_do_not_hear_each_other(device):
    x, y, t = events(400)
    t[150:] = events(250, seed=1)[2]
    ptr = torch.tensor([0, 150, 150, 400])
    row_ptr, col = assert_equals_reference((x, y, t), device, **FRAME, recording_ptr=ptr)
    assert (col[row_ptr[150] :] >= 150).all()


def test_equal_times_hear_the_earlier_index(device):
    same = torch.zeros(6, dtype=torch.int64, device=device)
    row_ptr, col = ops.event_graph(same, same, same, **FRAME, time_radius=0, max_neighbours=2)
    assert row_ptr.diff().tolist() == [0, 1, 2, 2, 2, 2] and col.tolist()[-2:] == [4, 3]


def test_pieces_of_threads_meet(device):
    """More events than one thread's piece: the same graph as in one thread, and causal."""
    x, y, t = events(50_000, span=100_000, width=300, height=200)
    options = {"width": 300, "height": 200, "time_radius": 5000}
    arguments = [a.to(device) for a in (x, y, t)]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        row_ptr, col = ops.event_graph(*arguments, **options)
        torch.set_num_threads(1)
        alone = ops.event_graph(*arguments, **options)
        assert torch.equal(alone[0], row_ptr) and torch.equal(alone[1], col)
    finally:
        torch.set_num_threads(threads)
    to = torch.repeat_interleave(torch.arange(len(x), device=device), row_ptr.diff())
    assert (col < to).all() and (arguments[2][to] - arguments[2][col] <= 5000).all()
    for start in (16_384, 32_768):  # across the border of two pieces
        part = slice(start - 200, start + 200)
        _, near = reference.event_graph(x[part], y[part], t[part], **{**options, "time_radius": 200})
        ours = ops.event_graph(*(a[part] for a in arguments), **{**options, "time_radius": 200})[1]
        assert_same(ours.cpu(), near, start)


def test_shifting_time_and_place_changes_nothing(device):
    x, y, t = (a.to(device) for a in events(300, width=20, height=12))
    plain = ops.event_graph(x, y, t, **FRAME)
    moved = ops.event_graph(x + 4, y + 5, t - 10**15, **FRAME)
    assert all(torch.equal(a, b) for a, b in zip(plain, moved, strict=True))


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
def test_integer_coordinates_of_any_width(dtype, device):
    x, y, t = events(100)
    assert_equals_reference((x.to(dtype), y.to(dtype), t), device, **FRAME)


def test_opcheck_and_compile(device):
    x, y, t = (a.to(device) for a in events(60))
    ptr = torch.tensor([0, 60], device=device)
    check_operator(torch.ops.lampyris.event_graph, x.int(), y.int(), t, ptr, 24, 17, 3.0, 500, 8)
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        check_compiles(lambda *a: ops.event_graph(*a, **FRAME), x, y, t)


NOW = torch.arange(3)


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((NOW.float(), NOW, NOW), {}, "x must have an integer dtype, got torch.float32"),
        ((NOW[None], NOW[None], NOW[None]), {}, r"x must have shape \[E\], got \[1, 3\]"),
        ((NOW, NOW[:2], NOW), {}, r"y must have shape \[3\], got \[2\]"),
        ((NOW, NOW, NOW[:2]), {}, r"t must have shape \[3\], got \[2\]"),
        ((NOW + 23, NOW, NOW), {}, r"x must be in \[0, 24\), got 25 at \[2\]"),
        ((NOW, NOW - 1, NOW), {}, r"y must be in \[0, 17\), got -1 at \[0\]"),
        ((NOW + 2**32, NOW, NOW), {}, r"x must be in \[0, 24\), got 4294967298 at \[2\]"),
        (((NOW - 1).int(), NOW, NOW), {}, r"x must be in \[0, 24\), got -1 at \[0\]"),
        ((NOW, NOW, NOW.flip(0)), {}, r"t must not fall within a recording, got 1 after 2 at \[1\]"),
        ((NOW, NOW, NOW), {"radius": 16}, r"radius must be in \[0, 16\) pixels, got 16"),
        ((NOW, NOW, NOW), {"radius": float("nan")}, r"radius must be in \[0, 16\) pixels, got nan"),
        ((NOW, NOW, NOW), {"time_radius": -1}, "time_radius must be >= 0, got -1"),
        ((NOW, NOW, NOW), {"max_neighbours": 0}, r"max_neighbours must be in \[1, 1024\], got 0"),
        ((NOW, NOW, NOW), {"width": 0}, "width and height must be in"),
        (
            (NOW, NOW, NOW),
            {"recording_ptr": torch.tensor([0, 2])},
            "recording_ptr must (end at|rise from 0 to) 3",
        ),
        (
            (NOW, NOW, NOW),
            {"recording_ptr": torch.tensor([1, 3])},
            "recording_ptr must (start at|rise from) 0",
        ),
        ((NOW, NOW, NOW), {"recording_ptr": torch.tensor([0, 4, 3])}, "recording_ptr must"),
    ],
)
def test_errors(arguments, options, message, device):
    moved = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    with pytest.raises((ValueError, RuntimeError), match=f"event_graph: {message}"):
        ops.event_graph(*(a.to(device) for a in arguments), **{**FRAME, **moved})

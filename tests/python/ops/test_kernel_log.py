from __future__ import annotations

import threading

import torch

from lampyris import ops
from lampyris.ops.kernel_table import kernel_table


def note(kernel: str, density: float = -1.0) -> None:
    torch.ops.lampyris._note_kernel("test", kernel, density)


def test_calls_and_mean_density():
    note("before")
    with ops.record_kernels() as ran:
        note("a", 0.1)
        note("b")
        note("a", 0.3)
        assert ran == []
    note("after")
    assert [(r.operator, r.kernel, r.calls) for r in ran] == [("test", "a", 2), ("test", "b", 1)]
    assert abs(ran[0].density - 0.2) < 1e-6 and ran[1].density is None


def test_contexts_nest():
    with ops.record_kernels() as outer:
        note("a", 0.5)
        with ops.record_kernels() as inner:
            note("a", 0.1)
        note("b")
    assert [(r.kernel, r.calls) for r in inner] == [("a", 1)]
    assert abs(inner[0].density - 0.1) < 1e-6
    assert [(r.kernel, r.calls) for r in outer] == [("a", 2), ("b", 1)]
    with ops.record_kernels() as later:
        pass
    assert later == []


def test_every_thread_and_the_backward_pass():
    weight = torch.ones(2, 3, 3, 3, requires_grad=True)
    with ops.record_kernels() as ran:
        thread = threading.Thread(target=note, args=("thread",))
        thread.start()
        thread.join()
        ops.spike_conv2d(torch.ones(1, 1, 3, 4, 4), weight).sum().backward()
    assert {r.operator for r in ran} == {"test", "spike_conv2d", "spike_conv2d dW"}


def test_table_of_choices(isa):
    table = {(choice.operator, choice.case): choice for choice in kernel_table()}
    forward = table["spike_conv2d", "64 to 64, 3x3, float32"]
    assert forward.ranges[0][0].startswith("event float32") and len(forward.ranges) >= 2
    assert forward.ranges[0][1] == 0.01 and forward.ranges[-1][2] == 0.95
    ends = [density for kernel in forward.ranges for density in kernel[1:]]
    assert ends == sorted(ends)
    assert f"to {100 * forward.ranges[0][2]:.0f} %, " in forward.text()
    assert len(table["spike_conv2d", "depthwise 64, 3x3, float32"].ranges) == 1
    assert ("spike_conv2d dX", "64 to 64, 3x3, mixed") in table

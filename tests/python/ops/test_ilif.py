from __future__ import annotations

import itertools
import math

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops
from lampyris.reference.ilif import ilif, ilif_expand

SHAPES = [(1, 1), (2, 0), (3, 5), (4,), (5, 4100), (17, 70), (4, 2, 33, 7, 5)]


def test_by_hand():
    # U 2.5 counts 2 (half to even), V 0.5 | 0.125 + 3.5 = 3.625 counts 4, V -0.375
    counts, v = ops.ilif(torch.tensor([[2.5], [3.5]]), 0.25, 1.0, 4)
    assert counts.flatten().tolist() == [2.0, 4.0] and v.item() == -0.375
    # threshold 2: 9 / 2 clips at 3, V 3; below zero counts 0
    counts, v = ops.ilif(torch.tensor([[9.0, -4.0]]), 0.25, 2.0, 3)
    assert counts.tolist() == [[3.0, 0.0]] and v.tolist() == [3.0, -4.0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("limit", [1, 4, 8, 255])
def test_equals_reference(shape, limit, device, isa):
    for name, x in layouts(torch.randn(shape, device=device) * 3):
        upstream = [torch.randn_like(x), torch.randn_like(x[0])]
        ours = gradients(lambda t: ops.ilif(t, 0.25, 0.5, limit, gain=1.5), [x], upstream)
        expected = gradients(lambda t: ilif(t, 0.25, 0.5, limit, gain=1.5), [x], upstream)
        for a, b in zip(ours[0] + ours[1], expected[0] + expected[1], strict=True):
            assert_same(a, b, name)


@pytest.mark.parametrize("dims", [(6, 1, 1), (4, 5), (3, 6, 4, 5), ()], ids=str)
def test_learned_parameters(dims, device, isa):
    for dtype, (name, x) in itertools.product(
        (torch.float64, torch.float32), layouts(torch.randn(6, 3, 6, 4, 5, device=device) * 2)
    ):
        x = x.to(dtype)
        decay = torch.rand(dims, dtype=dtype, device=device) * 0.5
        threshold = torch.rand(dims, dtype=dtype, device=device) + 0.5
        gain = torch.rand(dims, dtype=dtype, device=device) + 0.5
        inputs = [x, decay, threshold, gain, torch.randn_like(x[0])]
        upstream = [torch.randn_like(x), torch.randn_like(x[0])]

        def run(function, t, d, h, g, v):
            return function(t, d, h, 4, gain=g, v_init=v)

        ours = gradients(lambda *a: run(ops.ilif, *a), inputs, upstream)
        expected = gradients(lambda *a: run(ilif, *a), inputs, upstream)
        assert_same(ours[0][0], expected[0][0], name)
        # Sums over neurons and steps in another order.
        exact = {"rtol": 1e-11, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 2e-4, "atol": 2e-4}
        for a, b in zip(ours[0] + ours[1], expected[0] + expected[1], strict=True):
            torch.testing.assert_close(a, b, **exact)


def test_gradcheck_where_nothing_is_counted():
    x = -torch.rand(6, 7, dtype=torch.float64) - 0.1
    v = -torch.rand(7, dtype=torch.float64)
    decay, gain = torch.rand(7, dtype=torch.float64), torch.rand(7, dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (x, decay, gain, v)]
    assert torch.autograd.gradcheck(lambda x, d, g, v: ops.ilif(x, d, 1.0, 4, gain=g, v_init=v)[1], inputs)


@pytest.mark.parametrize("limit", [1, 3, 4, 8])
def test_expansion_is_the_count_to_a_linear_synapse(limit, device):
    """T D binary steps add up to the counts, and give the same currents through any linear map."""
    for name, x in layouts(torch.randn(4, 2, 6, 5, 5, dtype=torch.float64, device=device) * 3):
        counts, _ = ops.ilif(x, 0.25, 1.0, limit)
        steps = ops.ilif_expand(counts, limit)
        assert steps.shape == (4 * limit, *x.shape[1:]) and set(steps.unique().tolist()) <= {0.0, 1.0}
        assert_same(steps, ilif_expand(counts, limit), name)
        assert_same(steps.unflatten(0, (4, limit)).sum(1), counts, name)
        weight = torch.randint(-8, 9, (3, 6, 3, 3), device=device).double()
        per_step = torch.nn.functional.conv2d(steps.flatten(0, 1), weight, padding=1)
        summed = per_step.unflatten(0, (4, limit, 2)).sum(1).flatten(0, 1)
        assert_same(summed, torch.nn.functional.conv2d(counts.flatten(0, 1), weight, padding=1), name)


def test_expansion_gradient_is_that_of_the_count():
    counts = torch.randint(0, 5, (3, 7)).float().requires_grad_()
    weight = torch.randn(7, 2)
    upstream = torch.randn(3, 2)
    (ops.ilif_expand(counts, 4) @ weight).unflatten(0, (3, 4)).sum(1).backward(upstream)
    torch.testing.assert_close(counts.grad, upstream @ weight.T)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_inputs(dtype, device, isa):
    x = (torch.randn(5, 300, device=device) * 3).to(dtype)
    upstream = [torch.randn_like(x), torch.randn(300, device=device)]
    ours = gradients(lambda t: ops.ilif(t, 0.25, 1.0, 4), [x], upstream)
    expected = gradients(lambda t: ops.ilif(t, 0.25, 1.0, 4), [x.float()], [u.float() for u in upstream])
    assert ours[0][0].dtype == dtype and ours[0][1].dtype == torch.float32
    assert_same(ours[0][0].float(), expected[0][0], dtype)
    assert_same(ours[1][0], expected[1][0].to(dtype), dtype)


def test_nan_counts_nothing_and_stays(device, isa):
    x = torch.randn(5, 70, device=device)
    x[2, ::3] = math.nan
    counts, v = ops.ilif(x, 0.25, 0.5, 4)
    assert counts[2:, ::3].sum() == 0 and v[::3].isnan().all() and counts.isfinite().all()


def test_two_bits_are_saved():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        x = torch.randn(8, 3, 128, requires_grad=True)
        ops.ilif(x, 0.25, 1.0, 4)
    assert sum(t.numel() * t.element_size() for t in saved) == x.numel() // 4


def test_opcheck_and_compile():
    x = torch.randn(5, 3, 40, requires_grad=True)
    decay = torch.rand(40, requires_grad=True)
    check_operator(torch.ops.lampyris.ilif.default, x, None, None, None, None, [0.25, 1.0, 1.0], 4, 1)
    check_operator(torch.ops.lampyris.ilif.default, x, None, decay, decay, None, [0.25, 1.0, 1.0], 4, 2)
    check_operator(torch.ops.lampyris.ilif_expand.default, torch.randint(0, 5, (3, 7)).float(), 4)
    check_compiles(lambda t: ops.ilif(t, 0.25, 1.0, 4), x.detach())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.tensor(1.0)}, r"ilif: x must have shape \[T, ...\] with T >= 1, got \[\]"),
        ({"x": torch.zeros(2, 3).int()}, r"ilif: x must have dtype float32, .*, got int32"),
        ({"decay": torch.zeros(2)}, r"ilif: decay must be broadcastable to x.shape\[1:\] \[3\], got \[2\]"),
        ({"decay": math.nan}, "ilif: decay must be finite, got nan"),
        ({"threshold": 0.0}, "ilif: threshold must be > 0, got 0"),
        ({"threshold": math.nan}, "ilif: threshold must be > 0, got nan"),
        ({"max_spikes": 0}, r"ilif: max_spikes must be in \[1, 255\], got 0"),
        ({"v_init": torch.zeros(4)}, r"ilif: v_init must have shape x.shape\[1:\] \[3\], got \[4\]"),
    ],
)
def test_error_messages(change, message):
    arguments = {"x": torch.zeros(2, 3), "decay": 0.25, "threshold": 1.0, "max_spikes": 4, **change}
    with pytest.raises(ValueError, match=message):
        ops.ilif(**arguments)


def test_expand_errors():
    with pytest.raises(ValueError, match=r"ilif_expand: max_spikes must be in \[1, 255\], got 256"):
        ops.ilif_expand(torch.zeros(2, 3), 256)
    with pytest.raises(ValueError, match=r"ilif_expand: counts must have shape \[T, ...\] .*, got \[\]"):
        ops.ilif_expand(torch.tensor(1.0), 2)
    with pytest.raises(ValueError, match=r"ilif_expand: counts must have dtype float32, .*, got int64"):
        ops.ilif_expand(torch.zeros(2, 3).long(), 2)

from __future__ import annotations

import itertools
import math

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

RULES = [
    {"reset": reset, "rounding": rounding, "inclusive": inclusive, "membrane": membrane}
    for reset, rounding, inclusive, membrane in itertools.product(
        ("hard", "soft", "none"), ("none", "floor"), (False, True), ("last", "trace", None)
    )
]
SHAPES = [(1, 1), (2, 0), (3, 5), (4,), (5, 4100), (17, 70), (4, 2, 33, 7, 5), (5, 2, 32, 4, 4)]


def _case(shape, rounding, device="cpu"):
    x = torch.randn(shape, device=device)
    if rounding == "floor":
        return (x * 60000).round(), 20000.0, 30000.0  # reaches the 18-bit limits
    return x, 1.0, 2.0


def test_by_hand():
    # V 0.6 | 0.3 + 0.6 = 0.9 | 0.45 + 0.6 = 1.05 fires, V = 0
    spikes, v = ops.lif(torch.full((3, 1), 0.6), decay=0.5, threshold=1.0)
    assert spikes.flatten().tolist() == [0.0, 0.0, 1.0]
    assert v.item() == 0.0
    # soft: 2.5 - 1 = 1.5, then 0.75 - 1 = -0.25 does not fire
    spikes, v = ops.lif(torch.tensor([[2.5], [-1.0]]), 0.5, 1.0, reset="soft", membrane="trace")
    assert spikes.flatten().tolist() == [1.0, 0.0]
    assert v.flatten().tolist() == [1.5, -0.25]
    # v_reset is also the resting value: 1 + 0.5 (0 - 1) + 0.25 = 0.75
    _, v = ops.lif(torch.tensor([[0.25]]), 0.5, 9.0, v_reset=1.0)
    assert v.item() == 0.75


def test_equality_is_strict_unless_inclusive(device):
    x = torch.full((1, 3), 1.0, device=device)
    assert ops.lif(x, 0.5, 1.0)[0].sum() == 0
    assert ops.lif(x, 0.5, 1.0, inclusive=True)[0].sum() == 3


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(shape, device, isa):
    for rule in RULES:
        x, threshold, width = _case(shape, rule["rounding"], device)
        for name, strided in layouts(x):

            def run(t, lif, threshold=threshold, width=width, rule=rule):
                out = lif(t, 0.5, threshold, gain=0.75, width=width, **rule)
                return [o for o in out if o is not None]

            upstream = [torch.randn_like(o) for o in run(x, reference.lif)]
            ours = gradients(lambda t: run(t, ops.lif), [strided], upstream)
            expected = gradients(lambda t: run(t, reference.lif), [strided], upstream)
            for a, b in zip(ours[0] + ours[1], expected[0] + expected[1], strict=True):
                assert_same(a, b, (rule, name))


@pytest.mark.parametrize("dims", [(6, 1, 1), (4, 5), (3, 6, 4, 5), (1, 4, 1), (3, 1, 4, 1), ()], ids=str)
def test_tensor_parameters_and_their_gradients(dims, device):
    resets = ("hard", "soft", "none")
    for reset, detach, rounding in itertools.product(resets, (True, False), ("none", "floor")):
        for name, x in layouts(torch.randn(5, 3, 6, 4, 5, dtype=torch.float64, device=device)):
            decay = torch.rand(dims, dtype=x.dtype, device=device) * 0.5 + 0.3
            threshold = torch.rand(dims, dtype=x.dtype, device=device) + 0.5
            gain = torch.rand(dims, dtype=x.dtype, device=device) + 0.5
            v_init = torch.randn(x.shape[1:], dtype=x.dtype, device=device)
            options = {"reset": reset, "detach_reset": detach, "rounding": rounding, "v_reset": 0.125}

            def run(lif, t, d, h, g, v, options=options):
                return lif(t, d, h, gain=g, v_init=v, membrane="trace", **options)

            inputs = [x, decay, threshold, gain, v_init]
            upstream = [torch.randn_like(x), torch.randn_like(x)]
            ours = gradients(lambda *a: run(ops.lif, *a), inputs, upstream)
            expected = gradients(lambda *a: run(reference.lif, *a), inputs, upstream)
            for a, b in zip(ours[0], expected[0], strict=True):
                assert_same(a, b, (options, name))
            for a, b in zip(ours[1], expected[1], strict=True):
                # Sums over neurons and steps in another order, in float64.
                torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_tensor_width(device):
    width = torch.tensor([0.5, 2.0, 8.0], device=device)
    x = torch.linspace(-3, 3, 40, device=device)[:, None].expand(40, 3)
    for lif in (ops.lif, reference.lif):
        t = x.clone().requires_grad_()
        lif(t, 0.0, 0.0, width=width)[0].sum().backward()
        assert_same(t.grad, torch.where(x.abs() < width / 2, 1 / width, 0.0), lif)


def test_hard_reset_that_is_not_detached(device):
    x = torch.randn(9, 50, device=device)
    upstream = [torch.randn_like(x)]
    run = {
        lif: gradients(lambda t, lif=lif: [lif(t, 0.5, 0.5, detach_reset=False)[0]], [x], upstream)
        for lif in (ops.lif, reference.lif)
    }
    # One product more or less in the chain through the reset: float32 rounding.
    torch.testing.assert_close(run[ops.lif][1][0], run[reference.lif][1][0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 31, 32, 64, 70])
def test_packed_output(channels, device, isa):
    for name, x in layouts(torch.randn(5, 2, channels, 3, 7, device=device)):
        packed, v = ops.lif(x, 0.5, 0.7, output="packed")
        dense, w = ops.lif(x, 0.5, 0.7)
        assert packed.dim == 2 and packed.carrier.stride() == (0,) * 5
        assert_same(packed.words, reference.pack_spikes(dense, dim=2).words, name)
        assert_same(packed.dense(), dense, name)
        assert_same(v, w, name)
        upstream = [torch.randn_like(dense)]
        ours = gradients(lambda t: [ops.lif(t, 0.5, 0.7, output="packed")[0].dense()], [x], upstream)
        expected = gradients(lambda t: [ops.lif(t, 0.5, 0.7)[0]], [x], upstream)
        assert_same(ours[1][0], expected[1][0], name)
    flat = ops.lif(torch.randn(3, 4, 40, device=device), 0.5, 0.7, output="packed")[0]
    assert flat.dim == 2 and flat.words.shape == (3, 4, 2)


def test_expanded_steps_are_read_in_place(device):
    once = torch.randn(2, 6, 8, 8, device=device)
    x = once.expand(4, *once.shape)
    spikes, _ = ops.lif(x, 0.5, 0.7)
    assert_same(spikes, ops.lif(x.contiguous(), 0.5, 0.7)[0], "expanded")
    leaf = once.clone().requires_grad_()
    ops.lif(leaf.expand(4, *once.shape), 0.5, 0.7)[0].sum().backward()
    assert leaf.grad.shape == once.shape


def test_memory_order_is_kept():
    x = torch.randn(6, 8, 5, 5).contiguous(memory_format=torch.channels_last).unflatten(0, (3, 2))
    spikes, v = ops.lif(x, 0.5, 0.7)
    assert spikes.stride() == x.stride() and v.stride() == x[0].stride()


def test_codes_are_two_bits_a_neuron_step():
    x = torch.randn(8, 1000)
    options = [0, 1, 0, 0, 0, 0, 0, 1]
    codes = torch.ops.lampyris.lif(x, *(None,) * 5, [0.5, 1.0, 1.0, 1.0, 0.0], options)[2]
    assert codes.numel() * 8 == 2 * x.numel()


@pytest.mark.parametrize(
    "options, learned, bytes_each",
    [
        ({}, False, 0.25),
        ({"reset": "soft", "detach_reset": False}, False, 0.25),
        ({"reset": "none", "output": "packed"}, False, 0.25),
        ({"detach_reset": False}, False, 4),
        ({"surrogate": "atan"}, False, 4),
        ({}, True, 8),  # U, and x that the caller has anyway
    ],
)
def test_saved_for_backward(options, learned, bytes_each):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        x = torch.randn(16, 3, 128, requires_grad=True)
        ops.lif(x, torch.tensor(0.5, requires_grad=learned), 1.0, **options)
    large = [t.numel() * t.element_size() for t in saved if t.numel() > 1]
    assert sum(large) == bytes_each * x.numel()


@pytest.mark.parametrize("decay, gain", [(1.0, 1.0), (0.5, 1.0), (0.25, 1.0), (0.0625, 1.0), (0.5, 0.5)])
def test_floor_is_the_integer_neuron_of_the_contract(decay, gain, device):
    """docs/contract.md section 3, computed in int64, at the limits of the membrane too."""
    current = torch.randint(-32768, 32768, (16, 500), device=device)
    threshold = torch.randint(-200, 100000, (500,), device=device)
    v = torch.zeros(500, dtype=torch.int64, device=device)
    spikes = []
    for x in current:
        if gain == 0.5:
            u = (v + x) >> 1
        else:
            u = (v >> round(-torch.log2(torch.tensor(decay)).item())) + x
        u = u.clamp(-(2**17), 2**17 - 1)
        spikes.append(u > threshold)
        v = torch.where(spikes[-1], 0, u)
    ours, last = ops.lif(current.float(), decay, threshold.float(), gain=gain, rounding="floor")
    assert torch.equal(ours.bool(), torch.stack(spikes))
    assert torch.equal(last.long(), v)


def test_saturation_gradient_is_one_at_the_limits():
    limit = 2.0**17
    x = torch.tensor([[-limit - 1, -limit, limit - 1, limit - 0.5, limit]], requires_grad=True)
    _, v = ops.lif(x, 1.0, 1e9, rounding="floor")
    assert v.tolist() == [-limit, -limit, limit - 1, limit - 1, limit - 1]
    v.sum().backward()
    assert x.grad.tolist() == [[0.0, 1.0, 1.0, 1.0, 0.0]]


def test_gradcheck_below_threshold():
    x = torch.randn(6, 7, dtype=torch.float64, requires_grad=True)
    v = torch.randn(7, dtype=torch.float64, requires_grad=True)
    decay = torch.rand(7, dtype=torch.float64).requires_grad_()
    gain = torch.rand(7, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, d, g, v: ops.lif(x, d, 1e6, gain=g, v_init=v, membrane="trace")[1], (x, decay, gain, v)
    )


def test_neurons_are_independent(device):
    x = torch.randn(6, 300, device=device)
    order = torch.randperm(300, device=device)
    assert_same(ops.lif(x[:, order], 0.5, 0.7)[0], ops.lif(x, 0.5, 0.7)[0][:, order], "permuted")


@pytest.mark.parametrize("packed", [0, 1])
def test_opcheck(packed):
    x = torch.randn(5, 2, 33, 4, 4, requires_grad=True)
    scale = torch.rand(33, 1, 1, requires_grad=True)
    values = [0.5, 1.0, 1.0, 1.0, 0.0]
    for membrane, surrogate in itertools.product((0, 1, 2), (0, 3)):
        options = [0, 1, 0, surrogate, 0, packed, membrane, 2]
        check_operator(torch.ops.lampyris.lif.default, x, None, scale, scale, None, None, values, options)
    codes = [0, 1, 0, 0, 0, packed, 1, 1]
    check_operator(torch.ops.lampyris.lif.default, x, None, None, None, None, None, values, codes)


def test_compiles_and_checkpoints():
    x = torch.randn(4, 3, 40)
    check_compiles(lambda t: ops.lif(t, 0.5, 0.7, membrane="trace"), x)
    check_compiles(lambda t: [ops.lif(t, 0.5, 0.7, output="packed")[0].dense()], x)
    t = x.clone().requires_grad_()
    torch.utils.checkpoint.checkpoint(
        lambda t: ops.lif(t, 0.5, 0.7)[0], t, use_reentrant=False
    ).sum().backward()
    u = x.clone().requires_grad_()
    ops.lif(u, 0.5, 0.7)[0].sum().backward()
    assert_same(t.grad, u.grad, "checkpoint")


def test_autocast_keeps_the_dtype_of_x():
    x = torch.randn(4, 9, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spikes, v = ops.lif(x, torch.tensor(0.5), 0.7)
    assert spikes.dtype == torch.bfloat16 and v.dtype == torch.float32


def test_double_backward_raises():
    for compiled in (False, True):
        x = torch.randn(3, 4, requires_grad=True)
        if compiled:
            spikes = torch.ops.lampyris.lif(x, *(None,) * 5, [0.5, 0.1, 1.0, 1.0, 0.0], [0, 1, *[0] * 5, 1])[
                0
            ]
        else:
            spikes = ops.lif(x, 0.5, 0.1)[0]
        (grad,) = torch.autograd.grad(spikes.square().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="lif: must not be differentiated twice"):
            grad.sum().backward()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.tensor(1.0)}, r"lif: x must have shape \[T, ...\] with T >= 1, got \[\]"),
        ({"x": torch.zeros(0, 2)}, r"lif: x must have shape \[T, ...\] with T >= 1, got \[0, 2\]"),
        (
            {"x": torch.zeros(2, 3).int()},
            "lif: x must have dtype float32, float64, bfloat16 or float16, got int32",
        ),
        ({"v_init": torch.zeros(4)}, r"lif: v_init must have shape x.shape\[1:\] \[3\], got \[4\]"),
        ({"v_init": torch.zeros(3).double()}, "lif: v_init must have dtype float32, got float64"),
        ({"decay": torch.zeros(2)}, r"lif: decay must be broadcastable to x.shape\[1:\] \[3\], got \[2\]"),
        ({"gain": torch.zeros(3).double()}, "lif: gain must have dtype float32, got float64"),
        ({"decay": math.nan}, "lif: decay must be finite, got nan"),
        ({"gain": math.inf}, "lif: gain must be finite, got inf"),
        ({"v_reset": -math.inf}, "lif: v_reset must be finite, got -inf"),
        ({"threshold": math.nan}, "lif: threshold must not be NaN, got nan"),
        ({"reset": "zero"}, "lif: reset must be one of 'hard', 'soft', 'none', got 'zero'"),
        ({"surrogate": "tanh"}, "lif: surrogate must be one of 'rectangle', .*, got 'tanh'"),
        ({"surrogate": 3}, "lif: surrogate must be a name or a callable, got int"),
        ({"rounding": "ceil"}, "lif: rounding must be one of 'none', 'floor', got 'ceil'"),
        (
            {"x": torch.zeros(2, 3).half(), "rounding": "floor"},
            "lif: x must have dtype float32 or float64 with rounding='floor', got float16",
        ),
        ({"output": "bits"}, "lif: output must be one of 'dense', 'packed', got 'bits'"),
        ({"membrane": "all"}, "lif: membrane must be one of 'last', 'trace', None, got 'all'"),
        ({"width": 0.0}, "lif: width must be > 0, got 0"),
        ({"width": math.nan}, "lif: width must be > 0, got nan"),
        ({"width": torch.ones(3, requires_grad=True)}, "lif: width must not require grad"),
    ],
)
def test_error_messages(change, message):
    arguments = {"x": torch.zeros(2, 3), "decay": 0.5, "threshold": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        ops.lif(**arguments)

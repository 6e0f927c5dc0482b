from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

CASES = [
    ((5,), 0),
    ((3, 70), -1),
    ((3, 64), 1),
    ((2, 96, 40), 1),
    ((2, 2, 33, 5, 7), 2),
    ((4, 1, 64, 8, 8), 2),
]
EMPTY = [((2, 0, 3), 1), ((0, 4), 1), ((2, 3, 0), 1)]


def test_by_hand():
    spikes = torch.zeros(2, 34)
    spikes[0, 0] = spikes[0, 31] = spikes[0, 33] = 1
    packed = ops.pack_spikes(spikes)
    assert packed.words.tolist() == [[1 - 2**31, 2], [0, 0]]
    assert packed.shape == (2, 34) and packed.dim == 1 and packed.dim_size() == 34


@pytest.mark.parametrize("shape, dim", CASES + EMPTY, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool, torch.uint8], ids=str)
def test_equals_reference(shape, dim, dtype, device, isa):
    dense = (torch.rand(shape, device=device) < 0.3).to(dtype)
    for name, spikes in layouts(dense):
        packed = ops.pack_spikes(spikes, dim=dim)
        assert_same(packed.words, reference.pack_spikes(dense, dim=dim).words, name)
        for target in (torch.float32, torch.float64, torch.bool):
            assert_same(ops.unpack_spikes(packed, target), dense.to(target), name)
        assert_same(reference.unpack_spikes(packed), dense.float(), name)


def test_any_value_but_zero_is_a_spike(device, isa):
    values = torch.tensor([0.0, -0.0, 1.0, -3.0, 1e-45, float("nan"), float("inf")], device=device)
    assert ops.pack_spikes(values.repeat(8)).dense(torch.bool)[:7].tolist() == [False, False, *[True] * 5]


def test_gradient_passes_unchanged(device):
    for dtype in (torch.float32, torch.float64):
        x = (torch.rand(2, 3, 40, 4, 4, device=device) < 0.5).to(dtype)
        upstream = [torch.randn_like(x)]
        _, (grad,) = gradients(lambda t: [ops.pack_spikes(t, dim=2).dense()], [x], upstream)
        assert_same(grad, upstream[0], dtype)


def test_carrier_is_one_element():
    packed = ops.pack_spikes(torch.ones(4, 100))
    assert packed.carrier.untyped_storage().nbytes() == 4
    assert packed.detach().requires_grad is False
    assert packed.to("cpu").words.tolist() == packed.words.tolist()
    assert repr(packed) == "Spikes(shape=[4, 100], dim=1, device=cpu)"


def test_opcheck_and_compile():
    x = (torch.rand(2, 3, 40, 4, 4) < 0.5).float()
    check_operator(torch.ops.lampyris.pack_spikes.default, x.requires_grad_(), 2)
    packed = ops.pack_spikes(x.detach(), dim=2)
    carrier = packed.carrier.clone().requires_grad_()
    check_operator(torch.ops.lampyris.unpack_spikes.default, carrier, packed.words, 2, torch.float64)
    check_compiles(lambda t: [ops.pack_spikes(t, dim=2).dense(torch.bool)], x.detach())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.pack_spikes(torch.zeros(3), dim=1), r"pack_spikes: dim must be in \[-1, 0\], got 1"),
        (
            lambda: ops.pack_spikes(torch.zeros(3).half()),
            "pack_spikes: spikes must have dtype float32, float64, bool or uint8, got float16",
        ),
        (
            lambda: ops.pack_spikes(torch.zeros(3)).dense(torch.int64),
            "unpack_spikes: dtype must be float32, float64 or bool, got int64",
        ),
        (
            lambda: torch.ops.lampyris.unpack_spikes(
                torch.zeros(40), torch.zeros(1, dtype=torch.int32), 0, torch.float32
            ),
            r"unpack_spikes: words must have shape \[2\], got \[1\]",
        ),
        (
            lambda: ops.Spikes(torch.zeros(1, dtype=torch.int32), torch.zeros(40)),
            r"Spikes: words must be int32 with shape \[2\], got torch.int32 \[1\]",
        ),
        (
            lambda: ops.Spikes(torch.zeros(2, dtype=torch.int32), torch.zeros(40), 1),
            r"Spikes: dim must be in \[-1, 0\], got 1",
        ),
    ],
)
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()

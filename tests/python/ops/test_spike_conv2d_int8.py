from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, layouts

from lampyris import ops, reference

# maps, output channels, kernel, options
CASES = [
    ((1, 1, 1, 1, 1), 1, (1, 1), {}),
    ((2, 2, 64, 7, 9), 64, (3, 3), {"padding": 1}),
    ((2, 1, 33, 5, 7), 14, (3, 3), {"padding": 1}),
    ((1, 3, 32, 9, 8), 70, (3, 3), {"padding": 1, "stride": 2}),
    ((2, 1, 40, 6, 6), 300, (1, 1), {}),
    ((1, 1, 3, 17, 15), 48, (7, 7), {"padding": 3, "stride": 2}),
    ((1, 2, 5, 6, 5), 4, (2, 3), {"padding": 2, "stride": 3}),
    ((1, 2, 48, 6, 5), 48, (3, 3), {"padding": 1, "groups": 48}),
    ((1, 1, 40, 6, 5), 80, (3, 3), {"padding": 1, "groups": 40}),
    ((1, 1, 96, 6, 7), 36, (3, 3), {"padding": 1, "groups": 3, "stride": 2}),
    ((3, 2, 65, 3, 2), 33, (3, 3), {"padding": 4}),
]


def make(case, density, device="cpu"):
    shape, out, kernel, options = case
    spikes = torch.rand(shape, device=device) < density
    group_in = shape[2] // options.get("groups", 1)
    weight = torch.randint(-128, 128, (out, group_in, *kernel), dtype=torch.int8, device=device)
    bias = torch.randint(-(2**20), 2**20, (out,), dtype=torch.int32, device=device)
    return spikes, weight, bias, options


def exact(spikes, weight, bias=None, **options):
    """torch's convolution in int64 arithmetic (float64 holds every sum)."""
    steps = spikes.shape[:2]
    bias = None if bias is None else bias.double()
    out = torch.nn.functional.conv2d(spikes.flatten(0, 1).double(), weight.double(), bias, **options)
    return out.to(torch.int32).unflatten(0, steps)


def test_by_hand():
    spikes = torch.tensor([[[[[1, 0, 1]], [[0, 1, 1]]]]], dtype=torch.bool)
    weight = torch.tensor([[[[1]], [[100]]]], dtype=torch.int8)
    assert ops.spike_conv2d(spikes, weight).tolist() == [[[[[1, 100, 101]]]]]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_integer_arithmetic(case, device, tiles):
    for density in (0.0, 0.1, 0.5, 1.0):
        spikes, weight, bias, options = make(case, density, device)
        wanted = exact(spikes, weight, bias, **options)
        assert_same(reference.spike_conv2d(spikes, weight, bias, **options), wanted, "reference")
        for name, x in layouts(spikes.float()):
            assert_same(ops.spike_conv2d(x, weight, bias, **options), wanted, name)
        packed = ops.pack_spikes(spikes, dim=2)
        ours = ops.spike_conv2d(packed, weight.transpose(0, 1).contiguous().transpose(0, 1), **options)
        assert_same(ours, exact(spikes, weight, **options), "packed")
        assert ours.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_largest_sums(device, tiles):
    spikes = torch.ones(1, 1, 1024, 3, 3, device=device)
    for value in (-128, 127):
        weight = torch.full((65, 1024, 3, 3), value, dtype=torch.int8, device=device)
        out = ops.spike_conv2d(spikes, weight, padding=1)
        assert out[0, 0, :, 1, 1].unique().tolist() == [value * 1024 * 9]
        assert out[0, 0, :, 0, 0].unique().tolist() == [value * 1024 * 4]


def test_linear_equals_integer_arithmetic(device, tiles):
    for rows, inputs, outputs, density in ((1, 1, 1, 1.0), (5, 70, 33, 0.1), (3, 4000, 10, 0.9)):
        spikes = torch.rand(rows, inputs, device=device) < density
        weight = torch.randint(-128, 128, (outputs, inputs), dtype=torch.int8, device=device)
        ours = torch.ops.lampyris.spike_linear_int8(ops.pack_spikes(spikes).words, weight)
        assert_same(ours, (spikes.double() @ weight.double().T).to(torch.int32), (rows, inputs))
    empty = torch.zeros(0, 2, dtype=torch.int32, device=device)
    weight = torch.zeros(3, 40, dtype=torch.int8, device=device)
    assert torch.ops.lampyris.spike_linear_int8(empty, weight).shape == (0, 3)


def test_threads_do_not_change_sums():
    spikes, weight, bias, options = make(CASES[1], 0.2)
    before = torch.get_num_threads()
    outs = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            outs.append(ops.spike_conv2d(spikes, weight, bias, **options))
    finally:
        torch.set_num_threads(before)
    assert_same(*outs, "threads")


def test_choice_is_recorded(tiles):
    weight = torch.ones(64, 64, 3, 3, dtype=torch.int8)
    channel = torch.ones(64, 1, 3, 3, dtype=torch.int8)
    with ops.record_kernels() as ran:
        for density in (0.05, 0.9):
            spikes = (torch.rand(1, 64, 8, 8) < density).float()
            ops.spike_conv2d(spikes, weight, padding=1)
        ops.spike_conv2d(spikes, channel, padding=1, groups=64)
    kernels = [record.kernel for record in ran]
    at_5_percent = {"amx": "amx int8", "emulated tiles": "amx int8 emulated"}
    assert kernels[0] == at_5_percent.get(tiles, "event int8") and kernels[-1] == "channel int8"
    assert all(record.operator == "spike_conv2d" for record in ran)


def test_opcheck_and_compile():
    spikes, weight, bias, _ = make(CASES[2], 0.3)
    packed = ops.pack_spikes(spikes.flatten(0, 1), dim=1)
    check_operator(
        torch.ops.lampyris.spike_conv2d_int8.default, packed.words, packed.carrier, weight, bias, 2, 1, 1
    )
    rows = ops.pack_spikes(torch.rand(5, 40) < 0.3).words
    check_operator(torch.ops.lampyris.spike_linear_int8.default, rows, torch.ones(3, 40, dtype=torch.int8))
    check_compiles(lambda s, w: [ops.spike_conv2d(s, w, padding=1)], spikes.float(), weight)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda s, w: ops.spike_conv2d(s, w, torch.zeros(4)),
            "spike_conv2d: bias must have dtype int32, got float32",
        ),
        (
            lambda s, w: ops.spike_conv2d(s, w[:, :2]),
            r"spike_conv2d: weight must have shape \[Co, 3, kh, kw\] with Co a multiple of 1 groups, "
            r"got \[4, 2, 1, 1\]",
        ),
        (
            lambda s, w: torch.ops.lampyris.spike_conv2d_int8(
                torch.zeros(2, 5, 5, 1, dtype=torch.int32), torch.zeros(2, 3, 5, 5), w.float(), None, 1, 0, 1
            ),
            "spike_conv2d: weight must have dtype int8, got float32",
        ),
        (
            lambda s, w: torch.ops.lampyris.spike_linear_int8(
                torch.zeros(2, 1, dtype=torch.int32), torch.zeros(2, 40, dtype=torch.int8)
            ),
            r"spike_linear: words must have shape \[M, 2\], got \[2, 1\]",
        ),
        (
            lambda s, w: torch.ops.lampyris.spike_linear_int8(torch.zeros(2, 1, dtype=torch.int32), w),
            r"spike_linear: weight must have shape \[N, K\], got \[4, 3, 1, 1\]",
        ),
    ],
)
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 1, 3, 5, 5), torch.ones(4, 3, 1, 1, dtype=torch.int8))


def test_exact_current(device, isa):
    for shift in (0, 3):
        spikes, weight, bias, options = make(CASES[2], 0.4, device)
        packed = ops.pack_spikes(spikes.flatten(0, 1), dim=1)
        arguments = (packed.words, packed.carrier, weight, bias, shift, 1, options["padding"], 1)
        ours = torch.ops.lampyris._spike_conv2d_exact(*arguments)
        wanted = (exact(spikes, weight, **options) << shift) + bias.view(-1, 1, 1)
        assert_same(ours, wanted.float().flatten(0, 1), shift)
    check_operator(torch.ops.lampyris._spike_conv2d_exact.default, *arguments)
    with pytest.raises(ValueError, match=r"shift must be >= 0 and fan-in x 2\^shift below 2\^24"):
        torch.ops.lampyris._spike_conv2d_exact(*arguments[:4], 16, 1, 1, 1)

from __future__ import annotations

import pytest
import torch

from lampyris import ops
from lampyris.compress.arithmetic import convolve, convolve_spikes, prefers_integers


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_integer_kernels_equal_float32(shift, stride):
    generator = torch.Generator().manual_seed(shift)
    spikes = (torch.rand(3, 40, 9, 8, generator=generator) < 0.2).float().requires_grad_()
    weight = torch.randint(-127, 128, (36, 40, 3, 3), generator=generator).float().requires_grad_()
    bias = torch.randint(-900, 900, (36,), generator=generator).float().requires_grad_()
    ours = convolve_spikes(spikes, weight, bias, shift, stride, 1)
    wanted = convolve(spikes, weight * 2.0**shift, bias, stride, 1)
    assert torch.equal(ours, wanted)
    # Integers, so that every order of summation gives the same gradient.
    upstream = torch.randint(-9, 10, ours.shape, generator=generator).float()
    inputs = (spikes, weight, bias)
    for mine, other in zip(
        torch.autograd.grad(ours, inputs, upstream),
        torch.autograd.grad(wanted, inputs, upstream),
        strict=True,
    ):
        assert torch.equal(mine, other)


def test_values_beyond_float32_keep_their_side_of_the_clamp():
    spikes, weight = torch.ones(1, 4096, 1, 1), torch.full((1, 4096, 1, 1), 127.0)
    out = convolve_spikes(spikes, weight, torch.tensor([32767.0]), 4, 1, 0)
    assert out.item() == float((4096 * 127 << 4) + 32767)
    assert convolve_spikes(spikes, -weight, torch.tensor([-1.0]), 4, 1, 0).item() < -(2**15)


def test_the_choice_follows_the_processor():
    images = torch.zeros(1, 1, 1, 1)
    before = torch.ops.lampyris._set_isa("avx2")
    try:
        assert not prefers_integers(images)
    finally:
        torch.ops.lampyris._set_isa(before)
    assert prefers_integers(images) == (torch.ops.lampyris.isa() in ("avx512", "amx"))


def test_the_kernel_is_recorded():
    with ops.record_kernels() as ran:
        convolve_spikes(torch.zeros(1, 32, 4, 4), torch.ones(32, 32, 3, 3), torch.zeros(32), 0, 1, 1)
    assert [record.operator for record in ran] == ["spike_conv2d"]
    assert "int8" in ran[0].kernel

"""Quantizers, saturation and shifts: values in float64 and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lampyris.compress.quantizers import (
    output_bias,
    output_weight,
    stem_bias,
    stem_weight,
    synapse_bias,
    synapse_weight,
)
from lampyris.compress.saturation import count_clamped, sat16, shift_round


def test_half_to_even_and_the_tie_at_full_scale():
    # step V_th / Theta = 0.5 / 64: W * 128; 127.5 -> rint 128 -> clamped; -127.5 -> -127; 0.5 -> 0; 1.5 -> 2
    w = torch.tensor([127.5, -127.5, 126.5, 0.5, 1.5, -2.5, 300.0]) / 128
    assert synapse_weight(w, 64, 0.5, 0).tolist() == [127, -127, 126, 0, 2, -2, 127]
    assert synapse_weight(w, 64, 0.5, 0, limit=None).tolist() == [128, -128, 126, 0, 2, -2, 300]
    assert synapse_weight(w, 64, 0.5, 1).tolist() == [
        64,
        -64,
        63,
        0,
        1,
        -1,
        127,
    ]  # 63.75, 63.25, .25, .75, -1.25


def test_float64_left_to_right():
    """A float32 quantizer, or one that multiplies by the step's reciprocal, gives other integers."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(200_000, generator=generator)
    theta, v_th = 131, 0.3
    want = np.clip(np.rint((w.double().numpy() * theta) / (v_th * 4)), -127, 127)
    got = synapse_weight(w, theta, v_th, 2).double().numpy()
    assert (got == want).all()
    ties = torch.tensor([(2 * n + 1) * 0.5 * 0.25 / 96 for n in range(96)], dtype=torch.float64).float()
    want = np.rint((ties.double().numpy() * 96) / 0.25)
    assert (synapse_weight(ties, 96, 0.25, 0).double().numpy() == want).all()


def test_bias_stem_and_output():
    assert synapse_bias(torch.tensor([0.125, 1000.0, -1000.0]), 64, 0.5).tolist() == [16, 32767, -32767]
    # stem: W 2^(6 - 8) 256 / 0.5 = W * 128; b 2^6 * 256 / 0.5 = b * 32768
    assert stem_weight(torch.tensor([0.5, 1.0]), 256, 0.5, 6, 8).tolist() == [64, 127]
    assert stem_bias(torch.tensor([0.5, -100.0]), 256, 0.5, 6).tolist() == [16384, -3276800]
    step = torch.tensor([0.01, 2.0], dtype=torch.float64)
    w = torch.tensor([[1.27, 0.5], [3.0, -254.0]]).view(2, 2, 1, 1)
    assert output_weight(w, step).flatten().tolist() == [127, 50, 2, -127]  # 1.5 -> 2
    assert output_bias(torch.tensor([0.1, -5.0]), step).tolist() == [10, -2]  # -2.5 -> -2


def test_straight_through_gradients():
    w = torch.tensor([0.1, 5.0, -5.0], requires_grad=True)
    synapse_weight(w, 96, 0.5, 1).sum().backward()
    assert w.grad.tolist() == [96.0, 96.0, 96.0]  # Theta / (V_th 2), also where clamped
    b = torch.tensor([0.1, 1e4], requires_grad=True)
    synapse_bias(b, 96, 0.5).sum().backward()
    assert b.grad.tolist() == [192.0, 192.0]
    s = torch.tensor([0.1], requires_grad=True)
    stem_weight(s, 256, 0.5, 6, 8).sum().backward()
    assert s.grad.tolist() == [128.0]
    o = torch.ones(2, 1, 1, 1, requires_grad=True)
    output_weight(o, torch.tensor([0.25, 2.0], dtype=torch.float64)).sum().backward()
    assert o.grad.flatten().tolist() == [4.0, 0.5]


def test_sat16_values_and_gradient():
    x = torch.tensor([-40000.0, -32769, -32768, 0, 32767, 32768, 1e9], requires_grad=True)
    y = sat16(x)
    assert y.tolist() == [-32768, -32768, -32768, 0, 32767, 32767, 32767]
    (3 * y).sum().backward()
    assert x.grad.tolist() == [0, 0, 3, 3, 3, 0, 0]  # limits included
    assert count_clamped(x) == 4
    inside = torch.tensor([-32768.0, 32767.0], requires_grad=True)
    sat16(inside).sum().backward()
    assert inside.grad.tolist() == [1, 1]


@pytest.mark.parametrize("k", [0, 1, 6])
def test_shift_round_is_the_integer_shift(k):
    x = torch.arange(-300, 301)
    want = (x + (1 << (k - 1)) >> k) if k else x
    y = x.float().requires_grad_()
    got = shift_round(y, k)
    assert (got == want).all()
    got.sum().backward()
    assert (y.grad == 2.0**-k).all()

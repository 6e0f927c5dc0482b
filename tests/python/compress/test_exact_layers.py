"""Exact layers against integers computed by hand or in int64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lampyris import nn
from lampyris.compress import ExactConv2d, ExactLIF, ExactOutput, ExactStem, PendingCurrent, Recorder


def conv_entry(**changes):
    entry = {"name": "c", "op": "conv", "theta": 64, "v_th": 0.5, "shift": 0, "add": None, "saturate": True}
    return {**entry, **changes}


def exact_conv(weight, bias, stride=1, padding=0, **changes):
    """A convolution whose integer weights are ``weight`` and ``bias`` (step 1 / 128, times 2^s)."""
    cout, cin, k, _ = weight.shape
    layer = ExactConv2d(nn.Conv2d(cin, cout, k, stride, padding), conv_entry(**changes))
    with torch.no_grad():
        layer.weight.copy_(weight.float() / 128 * 2 ** layer.entry["shift"])
        layer.bias.copy_(bias.float() / 128)
    return layer


def integer_conv(spikes, weight, stride, padding):
    """int64 convolution by shifting and adding."""
    x = F.pad(spikes.long(), (padding,) * 4)
    k = weight.shape[2]
    h = (x.shape[3] - k) // stride + 1
    w = (x.shape[4] - k) // stride + 1
    out = torch.zeros(*x.shape[:2], weight.shape[0], h, w, dtype=torch.long)
    for i in range(k):
        for j in range(k):
            window = x[..., i : i + stride * h : stride, j : j + stride * w : stride]
            out += torch.einsum("tbchw,oc->tbohw", window, weight[:, :, i, j].long())
    return out


@pytest.mark.parametrize("shift", [0, 1, 3, 4])
@pytest.mark.parametrize("kernel, stride", [(1, 1), (3, 1), (3, 2)])
def test_conv_equals_int64_with_clamps(shift, kernel, stride):
    generator = torch.Generator().manual_seed(shift * 10 + kernel + stride)
    weight = torch.randint(-127, 128, (8, 40, kernel, kernel), generator=generator)
    weight[:2] = weight[:2].abs()  # two channels that clamp
    bias = torch.randint(-32767, 32768, (8,), generator=generator)
    spikes = (torch.rand(3, 2, 40, 8, 8, generator=generator) < 0.4).float()
    layer = exact_conv(weight, bias, stride, kernel // 2, shift=shift)
    layer.recorder = record = Recorder()
    exact = (integer_conv(spikes, weight, stride, kernel // 2) << shift) + bias.view(-1, 1, 1)
    want = exact.clamp(-32768, 32767)
    assert (layer(spikes).long() == want).all()
    assert (record.streams["c"] == want.numpy()).all()
    assert record.clamped["c"] == int((want != exact).sum())
    assert shift < 3 or kernel == 1 or record.clamped["c"] > 0.01 * want.numel()


def test_wide_convolution_beyond_the_float32_fold():
    """fan-in x 127 x 2^s above 2^24: the shift follows the sum, values beyond 2^24 clamp."""
    weight = torch.full((2, 9000, 1, 1), 127)
    weight[1] = -3
    spikes = torch.ones(1, 1, 9000, 1, 1)
    layer = exact_conv(weight, torch.tensor([-32767, 32767]), shift=4)
    assert layer(spikes).flatten().tolist() == [32767, -32768]
    few = spikes.clone()
    few[:, :, 3:] = 0
    assert layer(few).flatten().tolist() == [381 * 16 - 32767, -9 * 16 + 32767]


def test_v1_convolutions_do_not_saturate():
    layer = exact_conv(torch.full((1, 400, 1, 1), 127), torch.tensor([100]), saturate=False)
    assert layer(torch.ones(1, 1, 400, 1, 1)).item() == 400 * 127 + 100


def test_autocast_is_off_inside():
    layer = exact_conv(torch.full((1, 300, 1, 1), 101), torch.tensor([7]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(torch.ones(1, 1, 300, 1, 1))
    assert y.dtype == torch.float32 and y.item() == 300 * 101 + 7


def test_residual_sum_clamps_once():
    weight = torch.tensor([100, -100]).view(2, 1, 1, 1)
    layer = exact_conv(weight, torch.tensor([0, 0]), shift=3, add="add")
    spikes = torch.ones(1, 1, 1, 1, 2)
    shortcut = torch.tensor([[32700.0, -33000], [-32000, 5]]).view(1, 1, 2, 1, 2).requires_grad_()
    pending = layer(spikes)
    assert isinstance(pending, PendingCurrent)
    layer.recorder = Recorder()
    for total in (pending + shortcut, shortcut + pending):
        assert total.flatten().tolist() == [32767, -32200, -32768, -795]
        assert layer.recorder.clamped["c"] == 2
    total.sum().backward()
    assert shortcut.grad.flatten().tolist() == [0, 1, 0, 1]
    # weight gradient: P shifted left by 3, one element inside the range each; d q / d W = 64 / (0.5 * 8)
    assert layer.weight.grad.flatten().tolist() == [8 * 16.0, 8 * 16.0]
    assert layer.bias.grad.tolist() == [128.0, 128.0]


def test_pending_current_is_for_plus_only():
    pending = exact_conv(torch.ones(1, 1, 1, 1), torch.zeros(1), add="add")(torch.ones(1, 1, 1, 1, 1))
    for misuse in (lambda: pending + 1.0, lambda: torch.relu(pending), lambda: torch.cat([pending, pending])):
        with pytest.raises(TypeError):
            misuse()


def lif_entry(leak="before", k=2, decay=0.25, gain=1.0, inclusive=False, segments=((1, 10),), v_th=0.5):
    return {
        "name": "n",
        "op": "lif",
        "leak": leak,
        "k": k,
        "decay": decay,
        "gain": gain,
        "inclusive": inclusive,
        "v_th": v_th,
        "width": 1.0,
        "segments": [{"channels": c, "theta": th, "scale": th / v_th} for c, th in segments],
    }


def run_lif(entry, x):
    layer = ExactLIF(nn.LIF(), entry)
    layer.recorder = Recorder()
    spikes = layer(torch.tensor(x, dtype=torch.float32).view(len(x), 1, -1, 1, 1))
    record = layer.recorder
    return spikes.flatten().tolist(), record.membranes["n"].flatten().tolist(), record.saturated["n"], layer


def test_neuron_by_hand():
    # before(2): -7 >> 2 = -2; V: -7, -2 + 9 = 7, 1 + 9 = 10 (not > 10), 2 + 9 = 11 fires, 0 + 3
    spikes, membrane, saturated, _ = run_lif(lif_entry(), [-7, 9, 9, 9, 3])
    assert (spikes, membrane, saturated) == ([0, 0, 0, 1, 0], [-7, 7, 10, 0, 3], 0)
    # half_after: (0 - 3) >> 1 = -2, (-2 + 25) >> 1 = 11 fires, (0 + 21) >> 1 = 10 does not
    entry = lif_entry("half_after", 0, 0.5, 0.5)
    assert run_lif(entry, [-3, 25, 21])[:2] == ([0, 1, 0], [-2, 0, 10])
    # none: 6, 11 fires
    assert run_lif(lif_entry("none", 0, 1.0), [6, 5, 4])[:2] == ([0, 1, 0], [6, 0, 4])


def test_membrane_saturates_at_18_bits():
    entry = lif_entry("none", 0, 1.0, segments=((1, 131071),))
    spikes, membrane, saturated, _ = run_lif(entry, [32767] * 5 + [-32768] * 9)
    up = [32767, 65534, 98301, 131068, 131071]  # 163835 saturates and is not above Theta
    down = [131071 - 32768 * n for n in range(1, 8)] + [-131072, -131072]
    assert spikes == [0] * 14
    assert membrane == up + down
    assert saturated == 3  # 163835 on the way up; 131071 - 8 * 32768 = -131073 and -163840 on the way down


def test_inclusive_threshold():
    spikes, _, _, layer = run_lif(lif_entry("none", 0, 1.0, inclusive=True), [10, 9, 1])
    assert spikes == [1, 0, 1]
    assert layer.thresholds().tolist() == [9]


def test_threshold_per_source():
    entry = lif_entry("none", 0, 1.0, segments=((2, 10), (1, 20)))
    layer = ExactLIF(nn.LIF(), entry)
    x = torch.full((1, 1, 3, 1, 1), 15.0, requires_grad=True)
    y = layer(x)
    assert y.flatten().tolist() == [1, 1, 0]
    assert layer.thresholds().tolist() == [10, 10, 20]
    y.sum().backward()
    # width Theta / V_th: 20 and 40; ds/dU = 1 / width where |U - Theta| < width / 2
    assert x.grad.flatten().tolist() == pytest.approx([1 / 20, 1 / 20, 1 / 40])


def test_surrogate_is_the_float_one_in_integer_units():
    entry = lif_entry("before", 2, segments=((1, 64),))
    x = torch.tensor([-1.0, 1, 64, 127, 128, 129]).view(1, 1, 1, 1, 6).requires_grad_()
    ExactLIF(nn.LIF(), entry)(x).sum().backward()
    # V V_th / Theta against 0.5 with width 1: open interval 0 < V < 128
    assert x.grad.flatten().tolist() == [0, 1 / 128, 1 / 128, 1 / 128, 0, 0]


def test_output_reads_out_in_real_values():
    entry = {"name": "o", "op": "output", "step": [0.25, 0.5]}
    layer = ExactOutput(nn.Conv2d(2, 2, 1, bias=True), entry)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -1.0], [2.0, 63.5]]).view(2, 2, 1, 1))
        layer.bias.copy_(torch.tensor([0.75, -0.5]))
    layer.recorder = Recorder()
    spikes = torch.tensor([[1, 1], [0, 1], [0, 1], [0, 1]], dtype=torch.float32).view(4, 1, 2, 1, 1)
    y = nn.TimeMean()(layer(spikes))
    # integers: w [[2, -4], [4, 127]], b [3, -1]; acc = [2 - 16 + 12, 4 + 508 - 4]
    assert layer.recorder.accumulators["o"].flatten().tolist() == [-2, 508]
    assert y.flatten().tolist() == [-2 * 0.25 / 4, 508 * 0.5 / 4]
    y.sum().backward()
    assert layer.weight.grad.flatten().tolist() == [0.25, 1.0, 0.25, 1.0]  # the mean spike count
    assert layer.bias.grad.tolist() == [1.0, 1.0]


def stem_layer(k=2, steps=4):
    entry = {"name": "s", "op": "stem", "theta": 64, "v_th": 0.5, "k": k, "exponent": 8}
    layer = ExactStem(nn.Stem(1, 2, kernel_size=1, stride=1, time_steps=steps), entry)
    with torch.no_grad():  # q_W = W 2^(k - 8) 128, b32 = b 2^k 128
        layer.weight.copy_(torch.tensor([5.0, -127.0]).view(2, 1, 1, 1) * 2 ** (8 - k) / 128)
        layer.bias.copy_(torch.tensor([3.0, -2.0]) / 128 / 2**k)
    return layer


def test_stem_by_hand():
    layer = stem_layer()
    layer.recorder = record = Recorder()
    image = torch.tensor([[0, 7], [200, 255]], dtype=torch.uint8).view(1, 1, 2, 2)
    y = layer(image)
    want = [
        [(5 * p + 3 + 2) >> 2 for p in (0, 7, 200, 255)],
        [(-127 * p - 2 + 2) >> 2 for p in (0, 7, 200, 255)],
    ]
    assert y.shape == (4, 1, 2, 2, 2) and y.stride(0) == 0
    assert y[0].flatten(2)[0].tolist() == want
    assert record.streams["s"].shape == (1, 1, 2, 2, 2)
    assert layer.integers()["bias"].dtype == np.int32


def test_stem_clamps_are_counted_once_for_still_images():
    layer = stem_layer(k=0)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([32760.0, -32000.0]) / 128)
    layer.recorder = record = Recorder()
    image = torch.tensor([1, 2], dtype=torch.uint8).view(1, 1, 1, 2)
    assert layer(image)[3].flatten().tolist() == [32765, 32767, -32127, -32254]
    assert record.clamped["s"] == 1
    layer(image.expand(4, 1, 1, 1, 2))
    assert record.clamped["s"] == 4
    assert record.streams["s"].shape == (4, 1, 2, 1, 2)


def test_errors():
    with pytest.raises(ValueError, match=r"s: images must have shape \[B, C, H, W\]"):
        stem_layer()(torch.zeros(3, 1, 1, 2, 2))
    with pytest.raises(ValueError, match=r"c: x must have shape \[T, B, C, H, W\], got \[2, 1, 3, 3\]"):
        exact_conv(torch.ones(1, 1, 1, 1), torch.zeros(1))(torch.zeros(2, 1, 3, 3))
    layer = stem_layer()
    with torch.no_grad():
        layer.bias.fill_(1e6)
    with pytest.raises(ValueError, match=r"integer_network: s must keep \|acc \+ b32\| below 2\^24"):
        layer.integers()

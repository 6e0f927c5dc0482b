"""Layers of lampyris.nn: hand-computed cases, comparison with torch, properties, errors."""

from __future__ import annotations

import pytest
import torch

from lampyris import nn, reference


def maps(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_lif_by_hand():
    # U: 0.4; 0.25 * 0.4 + 0.4 = 0.5 (not above 0.5); 0.25 * 0.5 + 0.4 = 0.525, spike, reset; 0.4
    x = torch.full((4, 1, 1, 1, 1), 0.4)
    assert nn.LIF()(x).flatten().tolist() == [0, 0, 1, 0]


def test_lif_attributes_reach_the_operator():
    x = maps(4, 2, 3, 5, 4)
    layer = nn.LIF(0.5, 0.7, gain=0.5, reset="soft", inclusive=True, width=2.0)
    expected, _ = reference.lif(x, 0.5, 0.7, gain=0.5, reset="soft", inclusive=True, width=2.0)
    assert torch.equal(layer(x), expected)


def test_if_has_no_leak():
    x = torch.full((3, 1, 1, 1, 1), 0.3)
    assert nn.IF()(x).flatten().tolist() == [0, 1, 0]
    assert nn.IF().decay == 1.0


@pytest.mark.parametrize("kernel, stride, groups", [(3, 1, 1), (3, 2, 1), (1, 1, 1), (3, 1, 2)])
def test_conv_equals_torch_on_every_step(kernel, stride, groups):
    x = maps(3, 2, 4, 7, 6)
    conv = nn.Conv2d(4, 6, kernel, stride, groups=groups)
    expected = torch.stack(
        [torch.nn.functional.conv2d(s, conv.weight, None, stride, kernel // 2, 1, groups) for s in x]
    )
    torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-5)  # summation order may differ


def test_norm_uses_statistics_over_time_and_batch():
    x = maps(3, 2, 4, 5, 5) * 3 + 1
    norm = nn.TDBatchNorm2d(4, gamma=0.5)
    mean = x.mean((0, 1, 3, 4)).view(4, 1, 1)
    std = (x.var((0, 1, 3, 4), correction=0) + 1e-5).sqrt().view(4, 1, 1)
    torch.testing.assert_close(norm(x), 0.5 * (x - mean) / std)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean.flatten())
    assert norm.bias.eq(0).all()


def test_norm_keeps_gamma_when_reset():
    norm = nn.TDBatchNorm2d(4, gamma=0.1)
    norm.reset_parameters()
    assert norm.weight.tolist() == pytest.approx([0.1] * 4)


def test_stem_is_computed_once_and_expanded_without_a_copy():
    stem = nn.Stem(3, 8, time_steps=4)
    calls = []
    stem.conv.register_forward_hook(lambda module, args, out: calls.append(out.shape[0]))
    out = stem(torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8))
    assert calls == [1]
    assert out.shape == (4, 2, 8, 8, 8) and out.stride(0) == 0


def test_stem_scales_pixels():
    stem = nn.Stem(1, 1, 1, 1, input_exponent=8).eval()
    torch.nn.init.ones_(stem.conv.weight)
    torch.nn.init.ones_(stem.norm.weight)
    value = stem(torch.full((1, 1, 1, 1), 64, dtype=torch.uint8)).item()
    assert value == pytest.approx(0.25, rel=1e-4)  # eps of the norm
    stem.input_exponent = 0
    assert stem(torch.full((1, 1, 1, 1), 3, dtype=torch.uint8)).item() == pytest.approx(3, rel=1e-4)


def test_stem_of_equal_frames_equals_stem_of_one_image():
    stem = nn.Stem(2, 4, time_steps=3).eval()
    image = torch.randint(0, 256, (2, 2, 8, 8), dtype=torch.uint8)
    single = stem(image)
    torch.testing.assert_close(single, stem(image.expand(3, -1, -1, -1, -1)), rtol=1e-5, atol=1e-6)
    assert torch.equal(single, stem(image.unsqueeze(0)))


def test_stem_refuses_other_steps():
    with pytest.raises(ValueError, match=r"Stem: images must have shape \[B, C, H, W\] or \[1 or 4, "):
        nn.Stem(3, 8, time_steps=4)(torch.zeros(2, 1, 3, 8, 8))


def test_set_time_steps():
    stem = torch.nn.Sequential(nn.Stem(3, 8))
    nn.set_time_steps(stem, 5)
    assert stem(torch.zeros(1, 3, 8, 8)).shape[0] == 5
    with pytest.raises(ValueError, match="time_steps must be >= 1, got 0"):
        nn.set_time_steps(stem, 0)
    with pytest.raises(ValueError, match=r"must hold a lampyris.nn.Stem, got Identity"):
        nn.set_time_steps(nn.Identity(), 2)


def test_pool_of_spikes_is_or():
    spikes = torch.tensor([[0.0, 1, 0, 0], [0, 0, 0, 0]]).view(1, 1, 1, 2, 4)
    assert nn.MaxPool2d(2)(spikes).flatten().tolist() == [1, 0]
    with pytest.raises(ValueError, match="multiples of 2"):
        nn.MaxPool2d(2)(torch.zeros(1, 1, 1, 3, 4))


def test_pool_of_an_expanded_stream_stays_expanded():
    x = maps(1, 2, 3, 4, 4)
    pooled = nn.MaxPool2d(2)(x.expand(4, -1, -1, -1, -1))
    assert pooled.shape == (4, 2, 3, 2, 2) and pooled.stride(0) == 0
    assert torch.equal(pooled[2], nn.MaxPool2d(2)(x)[0])


def test_expanded_stream_sums_its_gradient():
    x = maps(1, 1, 1, 2, 2).requires_grad_()
    nn.MaxPool2d(2)(x.expand(3, -1, -1, -1, -1)).sum().backward()
    assert x.grad.sum().item() == 3


def test_upsample_concat_and_mean():
    x = torch.arange(4.0).view(1, 1, 1, 2, 2)
    assert nn.Upsample(2)(x)[0, 0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    joined = nn.Concat()(maps(2, 3, 4, 5, 5), maps(2, 3, 2, 5, 5))
    assert joined.shape == (2, 3, 6, 5, 5)
    assert torch.equal(joined[:, :, :4], maps(2, 3, 4, 5, 5))
    assert torch.equal(nn.TimeMean()(torch.stack((x, x + 2)).flatten(0, 1)), x[0] + 1)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 3, 1), nn.TDBatchNorm2d(3), nn.MaxPool2d(2), nn.Upsample(2), nn.TimeMean()]
)
def test_rank_is_checked(layer):
    with pytest.raises(ValueError, match=r"x must have shape \[T, B, C, H, W\], got \[1, 3, 4, 4\]"):
        layer(torch.zeros(1, 3, 4, 4))

"""Blocks: shapes, sums and shortcuts."""

from __future__ import annotations

import pytest
import torch

from lampyris import nn


def maps(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def silence_branch(block):
    """With a zero last norm the residual branch adds nothing."""
    torch.nn.init.zeros_(block.branch[1].norm.weight)


def test_lcb_pools_spikes_before_the_convolution():
    block = nn.LCB(4, 4, 1, pool=True).eval()
    x = maps(2, 1, 4, 4, 4)
    pooled = nn.MaxPool2d(2)(block.lif(x))
    assert torch.equal(block(x), block.norm(block.conv(pooled)))


def test_ms_block_is_the_identity_plus_a_branch():
    block = nn.MSBlock(4).eval()
    silence_branch(block)
    x = maps(2, 1, 4, 6, 6)
    assert torch.equal(block(x), x)


def test_ems_block1_shortcut_pools_first():
    block = nn.EMSBlock1(4, 6).eval()
    silence_branch(block)
    x = maps(2, 1, 4, 6, 6)
    torch.testing.assert_close(block(x), block.shortcut(nn.MaxPool2d(2)(x)), rtol=0, atol=0)


@pytest.mark.parametrize("order", ["paper", "released"])
def test_ems_block2_orders(order):
    block = nn.EMSBlock2(4, 10, order=order).eval()
    silence_branch(block)
    x = maps(2, 1, 4, 6, 6)
    pool = nn.MaxPool2d(2)
    if order == "paper":
        expected = torch.cat((block.shortcut(pool(x)), pool(x)), 2)
    else:
        expected = pool(torch.cat((block.shortcut(x), x), 2))
    assert torch.equal(block(x), expected)


def test_ems_block2_at_stride_1():
    assert nn.EMSBlock2(4, 10, stride=1)(maps(2, 1, 4, 5, 5)).shape == (2, 1, 10, 5, 5)


def test_last_norm_of_a_branch_starts_small():
    block = nn.EMSBlock1(4, 6)
    assert block.branch[0].norm.weight[0].item() == pytest.approx(0.5)
    assert block.branch[1].norm.weight[0].item() == pytest.approx(0.1)


def test_ems_block2_errors():
    with pytest.raises(ValueError, match="cout must be greater than cin = 8, got 8"):
        nn.EMSBlock2(8, 8)
    with pytest.raises(ValueError, match="order must be 'paper' or 'released', got 'other'"):
        nn.EMSBlock2(4, 8, order="other")


def test_head_averages_over_time():
    head = nn.DetectionHead(4, None, 3).eval()
    x = maps(4, 2, 4, 5, 5)
    assert torch.equal(head(x), head.out(head.lif(x)).mean(0))
    assert head.out.bias.tolist() == [0, 0, 0, 0, -4, -4, -4]

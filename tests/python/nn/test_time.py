"""TimeDistributed, encoders and batch-first data."""

from __future__ import annotations

import pytest
import torch

from lampyris import nn


def maps(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Probe(torch.nn.Module):
    """The identity, remembering what it was given."""

    def forward(self, x):
        self.seen = x
        return x


@pytest.mark.parametrize(
    "module, shape",
    [
        (torch.nn.Linear(5, 3), (4, 2, 5)),
        (torch.nn.Linear(5, 3), (4, 2, 7, 5)),
        (torch.nn.Conv2d(3, 4, 3, padding=1), (4, 2, 3, 6, 6)),
        (torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)), (1, 3, 3, 2, 2)),
        (torch.nn.MultiheadAttention(4, 2, batch_first=True), None),
    ],
)
def test_time_distributed_is_the_module_on_every_step(module, shape):
    if shape is None:  # one tensor in, one out: wrap what takes more
        wrapped, attention = torch.nn.Module(), module
        wrapped.forward = lambda x: attention(x, x, x)[0]
        module, shape = wrapped, (3, 2, 5, 4)
    x = maps(*shape)
    expected = torch.stack([module(step) for step in x])
    for view in (x, x.transpose(0, 1).contiguous().transpose(0, 1)):
        out = nn.TimeDistributed(module)(view)
        torch.testing.assert_close(out, expected)  # another batch size may sum in another order


def test_expanded_steps_run_once():
    probe = Probe()
    x = maps(1, 2, 3, 4, 4).expand(5, -1, -1, -1, -1)
    y = nn.TimeDistributed(probe)(x)
    assert probe.seen.shape == (2, 3, 4, 4) and y.stride(0) == 0 and torch.equal(y, x)


def test_modules_that_draw_or_take_statistics_see_every_step():
    x = torch.ones(1, 2, 3, 4, 4).expand(5, -1, -1, -1, -1)
    torch.manual_seed(0)
    dropped = nn.TimeDistributed(torch.nn.Dropout(0.5))
    assert dropped(x).std(0).any() and dropped.eval()(x).stride(0) == 0
    norm = torch.nn.BatchNorm2d(3)
    nn.TimeDistributed(norm)(x + maps(1, 2, 3, 1, 1))
    expected = torch.nn.BatchNorm2d(3)
    expected((x + maps(1, 2, 3, 1, 1)).flatten(0, 1))
    assert torch.equal(norm.running_var, expected.running_var)


def test_batch_first_is_folded_without_a_copy():
    x = maps(4, 3, 2, 6, 6)
    view = nn.batch_first(x)
    assert view.shape == (3, 4, 2, 6, 6) and view.data_ptr() == x.data_ptr()
    probe = Probe()
    y = nn.TimeDistributed(probe)(view)
    assert probe.seen.data_ptr() == y.data_ptr() == x.data_ptr() and y.stride() == view.stride()
    last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (4, 3))
    nn.TimeDistributed(probe)(nn.batch_first(last))
    assert probe.seen.data_ptr() == last.data_ptr()
    with pytest.raises(ValueError, match=r"batch_first: x must have shape \[B, T, ...\], got \[3\]"):
        nn.batch_first(torch.zeros(3))


def test_layers_read_batch_first_views():
    x = maps(4, 3, 2, 6, 6)
    view, moved = nn.batch_first(x), nn.batch_first(x).contiguous()
    for layer in (nn.LIF(), nn.Conv2d(2, 4, 3), nn.TDBatchNorm2d(2), nn.MaxPool2d(2), nn.Upsample(2)):
        torch.testing.assert_close(layer(view), layer(moved))  # statistics sum in another order
    assert torch.equal(nn.LIF()(view), nn.LIF()(moved))


def test_time_distributed_errors():
    with pytest.raises(ValueError, match=r"TimeDistributed: x must have shape \[T, B, ...\], got \[3\]"):
        nn.TimeDistributed(torch.nn.Linear(3, 3))(torch.zeros(3))
    with pytest.raises(ValueError, match=r'module must not hold layers with a state, got LIF "1"'):
        nn.TimeDistributed(torch.nn.Sequential(torch.nn.Linear(3, 3), nn.LIF()))


def test_direct_encoder_shares_memory_and_sums_gradients():
    x = maps(2, 3).requires_grad_()
    y = nn.DirectEncoder(4)(x)
    assert y.shape == (4, 2, 3) and y.data_ptr() == x.data_ptr()
    y.sum().backward()
    assert x.grad.unique().tolist() == [4]


def test_poisson_rates_and_seed():
    x = torch.tensor([[-0.5, 0.0, 0.1, 0.9, 1.0, 3.0]])
    encode = nn.PoissonEncoder(4000, torch.Generator().manual_seed(0))
    rates = encode(x).mean(0)[0]
    assert rates[[0, 1, 4, 5]].tolist() == [0, 0, 1, 1]
    assert rates[2:4].tolist() == pytest.approx([0.1, 0.9], abs=0.02)  # 4 standard deviations
    again = nn.PoissonEncoder(4000, torch.Generator().manual_seed(0))
    first = again(x)
    assert torch.equal(first.mean(0)[0], rates) and not torch.equal(again(x), first)
    assert nn.PoissonEncoder(3)(x.half()).dtype == torch.float16


@pytest.mark.parametrize("mode", ["linear", "log"])
def test_latency_is_earlier_for_larger_values(mode):
    x = torch.linspace(-0.5, 1.5, 41).view(1, -1)
    spikes = nn.LatencyEncoder(8, mode)(x)[:, 0]
    assert spikes.sum(0).tolist() == [float(v > 0) for v in x[0]]
    steps = spikes.argmax(0)[x[0] > 0]
    assert (steps.diff() <= 0).all() and steps[-1] == 0


def test_latency_by_hand():
    # (T - 1) (1 - x) = 3 (1 - x): 0, 1, 2 for 1, 2/3, 1/3
    spikes = nn.LatencyEncoder(4)(torch.tensor([1.0, 2 / 3, 1 / 3, 0.0]))
    assert spikes.T.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_encoder_errors():
    with pytest.raises(ValueError, match="PoissonEncoder: time_steps must be >= 1, got 0"):
        nn.PoissonEncoder(0)
    with pytest.raises(
        ValueError, match=r"LatencyEncoder: x must be floating-point \[B, ...\], got torch.ui"
    ):
        nn.LatencyEncoder(3)(torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="LatencyEncoder: mode must be 'linear' or 'log', got 'exp'"):
        nn.LatencyEncoder(3, "exp")
    with pytest.raises(ValueError, match="LatencyEncoder: time_steps must be <= 80 with mode 'log', got 81"):
        nn.LatencyEncoder(81, "log")

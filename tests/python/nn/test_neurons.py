"""Neuron layers: options, states, learned parameters."""

from __future__ import annotations

import pytest
import torch

from lampyris import nn, reference


def maps(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_state_by_hand():
    # U: 0.4; 0.25 * 0.4 + 0.4 = 0.5 | 0.25 * 0.5 + 0.4 = 0.525, spike, reset
    lif, x = nn.LIF(), torch.full((3, 1, 1), 0.4)
    spikes, state = lif(x[:2], None)
    assert spikes.flatten().tolist() == [0, 0] and state.item() == 0.5
    spikes, state = lif(x[2:], state)
    assert spikes.item() == 1 and state.item() == 0


@pytest.mark.parametrize("shape", [(3, 2), (4, 2, 7), (4, 2, 3, 5), (2, 1, 3, 5, 4), (1, 2, 3, 4, 2, 2)])
def test_any_rank(shape):
    x = maps(*shape)
    expected, _ = reference.lif(x, 0.25, 0.5)
    assert torch.equal(nn.LIF()(x), expected)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_membrane_at_rest_is_v_reset(reset):
    x = maps(3, 2, 5)
    layer = nn.LIF(0.5, 0.7, v_reset=-0.3, reset=reset)
    expected, v = reference.lif(x, 0.5, 0.7, v_reset=-0.3, reset=reset, v_init=torch.full((2, 5), -0.3))
    spikes, state = layer(x, None)
    assert torch.equal(spikes, expected) and torch.equal(state, v) and torch.equal(layer(x), expected)


def test_run_gives_trace_and_packed_spikes():
    x, layer = maps(3, 2, 5), nn.LIF()
    spikes, trace = layer.run(x, membrane="trace", output="packed")
    assert trace.shape == x.shape and torch.equal(spikes.dense(), layer(x))


def test_tensor_settings_follow_the_module():
    layer = nn.LIF(torch.full((3, 1, 1), 0.5), torch.nn.Parameter(torch.tensor(0.7)))
    assert set(layer.state_dict()) == {"decay", "threshold"}
    x = maps(3, 2, 3, 4, 4).double()
    expected, _ = reference.lif(x, 0.5, layer.threshold.item())
    assert torch.equal(layer.double()(x), expected)
    layer.double()(x).sum().backward()
    assert layer.threshold.grad is not None
    assert "decay=tensor [3, 1, 1], threshold=0.7, gain=1.0" in repr(layer)


@pytest.mark.parametrize("parametrization", ["sigmoid", "clamp"])
@pytest.mark.parametrize("shape", [(), (3, 1, 1), (3, 4, 4)])
def test_plif_is_lif_with_its_decay(parametrization, shape):
    x = maps(4, 2, 3, 4, 4).requires_grad_()
    plif = nn.PLIF(0.4, 0.6, shape=shape, parametrization=parametrization)
    decay = plif.decay.detach().requires_grad_()
    assert torch.allclose(decay, torch.tensor(0.4))
    out, expected = plif(x), reference.lif(x, decay, 0.6)[0]
    assert torch.equal(out, expected)
    weights = maps(4, 2, 3, 4, 4, seed=1)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    slope = plif.decay.detach() * (1 - plif.decay.detach()) if parametrization == "sigmoid" else 1
    torch.testing.assert_close(plif.raw_decay.grad, decay.grad * slope)  # sums in another order


def test_plif_learns_threshold_and_gain():
    plif = nn.PLIF(0.5, 0.7, gain=1.2, shape=(3, 1, 1), learn=("decay", "threshold", "gain"))
    assert {n for n, _ in plif.named_parameters()} == {"raw_decay", "threshold", "own_gain"}
    plif(maps(4, 2, 3, 4, 4)).sum().backward()
    assert all(p.grad.shape == (3, 1, 1) and p.grad.abs().sum() > 0 for p in plif.parameters())


def test_plif_that_learns_no_decay_keeps_it():
    plif = nn.PLIF(0.5, learn=("threshold",))
    assert [n for n, _ in plif.named_parameters()] == ["threshold"]
    assert "raw_decay" in plif.state_dict()


def test_plif_decay_input_averages_the_input():
    x, plif = maps(4, 2, 5), nn.PLIF(0.5, decay_input=True)
    assert torch.equal(plif(x), reference.lif(x, 0.5, 0.5, gain=0.5)[0])
    plif(x.requires_grad_()).sum().backward()
    assert plif.raw_decay.grad.abs() > 0


def test_plif_clamps():
    plif = nn.PLIF(1.0, parametrization="clamp")
    torch.nn.init.constant_(plif.raw_decay, 1.5)
    assert plif.decay.item() == 1
    assert torch.equal(plif(maps(4, 2, 5)), nn.IF()(maps(4, 2, 5)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"decay": 1.0}, r"PLIF: decay must be in \(0, 1\), got 1.0"),
        ({"decay": -0.1, "parametrization": "clamp"}, r"PLIF: decay must be in \[0, 1\], got -0.1"),
        ({"learn": ("width",)}, "PLIF: learn must hold 'decay', 'threshold', 'gain', got 'width'"),
        ({"parametrization": "exp"}, "PLIF: parametrization must be 'sigmoid' or 'clamp', got 'exp'"),
        ({"gain": 2.0, "decay_input": True}, "PLIF: gain must be left out with decay_input"),
    ],
)
def test_plif_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        nn.PLIF(**arguments)


SURROGATES = ("rectangle", "triangle", "sigmoid", "atan", "fast_sigmoid", "piecewise_exponential")


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
@pytest.mark.parametrize("surrogate", [*SURROGATES, lambda d: torch.exp(-d * d)])
def test_every_reset_and_surrogate(reset, surrogate):
    x, weights = maps(4, 2, 9).double().requires_grad_(), maps(4, 2, 9, seed=1).double()
    layer = nn.LIF(0.8, 0.5, reset=reset, surrogate=surrogate, width=0.7)
    expected, _ = reference.lif(x, 0.8, 0.5, reset=reset, surrogate=surrogate, width=0.7)
    out = layer(x)
    assert torch.equal(out, expected)
    grads = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (out, expected)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("shape", [(), (8, 1, 1)])
@pytest.mark.parametrize("surrogate", ["sigmoid", lambda d: torch.exp(-d * d)])
def test_blocks_take_any_neuron(surrogate, shape):
    """The fused path of a block and the plain one have the same gradients."""
    torch.manual_seed(0)
    make = lambda: nn.PLIF(0.6, reset="soft", surrogate=surrogate, shape=shape)  # noqa: E731
    block = nn.MSBlock(8, neuron=make).double()
    x, grads = maps(4, 2, 8, 6, 6).double().requires_grad_(), []
    for fused in (True, False):
        nn.set_fused(block, fused)
        assert nn.takes_fused_path(block) is fused
        block.zero_grad()
        grads.append(torch.autograd.grad(block(x).square().sum(), [x, *block.parameters()]))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


def test_dropout_shares_its_mask_over_time():
    torch.manual_seed(0)
    y = nn.Dropout(0.25)(torch.ones(5, 4, 1000))
    assert torch.equal(y, y[:1].expand_as(y)) and not torch.equal(y[0, 0], y[0, 1])
    assert abs((y[0] == 0).float().mean().item() - 0.25) < 0.03  # 4000 draws: 4 standard deviations
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])


def test_dropout_of_channels_and_in_evaluation():
    torch.manual_seed(0)
    x = torch.ones(3, 2, 16, 4, 4)
    y = nn.Dropout(0.5, channels=True)(x)
    assert torch.equal(y, y[:1, :, :, :1, :1].expand_as(y)) and 0 < (y == 0).sum() < y.numel()
    assert nn.Dropout(0.5).eval()(x) is x and nn.Dropout(0.0)(x) is x
    with pytest.raises(ValueError, match=r"Dropout: p must be in \[0, 1\), got 1"):
        nn.Dropout(1)
    with pytest.raises(ValueError, match=r"x must have shape \[T, B, C, ...\], got \[3, 2\]"):
        nn.Dropout(0.5, channels=True)(torch.ones(3, 2))


@pytest.mark.parametrize(
    "layer", [nn.LIF(0.8, reset="soft"), nn.PLIF(0.6, shape=(3, 1, 1)), nn.IF(), nn.ILIF()]
)
def test_neurons_compile_and_export(layer):
    x = maps(4, 2, 3, 5, 5)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    spikes, state = compiled(x, None)
    assert torch.equal(spikes, layer(x)) and torch.equal(compiled(x, state)[0], layer(x, state)[0])
    assert torch.equal(torch.export.export(layer, (x,)).module()(x), layer(x))


def test_ilif_counts_and_expands():
    layer, x = nn.ILIF(3, 0.5, 0.7, gain=1.5), maps(5, 2, 4, 3, 3) * 2
    counts, v = layer(x, None)
    expected, membrane = reference.ilif(x, 0.5, 0.7, 3, gain=1.5)
    assert torch.equal(counts, expected) and torch.equal(v, membrane) and counts.max() > 1
    spikes = layer.expand(counts)
    assert spikes.shape == (15, 2, 4, 3, 3) and torch.equal(spikes.unflatten(0, (5, 3)).sum(1), counts)
    again, trace = layer.run(x, membrane="trace")
    assert torch.equal(again, counts) and torch.equal(trace[-1], v)
    with nn.monitor(layer, membranes=True) as record:
        layer(x)
    assert record.rates[""].spikes == int(counts.sum()) and torch.equal(record.membranes[""][0], trace)
    assert repr(layer) == "ILIF(max_spikes=3, decay=0.5, threshold=0.7, gain=1.5)"

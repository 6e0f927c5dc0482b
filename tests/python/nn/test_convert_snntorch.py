"""Layers of snnTorch as ours: against stand-ins always, the library when installed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import torch

from lampyris import nn
from lampyris.nn.convert import ConversionError, from_snntorch

sys.path.insert(0, str(Path(__file__).parent))
import fake_peers as fake
from fake_peers import Odd, gradient, maps, stepwise


def real_snntorch():
    snn = pytest.importorskip("snntorch")
    surrogate = pytest.importorskip("snntorch.surrogate")
    names = {name: getattr(surrogate, name) for name in ("atan", "fast_sigmoid", "sigmoid", "triangular")}
    return types.SimpleNamespace(
        **names,
        Leaky=lambda *a, **o: snn.Leaky(*a, **{"init_hidden": True, **o}),
        Synaptic=lambda: snn.Synaptic(0.9, 0.8),
    )


@pytest.fixture(params=["stand-in", "snntorch"])
def snn(request):
    return fake if request.param == "stand-in" else real_snntorch()


@pytest.mark.parametrize("beta", [0.9, 0.5, 1.0])
@pytest.mark.parametrize("reset_delay", [True, False])
def test_leaky_with_reset_to_zero_fires_alike(snn, beta, reset_delay):
    theirs = snn.Leaky(beta, threshold=0.75, reset_mechanism="zero", reset_delay=reset_delay)
    ours, report = from_snntorch(theirs)
    x = maps(16, 8, 400)
    assert torch.equal(ours(x), stepwise(theirs, x))
    assert report.exact and not ours.inclusive and ours.detach_reset


@pytest.mark.parametrize(
    "options, forward, note",
    [
        ({"beta": 0.9}, "fine-tune", "subtracts one step late"),
        ({"beta": 0.9, "reset_delay": False}, "fine-tune", "resets twice"),
        ({"beta": 1.0}, "rounding", ""),
        ({"beta": 0.9, "reset_mechanism": "none"}, "exact", ""),
    ],
)
def test_leaky_is_graded(snn, options, forward, note):
    theirs = snn.Leaky(**options)
    ours, report = from_snntorch(theirs)
    assert report.layers[0].forward == forward and note in report.layers[0].note
    assert (report.needs_fine_tuning == [""]) is (forward == "fine-tune")
    x = maps(16, 8, 400)
    differing = float((ours(x) != stepwise(theirs, x)).float().mean())
    limits = {"exact": (0, 0), "rounding": (0, 1e-4), "fine-tune": (1e-3, 0.2)}[forward]
    assert limits[0] <= differing <= limits[1]


def test_learned_leaky(snn):
    theirs = snn.Leaky(0.8, learn_beta=True, learn_threshold=True, reset_mechanism="zero")
    ours = from_snntorch(theirs)[0]
    assert isinstance(ours, nn.PLIF) and {n for n, _ in ours.named_parameters()} == {"raw_decay", "threshold"}
    assert ours.decay.item() == theirs.beta.item()
    per_neuron = snn.Leaky(torch.full((5,), 0.8), reset_mechanism="zero")
    assert from_snntorch(per_neuron)[0].decay.shape == (5,)


def test_leaky_surrogates(snn):
    def surrogate(function):
        ours, report = from_snntorch(snn.Leaky(0.9, spike_grad=function, reset_mechanism="zero"))
        assert report.layers[0].gradient == "exact"
        return ours.surrogate, ours.width

    assert surrogate(None) == ("atan", 0.5)
    assert surrogate(snn.sigmoid(slope=10)) == ("sigmoid", 0.1)
    assert surrogate(snn.fast_sigmoid(slope=2)) == ("fast_sigmoid", 0.5)
    assert callable(surrogate(snn.fast_sigmoid(slope=20))[0])
    ours, report = from_snntorch(snn.Leaky(0.9, spike_grad=snn.triangular()), surrogate=("triangle", 1.0))
    assert ours.surrogate == "triangle" and report.layers[0].gradient == "fine-tune"
    with pytest.raises(ConversionError, match="has a spike_grad that gives no spikes 0 and 1 at >"):
        from_snntorch(snn.Leaky(0.9, spike_grad=torch.sigmoid))


@pytest.mark.parametrize("reset", ["zero", "none"])
@pytest.mark.parametrize("name", ["atan", "fast_sigmoid", "sigmoid", "triangular"])
def test_gradient_of_leaky(snn, name, reset):
    theirs = snn.Leaky(0.8, spike_grad=getattr(snn, name)(), reset_mechanism=reset)
    theirs = theirs.double()
    ours = from_snntorch(theirs)[0]
    x, weights = maps(6, 2, 200).double().requires_grad_(), maps(6, 2, 200, seed=1).double()
    torch.testing.assert_close(
        gradient(ours, x, weights), gradient(lambda x: stepwise(theirs, x), x, weights)
    )


def test_snntorch_chain(snn):
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        snn.Leaky(0.9, threshold=0.25, reset_mechanism="zero"),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 16, 10),
        snn.Leaky(0.8, threshold=0.25, reset_mechanism="zero", output=False),
    )
    ours, report = from_snntorch(theirs)
    x = maps(5, 2, 1, 8, 8)
    with torch.no_grad():
        expected = stepwise(theirs, x)
        assert torch.equal(ours(x), expected) and expected.any()
    assert report.exact and isinstance(ours[0], nn.Conv2d)


class Loop(torch.nn.Module):
    def __init__(self, leaky):
        super().__init__()
        self.leaky = leaky


def test_snntorch_refusals(snn):
    bad = torch.nn.Sequential(
        snn.Synaptic(), Loop(snn.Leaky(0.9)), snn.Leaky(0.9, graded_spikes_factor=2.0), Odd()
    )
    with pytest.raises(ConversionError) as caught:
        from_snntorch(bad)
    found = {name: reason for name, reason, _ in caught.value.problems}
    assert list(found) == ["0", "1", "2", "3"]
    for name, reason in zip(found, ("no counterpart", "one step", "graded", "unknown"), strict=True):
        assert reason in found[name]

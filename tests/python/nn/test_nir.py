"""NIR: round trips bit for bit, graphs of other libraries, refusals."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch

from lampyris import nn
from lampyris.nn.convert import ConversionError, from_nir, to_nir

nir = pytest.importorskip("nir")


def maps(*shape, seed=0, scale=1.5):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


class Residual(torch.nn.Module):
    """Two sums, the second of which reads the first; the order of three addends matters in float."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(2, 6, 3)
        self.lif = nn.LIF(0.8, 0.3, reset="soft")
        self.conv = nn.Conv2d(6, 6, 3, bias=True)
        self.other = nn.LIF(0.5, 0.4)
        self.more = nn.Conv2d(6, 6, 3, groups=2)
        self.last = nn.IF(0.7, gain=0.3, inclusive=True)

    def forward(self, x):
        x = self.first(x)
        x = self.conv(self.lif(x)) + x
        x = self.more(self.other(x)) + x
        return self.last(x)


def chain():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        nn.Conv2d(2, 6, 3, stride=2),
        nn.TDBatchNorm2d(6),
        nn.PLIF(0.7, 0.4, shape=(6, 1, 1), decay_input=True),
        nn.TimeDistributed(torch.nn.AvgPool2d(2)),
        nn.TimeDistributed(torch.nn.Conv2d(6, 4, (3, 1), padding=(1, 0), dilation=(1, 2))),
        nn.LIF(0.9, 0.3, v_reset=-0.1, detach_reset=False, width=0.5),
        nn.Dropout(0.3),
        nn.TimeDistributed(torch.nn.Flatten()),
        nn.TimeDistributed(torch.nn.Linear(16, 5)),
        nn.IF(torch.rand(5) + 0.3),
        nn.TimeDistributed(torch.nn.Linear(5, 3, bias=False)),
    ).eval()


def reread(graph, tmp_path):
    nir.write(tmp_path / "graph.nir", graph)
    return from_nir(tmp_path / "graph.nir")


@pytest.mark.parametrize("make", [Residual, chain])
def test_round_trip_is_exact(make, tmp_path):
    model, x = make().eval(), maps(5, 2, 2, 8, 8)
    if make is chain:
        model = torch.nn.Sequential(model[0], *model[2:])  # folding a norm rounds: its own test
    graph = to_nir(model, x)
    expected = model(x)
    assert expected.any()
    for back in (from_nir(graph), reread(graph, tmp_path)):
        assert torch.equal(back(x), expected)
        again = to_nir(back, x)
        assert list(again.nodes) == list(graph.nodes) and again.edges == graph.edges


def test_metadata_states_reset_and_decay_form():
    node = to_nir(nn.LIF(0.75, 0.3, reset="soft", gain=0.5), maps(3, 1, 4)).nodes["0"]
    assert node.metadata["reset"] == "soft" and node.metadata["decay"] == 0.75
    assert node.metadata["decay_form"] == "u = v_reset + decay (v - v_reset) + gain x"
    np.testing.assert_allclose(node.tau, 4e-4)  # dt / (1 - decay)
    np.testing.assert_allclose(node.r, 2.0)  # gain / (1 - decay)
    assert node.tau.shape == (4,)


def test_names_and_layers_come_back():
    back = from_nir(to_nir(chain()[2:6], maps(3, 1, 6, 4, 4)))
    assert isinstance(back.get_submodule("2"), nn.LIF) and isinstance(
        back.get_submodule("4"), nn.TimeDistributed
    )
    third = back.get_submodule("5")
    assert (third.v_reset, third.detach_reset, third.width) == (-0.1, False, 0.5)
    assert set(from_nir(to_nir(Residual(), maps(3, 1, 2, 4, 4))).state_dict()) == {
        "first.weight", "conv.weight", "conv.bias", "more.weight",
    }  # fmt: skip


def test_norm_is_folded():
    model, x = chain(), maps(5, 2, 2, 8, 8)
    model[1].running_mean.uniform_(-0.3, 0.3)
    model[1].running_var.uniform_(0.5, 2)
    part = model[:2]
    graph = to_nir(part, x)
    assert "1" not in graph.nodes
    torch.testing.assert_close(from_nir(graph)(x), part(x), rtol=1e-5, atol=1e-5)  # weights rounded once


def test_other_libraries_graphs():
    x, dt = maps(6, 2, 3), 1e-4
    lif = nir.LIF(tau=np.full(3, 4 * dt), r=np.ones(3), v_leak=np.zeros(3), v_threshold=np.full(3, 0.5))
    weight = np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
    graph = nir.NIRGraph.from_list(
        nir.Linear(weight), lif, nir.IF(r=np.full(3, 1 / dt), v_threshold=np.ones(3))
    )
    ours = torch.nn.Sequential(nn.LIF(0.75, 0.5, gain=0.25), nn.IF(1.0))
    assert torch.equal(from_nir(graph)(x), ours(torch.nn.functional.linear(x, torch.from_numpy(weight))))
    soft = from_nir(graph, reset="soft")
    assert soft.get_submodule("lif").reset == "soft" and not soft.get_submodule("lif").inclusive
    with pytest.raises(ConversionError, match=r'"lif" \(nir.LIF\) has a time constant below the step'):
        from_nir(graph, dt=1.0)


@pytest.mark.parametrize("decay_input", [True, False])
def test_spikingjellys_graphs(decay_input):
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 6), neuron.LIFNode(tau=2.0, decay_input=decay_input, v_threshold=0.4)
    )
    back = from_nir(exchange.export_to_nir(net, maps(2, 4)))
    x = maps(5, 2, 4)
    ours = next(m for m in back.modules() if isinstance(m, nn.LIF))
    assert ours.decay == pytest.approx(0.5) and ours.gain == pytest.approx(0.5 if decay_input else 1.0)
    expected = torch.stack([net(step) for step in x])
    assert torch.equal(back(x), expected) and expected.any()


def test_what_nir_cannot_say_is_refused_by_name():
    model = torch.nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.LIF(), nn.MaxPool2d(2), nn.Upsample(2), nn.TDBatchNorm2d(4), nn.TimeMean()
    )
    with pytest.raises(ConversionError) as caught:
        to_nir(model, maps(2, 1, 2, 4, 4))
    assert [name for name, _, _ in caught.value.problems] == ["2", "3", "4", "5"]
    assert "MaxPool2d) has no node in NIR" in caught.value.problems[0][1]
    with pytest.raises(ConversionError, match=r'"1" \(norm\) takes statistics of the batch'):
        to_nir(torch.nn.Sequential(nn.Conv2d(2, 4, 3), nn.TDBatchNorm2d(4)), maps(2, 1, 2, 4, 4))

    class Doubled(torch.nn.Module):
        def forward(self, x):
            return x + x

    with pytest.raises(ConversionError, match="adds tensors of two shapes, or the same twice"):
        to_nir(Doubled(), maps(2, 1, 4))
    with pytest.raises(ValueError, match=r"example must have shape \[T, B, ...\], got \[2, 3\]"):
        to_nir(nn.LIF(), torch.zeros(2, 3))


def test_foreign_nodes_are_refused_by_name():
    ones = np.ones(3)
    cuba = nir.CubaLIF(tau_syn=ones, tau_mem=ones, r=ones, v_leak=ones * 0, v_threshold=ones)
    with pytest.raises(ConversionError, match=r'"cubalif" \(nir.CubaLIF\) has no counterpart'):
        from_nir(nir.NIRGraph.from_list(cuba))
    leak = nir.LIF(tau=ones, r=ones, v_leak=ones * 0.2, v_threshold=ones)
    with pytest.raises(ConversionError, match=r"has v_reset 0 and v_leak 0.2"):
        from_nir(nir.NIRGraph.from_list(leak))
    loop = nir.NIRGraph(
        {
            "input": nir.Input(input_type={"input": np.array([3])}),
            "a": nir.Linear(np.eye(3)),
            "b": nir.Linear(np.eye(3)),
            "output": nir.Output(output_type={"output": np.array([3])}),
        },
        [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")],
    )
    with pytest.raises(ConversionError, match='"a" is part of a recurrent loop'):
        from_nir(loop)


def test_missing_package_is_one_clear_error(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "nir":
            raise ModuleNotFoundError("No module named 'nir'")
        return real(name, *arguments, **options)

    monkeypatch.setattr("importlib.import_module", without)
    for call in (lambda: to_nir(nn.LIF(), maps(2, 1, 3)), lambda: from_nir("graph.nir")):
        with pytest.raises(ImportError, match=r'needs the package "nir" \(pip install "lampyris\[nir\]"\)'):
            call()

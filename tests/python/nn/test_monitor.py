"""Monitors and the anomaly mode."""

from __future__ import annotations

import pytest
import torch

from lampyris import compress, models, nn


def maps(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(nn.LCB(3, 8), nn.MSBlock(8), nn.IF())


def test_rates_are_exact_counts_over_calls():
    model = network()
    seen = {"2": []}
    model[2].register_forward_hook(lambda module, arguments, out: seen["2"].append(out))
    with nn.monitor(model) as record:
        model(maps(4, 2, 3, 6, 6))
        model(maps(3, 1, 3, 6, 6, seed=1))
    assert list(record.rates) == ["0.lif", "1.branch.0.lif", "1.branch.1.lif", "2"]
    rate = record.rates["2"]
    assert rate.spikes == sum(int(s.count_nonzero()) for s in seen["2"]) > 0
    assert rate.steps == (4 * 2 + 3) * 8 * 36 and rate.calls == 2 and rate.rate == rate.spikes / rate.steps
    record.reset()
    assert record.rates["2"] == nn.Rate() and record.rates["2"].rate == 0


def test_hooks_are_gone_on_exit_and_nothing_changes():
    model, x = network().eval(), maps(4, 2, 3, 6, 6)
    expected = model(x)
    with pytest.raises(KeyError), nn.monitor(model, membranes=True, inputs=True):
        assert torch.equal(model(x), expected)
        raise KeyError
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_membranes_and_inputs():
    lif, x = nn.LIF(0.5, 0.7, v_reset=0.1), maps(4, 2, 5)
    with nn.monitor(lif, rates=False, membranes=True, inputs=True) as record:
        lif(x)
        lif(x * 2)
    assert record.rates == {} and torch.equal(record.inputs[""][1], x * 2)
    assert torch.equal(record.membranes[""][0], lif.run(x, membrane="trace")[1])


def test_membranes_of_a_stream_continue():
    lif, x = nn.IF(), maps(6, 2, 5)
    expected = lif.run(x, membrane="trace")[1]
    with nn.streaming(lif), nn.monitor(lif, membranes=True) as record:
        lif(x[:2]), lif(x[2:])
    assert torch.equal(torch.cat(record.membranes[""]), expected)
    with nn.monitor(lif, membranes=True) as record, nn.streaming(lif):
        lif(x[:2]), lif(x[2:])
    assert torch.equal(torch.cat(record.membranes[""]), expected)
    assert record.rates[""].spikes == int(lif.run(x)[0].sum())


def test_chosen_layers():
    with nn.monitor(network(), layers=["1.branch.0.lif"]) as record:
        assert list(record.rates) == ["1.branch.0.lif"]
    with pytest.raises(ValueError, match=r"monitor: layers must name neurons of the model, got '0.conv'"):
        nn.monitor(network(), layers=["0.conv"])
    with pytest.raises(ValueError, match="monitor: model must hold neurons, got Conv2d without any"):
        nn.monitor(nn.Conv2d(1, 1, 1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exact", [False, True])
def test_detector(exact):
    torch.manual_seed(0)
    model = models.ems_yolo(time_steps=4).eval()
    images = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    if exact:
        compress.prepare(model, compress.ExactConfig(), images)
    with torch.no_grad(), nn.monitor(model, membranes=exact) as record:
        model(images)
    assert len(record.rates) == 10 and all(r.calls == 1 for r in record.rates.values())
    if exact:
        with torch.no_grad(), compress.recording(model) as integers:
            model(images)
        for name, (trace,) in record.membranes.items():
            assert (trace.numpy() == integers.membranes[name]).all()
    assert record.rates["head.lif"].steps == 4 * 96 * 16


def test_table():
    model = network()
    with nn.monitor(model) as record:
        model(maps(4, 2, 3, 6, 6))
    text = repr(record)
    assert "1.branch.0.lif" in text and f"{record.rates['2'].spikes}" in text and "neuron-steps" in text


def broken(model, x, backward=True):
    with nn.detect_anomaly(model), pytest.raises(nn.NonFiniteError) as caught:
        y = model(x)
        if backward:
            y.sum().backward()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    return caught.value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_input_names_layer_step_and_index(value):
    x = maps(4, 2, 3, 6, 6)
    x[2, 1, 0, 3, 4] = x[3, 0, 0, 0, 0] = value
    error = broken(network(), x)
    assert (error.layer, error.what, error.step, error.index) == ("0.lif", "input", 2, [2, 1, 0, 3, 4])
    assert str(error) == (
        'detect_anomaly: input of "0.lif" (LIF) must be finite, '
        f"got {value} at step t = 2, index [2, 1, 0, 3, 4] (2 such values)"
    )


def test_a_neuron_alone_would_hide_it():
    x = torch.full((2, 1, 3), float("nan"))
    assert not nn.LIF()(x).any()
    assert broken(nn.LIF(), x).step == 0


def test_parameter():
    model = network()
    with torch.no_grad():
        model[1].branch[1].conv.weight[2, 1, 0, 1] = float("nan")
    error = broken(model, maps(2, 1, 3, 6, 6))
    assert (error.layer, error.what) == ("1.branch.1.conv", "parameter weight")
    assert error.step is None and error.index == [2, 1, 0, 1]


def test_output():
    model = network()
    with torch.no_grad():
        model[0].norm.running_var[1] = float("nan")
    error = broken(model.eval(), maps(2, 1, 3, 6, 6))
    assert (error.layer, error.what, error.step, error.index) == ("0.norm", "output", 0, [0, 0, 1, 0, 0])


def test_gradient_of_an_output_and_of_a_parameter():
    class Root(torch.nn.Module):
        """sqrt, whose gradient at 0 is infinite."""

        def forward(self, x):
            return x.sqrt()

    model = torch.nn.Sequential(nn.Conv2d(3, 4, 1), Root())
    torch.nn.init.constant_(model[0].weight, 1.0)
    x = torch.ones(3, 1, 3, 2, 2)
    x[1, 0, :, 1, 0] = 0
    error = broken(model, x)
    assert (error.layer, error.what, error.step) == ("0", "gradient of output", 1)
    assert error.index == [1, 0, 0, 1, 0]
    conv = nn.Conv2d(1, 1, 1)
    error = broken(conv, torch.full((1, 1, 1, 2, 2), 3e38))
    assert (error.layer, error.what, error.step) == ("", "gradient of parameter weight", None)


def test_state_and_time_distributed():
    error = broken(torch.nn.Sequential(nn.TimeDistributed(torch.nn.Linear(3, 2))), maps(2, 1, 3) / 0)
    assert (error.layer, error.what, error.step) == ("0", "input", 0)
    lif = nn.LIF()
    with (
        nn.detect_anomaly(lif),
        pytest.raises(nn.NonFiniteError, match=r"state of the model .* at") as caught,
    ):
        lif(maps(2, 1, 3), torch.full((1, 3), float("nan")))
    assert caught.value.step is None and caught.value.index == [0, 0]


def test_detector_passes():
    model = models.ems_yolo(time_steps=2)
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with nn.detect_anomaly(model):
        model(images).sum().backward()
    with nn.detect_anomaly(model):
        y = model(images)
    y.backward(torch.full_like(y, float("nan")))  # a graph made inside, run outside: not checked

"""Streaming: pieces of a sequence give what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris import compress, models, nn

NEURONS = {
    "LIF": nn.LIF,
    "soft LIF": lambda: nn.LIF(0.9, 0.7, reset="soft", inclusive=True),
    "LIF to v_reset": lambda: nn.LIF(0.7, 0.6, v_reset=-0.2, gain=0.5),
    "IF": nn.IF,
    "soft IF": lambda: nn.IF(reset="soft"),
    "ILIF": nn.ILIF,
    "learned ILIF": lambda: nn.ILIF(3, torch.nn.Parameter(torch.tensor(0.5)), gain=torch.ones(3, 1, 1)),
    "PLIF": lambda: nn.PLIF(0.6, shape=(3, 1, 1)),
    "no reset": lambda: nn.LIF(0.8, 0.6, reset="none", surrogate="atan"),
    "soft PLIF": lambda: nn.PLIF(0.6, learn=("decay", "threshold", "gain"), reset="soft"),
}


def maps(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pieces_of(model, x, sizes):
    return torch.cat([model(piece) for piece in x.split(sizes)])


splits = st.lists(st.integers(1, 5), min_size=1, max_size=5)


@pytest.mark.parametrize("kind", NEURONS)
@settings(deadline=None, max_examples=20)
@given(sizes=splits, seed=st.integers(0, 2**16))
def test_any_split_equals_one_call(kind, sizes, seed):
    layer, x = NEURONS[kind](), maps(sum(sizes), 2, 3, 4, 5, seed=seed)
    with nn.streaming(layer):
        assert torch.equal(pieces_of(layer, x, sizes), layer.run(x)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", ["LIF", "soft LIF", "LIF to v_reset"])
def test_halves_keep_their_state_in_float32(kind, dtype):
    layer, x = NEURONS[kind](), maps(6, 2, 3, 4, 5).to(dtype)
    with nn.streaming(layer) as stream:
        spikes = pieces_of(layer, x, [1, 3, 2])
        assert torch.equal(spikes, layer.run(x)[0]) and spikes.dtype == dtype
        assert stream.state[""].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@settings(deadline=None, max_examples=10)
@given(sizes=splits, seed=st.integers(0, 2**16))
def test_any_split_of_a_network_equals_one_call(sizes, seed):
    torch.manual_seed(0)
    model = torch.nn.Sequential(nn.LCB(3, 8), nn.MSBlock(8), nn.LCB(8, 4, pool=True)).eval()
    x = maps(sum(sizes), 2, 3, 8, 8, seed=seed)
    whole = model(x)
    with nn.streaming(model):
        # Spikes are equal; the last convolution may sum in another order for another batch.
        torch.testing.assert_close(pieces_of(model, x, sizes), whole)


def lively(model, x):
    """Statistics of x for every norm, so that all neurons of the untrained model see currents."""
    for module in model.modules():
        if isinstance(module, nn.TDBatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.constant_(module.weight, 0.7)
    with torch.no_grad():
        model.train()(x)
    model.eval()


def spikes_of(model):
    """Spikes of every neuron, by name, one tensor per call."""
    found = {n: [] for n, m in model.named_modules() if isinstance(m, nn.LIF)}
    for name, spikes in found.items():
        keep = lambda module, arguments, out, spikes=spikes: spikes.append(out)  # noqa: E731
        model.get_submodule(name).register_forward_hook(keep)
    return found


@pytest.mark.parametrize("family", ["tiny", "tiny_events", "v1"])
@pytest.mark.parametrize("sizes", [[1] * 6, [2, 4], [3, 1, 2]])
def test_detector_up_to_the_mean(family, sizes):
    torch.manual_seed(0)
    model = models.ems_yolo(family=family, time_steps=6).eval()
    x = torch.randint(0, 256 if family == "tiny" else 4, (6, 1, model.in_channels, 32, 32), dtype=torch.uint8)
    lively(model, x)
    found = spikes_of(model)
    with torch.no_grad():
        whole = model(x)
        once = {name: spikes.pop() for name, spikes in found.items()}
        with nn.streaming(model):
            maps_ = [model(piece) for piece in x.split(sizes)]
    for name, spikes in found.items():
        assert torch.equal(torch.cat(spikes), once[name]), name
        assert once[name].any(), name
    # A detector's map is the mean over its piece; their weighted mean is that of the whole.
    mean = sum(m * (n / 6) for m, n in zip(maps_, sizes, strict=True))
    torch.testing.assert_close(mean, whole, rtol=1e-5, atol=1e-5)
    assert model.time_steps == 6


@pytest.mark.filterwarnings("ignore")
def test_exact_detector_streams_its_integers():
    torch.manual_seed(0)
    model = models.ems_yolo(family="tiny_events", time_steps=4)
    x = torch.randint(0, 4, (4, 2, 2, 32, 32), dtype=torch.uint8)
    lively(model, x)
    compress.prepare(model, compress.ExactConfig(), x)
    found = []
    with torch.no_grad():
        with compress.recording(model) as whole:
            model(x)
        with nn.streaming(model):
            for piece in x.split([1, 2, 1]):
                with compress.recording(model) as record:
                    model(piece)
                found.append(record)
    for name, spikes in whole.spikes.items():
        assert (np.concatenate([r.spikes[name] for r in found]) == spikes).all(), name
        trace = np.concatenate([r.membranes[name] for r in found])
        assert (trace == whole.membranes[name]).all(), name
    assert sum(r.saturated[n] for r in found for n in r.saturated) == sum(whole.saturated.values())


def test_still_images_keep_the_time_steps_of_the_stem():
    model = nn.Stem(2, 4, time_steps=3).eval()
    network = torch.nn.Sequential(model, nn.LIF())
    image = torch.randint(0, 256, (1, 2, 8, 8), dtype=torch.uint8)
    nn.set_time_steps(network, 6)
    whole = network(image)
    nn.set_time_steps(network, 3)
    with nn.streaming(network):
        assert torch.equal(torch.cat([network(image), network(image)]), whole)
        assert network(image.expand(5, -1, -1, -1, -1)).shape[0] == 5
    assert model.time_steps == 3


def test_reset_and_closing_forget():
    lif, x = nn.LIF(), torch.full((1, 1, 1), 0.4)
    stream = nn.streaming(lif)
    assert [lif(x).item() for _ in range(3)] == [0, 0, 1]
    lif(x), lif(x)
    stream.reset()
    assert [lif(x).item() for _ in range(3)] == [0, 0, 1]
    lif(x), lif(x)
    stream.close()
    assert [lif(x).item() for _ in range(4)] == [0, 0, 0, 0]
    assert not lif._forward_hooks and not lif._forward_pre_hooks
    with nn.streaming(lif):
        assert lif(x).item() == 0


def test_state_is_read_saved_and_restored(tmp_path):
    model = torch.nn.Sequential(nn.LIF(), nn.Conv2d(3, 4, 3), nn.IF())
    x = maps(6, 1, 3, 4, 4)
    with nn.streaming(model) as stream:
        model(x[:3])
        torch.save(stream.state, tmp_path / "state.pt")
        expected = model(x[3:])
    with nn.streaming(model) as stream:
        stream.state = torch.load(tmp_path / "state.pt")
        assert {*stream.state} == {"0", "2"} and stream.state["2"].shape == (1, 4, 4, 4)
        assert torch.equal(model(x[3:]), expected)
        with pytest.raises(ValueError, match="streaming: state must name layers of the model, got 'other'"):
            stream.state = {"other": x[0]}


def test_state_is_detached_unless_asked():
    x = maps(4, 1, 5).requires_grad_()
    for detach in (True, False):
        model = nn.LIF(0.9, 0.5)
        with nn.streaming(model, detach=detach) as stream:
            model(x[:2])
            assert stream.state[""].requires_grad is not detach
            (grad,) = torch.autograd.grad(model(x[2:]).sum(), x)
            assert bool(grad[:2].any()) is not detach
    with nn.streaming(model, detach=False) as stream:
        model(x[:2])
        stream.detach()
        (grad,) = torch.autograd.grad(model(x[2:]).sum(), x)
        assert not grad[:2].any()


def test_backward_through_pieces_equals_backward_through_the_whole():
    x, layer = maps(6, 2, 5).double().requires_grad_(), nn.PLIF(0.8, learn=("decay", "threshold")).double()
    weights = maps(6, 2, 5, seed=1).double()
    parameters = (x, *layer.parameters())
    whole = torch.autograd.grad((layer(x) * weights).sum(), parameters)
    with nn.streaming(layer, detach=False):
        pieces = torch.autograd.grad((pieces_of(layer, x, [1, 3, 2]) * weights).sum(), parameters)
    for a, b in zip(whole, pieces, strict=True):
        torch.testing.assert_close(a, b)


def test_dropout_keeps_its_mask_until_reset():
    torch.manual_seed(0)
    dropout, x = nn.Dropout(0.5), torch.ones(2, 3, 50)
    with nn.streaming(dropout) as stream:
        first = dropout(x)
        assert torch.equal(dropout(x), first)
        stream.reset()
        assert not torch.equal(dropout(x), first)


def test_errors_name_the_layer():
    model = torch.nn.Sequential(nn.LCB(3, 4), nn.LIF())
    with nn.streaming(model) as stream:
        model(maps(2, 2, 3, 4, 4))
        message = r'state of "0.lif" must have the shape \[1, 3, 4, 4\] of x\[0\], got \[2, 3, 4, 4\]'
        with pytest.raises(ValueError, match=message):
            model(maps(2, 1, 3, 4, 4))
        stream.reset()
        model(maps(2, 1, 3, 4, 4))
        with pytest.raises(ValueError, match=r'state of "0.lif" must fit torch.float64, the dtype'):
            model.double()(maps(2, 1, 3, 4, 4).double())
        model.float()
        stream.state = {name: value.to("meta") for name, value in stream.state.items()}
        with pytest.raises(ValueError, match=r'state of "0.lif" must be on cpu, the device of x\[0\], got m'):
            model(maps(2, 1, 3, 4, 4))
        with pytest.raises(ValueError, match=r'must be streamed once, got "0.lif" streamed already'):
            nn.streaming(model)
    with pytest.raises(ValueError, match="model must hold neurons, got Conv2d without any"):
        nn.streaming(nn.Conv2d(3, 3, 1))


def test_a_layer_that_runs_twice_is_refused():
    lif = nn.LIF()
    model = torch.nn.Sequential(lif, lif)
    with nn.streaming(model):
        with pytest.raises(ValueError, match=r'"0" must run once per call of the model'):
            model(maps(2, 1, 3))
        with pytest.raises(ValueError, match=r'"0" must be called with x alone, got a state of its own'):
            lif(maps(2, 1, 3), None)

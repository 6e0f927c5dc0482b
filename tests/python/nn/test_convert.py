"""Networks of SpikingJelly as ours: against stand-ins always, the library when installed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import torch

from lampyris import compress, nn
from lampyris.capture import capture
from lampyris.nn.convert import ConversionError, from_spikingjelly

sys.path.insert(0, str(Path(__file__).parent))
import fake_peers as fake
from fake_peers import Odd, gradient, maps


def real_spikingjelly():
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    layer = pytest.importorskip("spikingjelly.activation_based.layer")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")

    def stepped(kind):
        return lambda *arguments, **options: kind(*arguments, **options, step_mode="m")

    kinds = ("Rect", "PiecewiseQuadratic", "Sigmoid", "ATan", "SoftSign", "PiecewiseExp", "Erf")
    names = {name: getattr(surrogate, name) for name in kinds}
    for name in ("IFNode", "LIFNode", "ParametricLIFNode"):
        names[name] = stepped(getattr(neuron, name))
    for name in (
        "Conv2d",
        "BatchNorm2d",
        "Linear",
        "MaxPool2d",
        "AvgPool2d",
        "Flatten",
        "Dropout",
        "VotingLayer",
    ):
        names[name] = stepped(getattr(layer, name))
    return types.SimpleNamespace(
        **names, SeqToANNContainer=layer.SeqToANNContainer, PSN=lambda: neuron.PSN(4)
    )


@pytest.fixture(params=["stand-in", "spikingjelly"])
def sj(request):
    return fake if request.param == "stand-in" else real_spikingjelly()


NODES = {
    "IF": (lambda sj, **o: sj.IFNode(**o), nn.IF, "exact"),
    "LIF": (lambda sj, **o: sj.LIFNode(tau=2.0, decay_input=False, **o), nn.LIF, "exact"),
    "LIF tau 3": (lambda sj, **o: sj.LIFNode(tau=3.0, decay_input=False, **o), nn.LIF, "rounding"),
    "LIF decay_input": (lambda sj, **o: sj.LIFNode(tau=4.0, **o), nn.LIF, "rounding"),
    "PLIF": (lambda sj, **o: sj.ParametricLIFNode(init_tau=2.5, decay_input=False, **o), nn.PLIF, "rounding"),
    "PLIF decay_input": (lambda sj, **o: sj.ParametricLIFNode(init_tau=1.7, **o), nn.PLIF, "rounding"),
}


@pytest.mark.parametrize("v_reset", [0.0, None, -0.25])
@pytest.mark.parametrize("node", NODES)
def test_nodes_fire_alike(sj, node, v_reset):
    make, kind, grade = NODES[node]
    theirs = make(sj, v_threshold=0.75, v_reset=v_reset, surrogate_function=sj.Rect(1.0))
    ours, report = from_spikingjelly(theirs)
    assert type(ours) is kind and ours.inclusive and ours.reset == ("soft" if v_reset is None else "hard")
    x = maps(16, 8, 400)  # 51,200 neuron-steps
    differing = int((ours(x) != theirs(x)).sum())
    assert differing == 0
    assert report.layers[0].forward == ("rounding" if v_reset == -0.25 else grade)
    assert report.layers[0].gradient == "exact" and report.needs_fine_tuning == []


@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("node", NODES)
def test_gradients_of_nodes(sj, node, v_reset, detach_reset):
    theirs = NODES[node][0](
        sj, v_reset=v_reset, detach_reset=detach_reset, surrogate_function=sj.Rect(2.0)
    ).double()
    ours = from_spikingjelly(theirs)[0]
    x, weights = maps(6, 2, 50).double().requires_grad_(), maps(6, 2, 50, seed=1).double()
    expected = torch.autograd.grad((theirs(x) * weights).sum(), [x, *theirs.parameters()])
    found = torch.autograd.grad((ours(x) * weights).sum(), [x, *ours.parameters()])
    torch.testing.assert_close(found[0], expected[0])
    if len(found) > 1:
        torch.testing.assert_close(found[1], -expected[1])  # raw_decay is -w


def network(sj):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        sj.Conv2d(3, 8, 3, padding=1, bias=False),
        sj.BatchNorm2d(8),
        sj.IFNode(surrogate_function=sj.Rect(1.0), v_threshold=0.5),
        sj.MaxPool2d(2),
        sj.SeqToANNContainer(
            torch.nn.Conv2d(8, 12, (3, 1), padding=(1, 0), dilation=1), torch.nn.BatchNorm2d(12)
        ),
        sj.LIFNode(tau=2.0, decay_input=False, surrogate_function=sj.Rect(1.0), v_reset=None),
        sj.AvgPool2d(2),
        sj.Flatten(),
        sj.Dropout(0.5),
        sj.Linear(12 * 2 * 2, 20, bias=True),
        sj.VotingLayer(5),
    )


def test_network_is_equal(sj):
    theirs = network(sj).eval()
    for part in theirs.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.uniform_(-0.1, 0.1)
            part.running_var.uniform_(0.2, 0.5)
    ours, report = from_spikingjelly(theirs)
    assert [type(layer).__name__ for layer in ours] == [
        "Conv2d", "TDBatchNorm2d", "IF", "MaxPool2d", "Sequential", "LIF", "TimeDistributed",
        "TimeDistributed", "Dropout", "TimeDistributed", "TimeDistributed",
    ]  # fmt: skip
    assert isinstance(ours[0], nn.Conv2d) and report.exact and not ours.training
    assert [layer.name for layer in report.layers][3:6] == ["3", "4.0", "4.1"]
    x = maps(4, 2, 3, 8, 8)
    # inputs of the first neuron are the same operations on the same folded batch
    assert torch.equal(ours(x), theirs(x)) and ours(x).any()
    assert "TimeDistributed(Conv2d)" in repr(report) and "random numbers" in repr(report)


def test_training_step_is_equal(sj):
    theirs = network(sj)
    theirs[8].p = 0.0
    ours = from_spikingjelly(theirs)[0]
    x = maps(4, 2, 3, 8, 8)
    for module in (theirs, ours):
        module(x).square().sum().backward()
    for (name, a), (_, b) in zip(theirs.named_parameters(), ours.named_parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, msg=name)
        assert a.data_ptr() != b.data_ptr()
    torch.testing.assert_close(ours[1].running_var, theirs[1].running_var)


class Residual(torch.nn.Module):
    def __init__(self, sj):
        super().__init__()
        self.conv = sj.Conv2d(4, 4, 3, padding=1)
        self.node = sj.IFNode(surrogate_function=sj.Rect(1.0))
        self.scale = torch.nn.Parameter(torch.tensor(1.5))
        self.act = torch.nn.ReLU()

    def forward(self, x):
        return self.node(self.act(self.conv(x)) * self.scale) + x


def test_users_own_module_keeps_its_forward(sj):
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(Residual(sj), Residual(sj))
    hooked = []
    ours, report = from_spikingjelly(theirs)
    ours[0].register_forward_hook(lambda *a: hooked.append(1))
    x = maps(4, 2, 4, 5, 5)
    assert torch.equal(ours(x), theirs(x)) and len(hooked) == 1
    assert isinstance(ours[0].conv, nn.Conv2d) and isinstance(ours[1].node, nn.IF)
    assert ours[0].scale is not theirs[0].scale
    assert report.layers[0].note == "its forward is kept" and report.layers[1].name == "0.conv"


def model_zoo():
    model = pytest.importorskip("spikingjelly.activation_based.model.sew_resnet")
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    functional = pytest.importorskip("spikingjelly.activation_based.functional")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate").ATan()
    net = model.sew_resnet18(
        cnf="ADD", num_classes=10, spiking_neuron=neuron.IFNode, surrogate_function=surrogate
    )
    functional.set_step_mode(net, "m")
    return net


@pytest.mark.parametrize("make", [fake.Model, model_zoo], ids=["stand-in", "sew_resnet18"])
def test_models_of_the_library_keep_their_forward(make):
    torch.manual_seed(0)
    theirs = make().eval()
    for part in theirs.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # statistics that let the untrained network fire
            part.running_var.uniform_(0.02, 0.1)
    ours, report = from_spikingjelly(theirs)
    x = maps(4, 1, 3, 32, 32)
    with torch.no_grad():
        expected = theirs(x)
        assert torch.equal(ours(x), expected) and expected.any()
    assert report.exact and type(ours) is type(theirs)


def test_single_step_chain_takes_all_steps(sj):
    torch.manual_seed(0)
    node = sj.IFNode(surrogate_function=sj.Rect(1.0))
    node.step_mode = "s"
    ours, report = from_spikingjelly(torch.nn.Sequential(torch.nn.Linear(5, 4), node))
    x = maps(6, 2, 5)
    linear = ours[0].module
    expected = nn.IF(1.0, inclusive=True)(torch.nn.functional.linear(x, linear.weight, linear.bias))
    assert torch.equal(ours(x), expected)
    assert report.exact


def test_shared_nodes_stay_shared(sj):
    node = sj.IFNode(surrogate_function=sj.Rect(1.0))
    ours = from_spikingjelly(torch.nn.Sequential(node, node))[0]
    assert ours[0] is ours[1]


@pytest.mark.parametrize(
    "name", ["Rect", "PiecewiseQuadratic", "Sigmoid", "ATan", "SoftSign", "PiecewiseExp", "Erf"]
)
def test_gradient_of_every_surrogate(sj, name):
    theirs = sj.LIFNode(tau=2.0, decay_input=False, surrogate_function=getattr(sj, name)(alpha=3.0)).double()
    ours, report = from_spikingjelly(theirs)
    x, weights = maps(6, 2, 200).double().requires_grad_(), maps(6, 2, 200, seed=1).double()
    torch.testing.assert_close(gradient(ours, x, weights), gradient(theirs, x, weights))
    assert report.layers[0].gradient == "exact"
    assert (name == "Erf") is callable(ours.surrogate) is ("slower path" in report.layers[0].note)


def test_a_named_surrogate_may_take_the_place_of_a_callable(sj):
    ours, report = from_spikingjelly(sj.IFNode(surrogate_function=sj.Erf(2.0)), surrogate=("rectangle", 0.5))
    assert (ours.surrogate, ours.width) == ("rectangle", 0.5)
    assert report.layers[0].gradient == "fine-tune" and report.layers[0].forward == "exact"
    assert "surrogate Erf became rectangle of width 0.5" in report.layers[0].note


def test_functions_without_spikes_are_refused(sj):
    node = sj.IFNode(surrogate_function=sj.Rect(1.0))
    node.surrogate_function.spiking = False
    with pytest.raises(ConversionError, match="has Rect, which gives no spikes 0 and 1 at >="):
        from_spikingjelly(node)


def test_refusals_name_every_layer(sj):
    node = sj.IFNode(surrogate_function=sj.Rect(1.0))
    node.step_mode = "s"
    inner = torch.nn.Sequential(sj.PSN(), Odd())
    with pytest.raises(ConversionError) as caught:
        from_spikingjelly(torch.nn.Sequential(sj.Conv2d(3, 4, 3), inner, node))
    problems = caught.value.problems
    assert [name for name, _, _ in problems] == ["1.0", "1.1", "2"]
    assert "PSN) has no counterpart" in problems[0][1] and "Odd) is unknown" in problems[1][1]
    assert 'is in step mode "s" inside "m"' in problems[2][1]
    assert str(caught.value).startswith("from_spikingjelly: module must hold layers that have a counterpart")
    kept, report = from_spikingjelly(torch.nn.Sequential(Odd()), keep=(Odd,))
    assert isinstance(kept[0], Odd) and report.layers[0].note == "kept as it is"
    with pytest.raises(ValueError, match="module must be a torch module, got int"):
        from_spikingjelly(3)


@pytest.mark.filterwarnings("ignore")
def test_converted_networks_go_through_the_whole_chain(sj):
    torch.manual_seed(0)
    node = sj.IFNode(surrogate_function=sj.Rect(1.0), v_threshold=0.5)
    body = from_spikingjelly(
        torch.nn.Sequential(node, sj.Conv2d(8, 8, 3, padding=1, bias=False), sj.BatchNorm2d(8), node)
    )[0]
    body[3] = from_spikingjelly(node)[0]  # exact layers run once each
    head = nn.Conv2d(8, 5, 1, bias=True)
    model = torch.nn.Sequential(nn.Stem(3, 8, time_steps=4), body, head, nn.TimeMean()).eval()
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    assert [node.op for node in capture(model, images)] == ["input", "stem", "lif", "conv", "lif", "output"]
    compress.prepare(model, compress.ExactConfig(), images)
    assert isinstance(model[1][0], compress.ExactLIF) and model(images).shape == (2, 5, 8, 8)

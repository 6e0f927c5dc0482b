"""Capture: nodes, kinds, operands of sums, and refusals by name."""

from __future__ import annotations

import pytest
import torch

from lampyris import models, nn
from lampyris.capture import CaptureError, capture


def image(c=3, size=16, steps=None):
    shape = (1, c, size, size) if steps is None else (steps, 1, c, size, size)
    return torch.zeros(shape, dtype=torch.uint8)


class Net(torch.nn.Module):
    """Stem, a body of the test's choice, head."""

    def __init__(self, body, channels=8, **layers):
        super().__init__()
        self.stem = nn.Stem(3, channels, time_steps=4)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.head_lif = nn.LIF()
        self.out = nn.Conv2d(channels, 5, 1, bias=True)
        self.mean = nn.TimeMean()
        self.body = body

    def forward(self, x):
        return self.mean(self.out(self.head_lif(self.body(self, self.stem(x)))))


def test_tiny_detector_by_hand():
    graph = capture(models.ems_yolo(family="tiny"), image(size=80))
    rows = {n.name: (n.op, n.inputs, n.shape, n.kind) for n in graph}
    assert list(rows)[:4] == ["input", "stem", "blocks.0.pool", "blocks.0.branch.0.lif"]
    assert rows["input"] == ("input", (), (3, 80, 80), "image")
    assert rows["stem"] == ("stem", ("input",), (16, 40, 40), "stream")
    assert rows["blocks.0.branch.0.conv"] == ("conv", ("blocks.0.branch.0.lif",), (32, 20, 20), "stream")
    assert rows["blocks.1.concat"] == (
        "concat",
        ("blocks.1.shortcut.conv", "blocks.1.pool"),
        (96, 10, 10),
        "stream",
    )
    assert rows["head.out"] == ("output", ("head.lif",), (14, 10, 10), "output")
    assert graph.outputs == ("head.out",)
    assert len(rows) == 28
    adds = {n.name: (n.residual, n.shortcut) for n in graph if n.op == "add"}
    assert adds == {
        "blocks.0.add": ("blocks.0.branch.1.conv", "blocks.0.shortcut.conv"),
        "blocks.1.add": ("blocks.1.branch.1.conv", "blocks.1.concat"),
        "blocks.2.add": ("blocks.2.branch.1.conv", "blocks.1.add"),
    }
    assert graph["blocks.2.branch.1.conv"].add == "blocks.2.add"
    assert graph["blocks.0.branch.0.conv"].norm == "blocks.0.branch.0.norm"


def test_still_images_are_stored_once_until_a_neuron():
    graph = capture(models.ems_yolo(family="tiny"), image(size=16))
    assert [n.name for n in graph if n.once] == ["input", "stem", "blocks.0.pool"]
    events = capture(models.ems_yolo(family="tiny_events"), image(c=2, steps=4))
    assert not any(n.once for n in events)


def test_v1_pools_spikes():
    graph = capture(models.ems_yolo(family="v1"), image(size=16))
    assert graph["blocks.1.pool"].kind == "spikes"
    assert {n.op for n in graph} == {"input", "stem", "lif", "conv", "maxpool", "output"}


def test_released_order_pools_the_concatenation():
    net = Net(lambda s, x: s.block(x), block=nn.EMSBlock2(8, 24, order="released"))
    net.out = nn.Conv2d(24, 5, 1, bias=True)
    graph = capture(net, image())
    assert graph["block.add"].shortcut == "block.pool"
    assert graph.sources("block.pool") == [("block.shortcut.conv", 16), ("stem", 8)]


@pytest.mark.parametrize("swap", [False, True])
def test_residual_operand_is_the_longer_branch(swap):
    def body(s, x):
        a, b = s.b(s.a(x)), s.short(x)
        return b + a if swap else a + b

    layers = {"a": nn.LCB(8, 8), "b": nn.LCB(8, 8), "short": nn.LCB(8, 8, 1)}
    add = capture(Net(body, **layers), image())["add"]
    assert (add.residual, add.shortcut) == ("b.conv", "short.conv")


def test_equal_branches_take_the_left_operand():
    layers = {"a": nn.LCB(8, 8), "b": nn.LCB(8, 8)}
    add = capture(Net(lambda s, x: s.b(x) + s.a(x), **layers), image())["add"]
    assert (add.residual, add.shortcut) == ("b.conv", "a.conv")


def test_identity_shortcut_on_either_side():
    for body in (lambda s, x: x + s.a(x), lambda s, x: s.a(x) + x):
        add = capture(Net(body, a=nn.LCB(8, 8)), image())["add"]
        assert (add.residual, add.shortcut) == ("a.conv", "stem")


def test_identities_and_several_adds_of_one_module():
    layers = {"a": nn.LCB(8, 8), "b": nn.LCB(8, 8), "i": nn.Identity()}
    graph = capture(Net(lambda s, x: s.b(s.i(s.a(x) + x)) + x, **layers), image())
    assert graph["add"].inputs == ("a.conv", "stem")
    assert graph["add_2"].inputs == ("b.conv", "stem")
    assert graph["b.lif"].inputs == ("add",)


def test_capture_neither_runs_nor_changes_the_model():
    model = models.ems_yolo(family="tiny").train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    capture(model, image())
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_fused_blocks_are_traced_plain():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fused = True
            self.lcb = nn.LCB(8, 8)

        def forward(self, x):
            return torch.relu(x) if self.fused else self.lcb(x)

    net = Net(lambda s, x: s.block(x), block=Block())
    assert "block.lcb.conv" in capture(net, image()).nodes
    assert net.block.fused is True


def refused(body, message, example=None, **layers):
    with pytest.raises(CaptureError, match=message) as caught:
        capture(Net(body, **layers), image() if example is None else example)
    name, reason, remedy = caught.value.problems[0]
    assert name and reason and remedy
    return caught.value.problems


class Relu(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


class Branching(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_refusals_name_the_module():
    problems = refused(
        lambda s, x: s.act(x), r"act: is a torch.nn.modules.activation.SiLU", act=torch.nn.SiLU()
    )
    assert problems[0][0] == "act"
    refused(lambda s, x: s.act(x), r"act: calls relu", act=Relu())
    refused(lambda s, x: x.reshape(1, -1), r"Net: calls reshape")
    refused(lambda s, x: x * 2.0, r"Net: calls mul")
    refused(lambda s, x: s.branch(x), r"branch: forward cannot be traced", branch=Branching())
    refused(lambda s, x: s.conv(x), r"conv: \(conv\) must read spikes, got stream", conv=nn.Conv2d(8, 8, 1))
    refused(lambda s, x: s.b(s.a(x)), r"b: \(lif\) must read stream, got spikes", a=nn.LIF(), b=nn.LIF())
    refused(
        lambda s, x: s.a(x) + s.b(x), r"add: must add streams, got spikes and spikes", a=nn.LIF(), b=nn.LIF()
    )
    refused(lambda s, x: s.pool(x) + x, r"add: must add equal shapes", pool=nn.MaxPool2d(2))
    refused(lambda s, x: s.a(x) + s.a(x), r"a.lif: is called more than once", a=nn.LCB(8, 8))
    refused(lambda s, x: x + 1.0, r"add: must read tensors only")
    refused(lambda s, x: s.norm(x), r"norm: \(norm\) must follow a convolution", norm=nn.TDBatchNorm2d(8))
    refused(
        lambda s, x: s.pool(x),
        r"pool: must read H and W that are multiples of 2",
        image(size=14),
        pool=nn.MaxPool2d(2),
    )
    refused(lambda s, x: s.a(x), r"a.conv: must read 9 channels, got 8", a=nn.LCB(9, 8))
    refused(
        lambda s, x: s.cat(x, s.lif(x)),
        r"cat: \(concat\) must read streams or spikes",
        cat=nn.Concat(),
        lif=nn.LIF(),
    )


def test_two_stored_streams_are_not_added():
    def body(s, x):
        y = s.a(x) + x  # a sum
        return s.pool(y) + s.pool2(x)

    layers = {"a": nn.LCB(8, 8), "pool": nn.MaxPool2d(2), "pool2": nn.MaxPool2d(2)}
    refused(body, r"add_2: adds two stored streams; remedy: end one branch with a convolution", **layers)

    def shared(s, x):
        y = s.a(x)
        return y + s.i(y)

    refused(shared, r"add: adds two stored streams", a=nn.LCB(8, 8), i=nn.Identity())


def test_networks_end_with_a_mean():
    class NoMean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Stem(3, 8)
            self.lif = nn.LIF()

        def forward(self, x):
            return self.lif(self.stem(x))

    with pytest.raises(CaptureError, match="lif: is returned without a mean over time"):
        capture(NoMean(), image())


def test_example_shape():
    with pytest.raises(ValueError, match=r"capture: example must have shape \[B, C, H, W\]"):
        capture(models.ems_yolo(), torch.zeros(3, 8, 8))


def test_learned_neurons_are_leaves():
    net = torch.nn.Sequential(
        nn.Stem(3, 8), nn.LCB(8, 8, neuron=lambda: nn.PLIF(0.3)), nn.IF(), nn.Conv2d(8, 4, 1), nn.TimeMean()
    )
    graph = capture(net, torch.zeros(1, 3, 8, 8))
    assert graph["1.lif"].op == "lif" and isinstance(graph["1.lif"].module, nn.PLIF)

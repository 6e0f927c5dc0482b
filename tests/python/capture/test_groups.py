"""Stream groups against hand-made lists (contract section 2, "Groups")."""

from __future__ import annotations

import torch

from lampyris import models, nn
from lampyris.capture import capture, stream_groups


class Net(torch.nn.Module):
    def __init__(self, body, out, **layers):
        super().__init__()
        self.stem = nn.Stem(3, 8, time_steps=4)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.lif = nn.LIF()
        self.out = nn.Conv2d(out, 5, 1, bias=True)
        self.mean = nn.TimeMean()
        self.body = body

    def forward(self, x):
        return self.mean(self.out(self.lif(self.body(self, self.stem(x)))))


def groups(net, size=16):
    found = stream_groups(capture(net, torch.zeros(1, 3, size, size, dtype=torch.uint8)))
    return [g.convs for g in found], found


def test_tiny_detector():
    convs, found = groups(models.ems_yolo(family="tiny"), 80)
    assert convs == [
        ("stem",),
        ("blocks.0.branch.0.conv",),
        (
            "blocks.0.branch.1.conv",
            "blocks.0.shortcut.conv",
            "blocks.1.branch.1.conv",
            "blocks.1.shortcut.conv",
            "blocks.2.branch.1.conv",
        ),
        ("blocks.1.branch.0.conv",),
        ("blocks.2.branch.0.conv",),
        ("head.hidden.conv",),
    ]
    main = found[2]
    assert main.name == "blocks.0.branch.1.conv"
    # X that exist: sums and shortcuts; the residual operands P have none of their own
    assert main.streams == (
        "blocks.0.shortcut.conv",
        "blocks.0.add",
        "blocks.1.shortcut.conv",
        "blocks.1.add",
        "blocks.2.add",
    )
    assert main.readers == (
        "blocks.1.branch.0.lif",
        "blocks.1.shortcut.lif",
        "blocks.2.branch.0.lif",
        "head.hidden.lif",
    )
    assert found[0].readers == ("blocks.0.branch.0.lif", "blocks.0.shortcut.lif")


def test_stem_joins_the_group_of_an_ms_block():
    convs, found = groups(Net(lambda s, x: s.ms(x), 8, ms=nn.MSBlock(8)))
    assert convs == [("stem", "ms.branch.1.conv"), ("ms.branch.0.conv",)]
    assert found[0].name == "stem" and found[0].streams == ("stem", "ms.add")


def test_ems2_continues_the_group_of_its_input():
    for order in ("paper", "released"):
        convs, _ = groups(Net(lambda s, x: s.block(x), 24, block=nn.EMSBlock2(8, 24, order=order)))
        assert convs == [("stem", "block.branch.1.conv", "block.shortcut.conv"), ("block.branch.0.conv",)]


def test_ems1_starts_a_group():
    convs, _ = groups(Net(lambda s, x: s.block(x), 24, block=nn.EMSBlock1(8, 24)))
    assert convs == [("stem",), ("block.branch.0.conv",), ("block.branch.1.conv", "block.shortcut.conv")]


def test_concatenation_read_by_neurons_joins_nothing():
    layers = {"a": nn.LCB(8, 4), "b": nn.LCB(8, 12), "cat": nn.Concat(), "pool": nn.MaxPool2d(2)}
    net = Net(lambda s, x: s.pool(s.cat(s.a(x), s.b(x), x)), 24, **layers)
    convs, found = groups(net)
    assert convs == [("stem",), ("a.conv",), ("b.conv",)]
    assert [g.readers for g in found] == [("a.lif", "b.lif", "lif"), ("lif",), ("lif",)]
    graph = capture(net, torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    assert graph.sources("pool") == [("a.conv", 4), ("b.conv", 12), ("stem", 8)]


def test_concatenation_read_by_a_sum_joins_its_sources():
    layers = {"a": nn.LCB(8, 8), "cat": nn.Concat(), "b": nn.LCB(16, 16)}

    def body(s, x):
        wide = s.cat(s.a(x), x)
        return s.b(wide) + wide

    convs, _ = groups(Net(body, 16, **layers))
    assert convs == [("stem", "a.conv", "b.conv")]


def test_upsampled_neck():
    """Two scales: the coarse stream is enlarged and joined with the fine one, read by a neuron only."""
    layers = {
        "down": nn.EMSBlock1(8, 8),
        "lateral": nn.LCB(8, 8, 1),
        "up": nn.Upsample(2),
        "cat": nn.Concat(),
        "fuse": nn.LCB(16, 8),
    }
    net = Net(lambda s, x: s.fuse(s.cat(s.up(s.lateral(s.down(x))), x)), 8, **layers)
    convs, _ = groups(net)
    assert convs == [
        ("stem",),
        ("down.branch.0.conv",),
        ("down.branch.1.conv", "down.shortcut.conv"),
        ("lateral.conv",),
        ("fuse.conv",),
    ]


def test_two_blocks_reading_one_stream_are_one_group():
    def body(s, x):
        y = s.start(x)
        return s.cat(s.left(y), s.right(y))

    layers = {
        "start": nn.EMSBlock1(8, 8),
        "left": nn.MSBlock(8),
        "right": nn.MSBlock(8),
        "cat": nn.Concat(),
    }
    convs, _ = groups(Net(body, 16, **layers))
    assert (
        "start.branch.1.conv",
        "start.shortcut.conv",
        "left.branch.1.conv",
        "right.branch.1.conv",
    ) in convs

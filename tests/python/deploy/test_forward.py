"""Training forward, numpy reference and device agree, for prepared models of every kind."""

from __future__ import annotations

import warnings

import pytest
import torch

from lampyris import compress, deploy, models, nn


def randomize(model, seed):
    """Norms as after a training: spread weights, biases and statistics."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.TDBatchNorm2d):
            with torch.no_grad():
                module.weight.copy_(torch.rand(module.weight.shape, generator=generator) * 0.9 + 0.1)
                module.bias.copy_(torch.rand(module.bias.shape, generator=generator) * 0.5 - 0.2)
            module.running_mean.copy_(torch.rand(module.weight.shape, generator=generator) * 0.4 - 0.2)
            module.running_var.copy_(torch.rand(module.weight.shape, generator=generator) * 0.5 + 0.1)
    return model.eval()


def prepared(model, images, target="ems", seed=0, calibration=None, time_steps=4):
    randomize(model, seed)
    config = compress.ExactConfig(target=target, time_steps=time_steps, calibration=calibration)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compress.prepare(model, config, images)
    return model


def pictures(batch, size=32, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, channels, size, size), dtype=torch.uint8, generator=generator)


def agreed(model, images):
    report = deploy.verify(model, deploy.export(model), images)
    assert report.ok, report.summary()
    assert report.implementations == ("forward", "reference", "device")
    return report


@pytest.mark.parametrize("seed", [0, 1])
def test_tiny(seed):
    torch.manual_seed(seed)
    images = pictures(3, seed=seed)
    report = agreed(prepared(models.ems_yolo(family="tiny"), images, seed=seed), images)
    compared = {
        c.implementations for c in report.comparisons if c.quantity in ("stream", "spikes", "membrane")
    }
    assert compared == {("forward", "reference", "device")}


@pytest.mark.parametrize(("decay", "gain"), [(None, None), (0.5, 0.5)])
def test_v1(decay, gain):
    torch.manual_seed(2)
    images = pictures(2)
    agreed(prepared(models.ems_yolo(family="v1", decay=decay, gain=gain), images, "v1", seed=2), images)


@pytest.mark.parametrize(("decay", "gain"), [(1.0, 1.0), (0.5, 0.5), (0.5, 1.0), (0.0625, 1.0)])
def test_leaks(decay, gain):
    torch.manual_seed(3)
    images = pictures(2)
    agreed(prepared(models.ems_yolo(family="tiny", decay=decay, gain=gain), images, seed=3), images)


def test_event_sequences():
    torch.manual_seed(4)
    frames = pictures(8, channels=2).clamp(max=3).reshape(4, 2, 2, 32, 32)
    model = models.ems_yolo(family="tiny_events", num_classes=2)
    report = agreed(prepared(model, frames, seed=4), frames)
    assert report.time_steps == 4


def test_training_that_outgrows_the_calibration_clamps():
    torch.manual_seed(5)
    images = pictures(3)
    model = models.ems_yolo(family="tiny")
    for block in model.blocks:
        block.branch[1].conv.weight.data.mul_(64)
    prepared(model, images, seed=5)
    with torch.no_grad():
        for block in model.blocks:
            block.branch[1].conv.weight.abs_()
    report = agreed(model, images)
    assert {node.params["shift"] for node in compress.integer_network(model).nodes if node.op == "conv"} == {
        0,
        4,
    }
    sizes = {c.layer: c.values for c in report.comparisons if c.quantity == "stream"}
    shares = [
        counts["clamped"] / sizes[name] for name, counts in report.counters.items() if "clamped" in counts
    ]
    assert max(shares) > 0.01, shares


class Neck(torch.nn.Module):
    """Two scales, concatenations read by neurons alone, the released order of EMS-Block2."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Stem(3, 16, time_steps=4)
        self.down = nn.EMSBlock2(16, 48, order="released")
        self.deep = nn.EMSBlock1(48, 64)
        self.lateral = nn.LCB(64, 32, 1)
        self.up = nn.Upsample(2)
        self.join = nn.Concat()
        self.fuse = nn.LCB(80, 32)
        self.head = nn.DetectionHead(32, None, 10)

    def forward(self, images):
        fine = self.down(self.stem(images))
        coarse = self.lateral(self.deep(fine))
        return self.head(self.fuse(self.join(self.up(coarse), fine)))


def test_neck():
    torch.manual_seed(6)
    images = pictures(2)
    model = prepared(Neck(), images, seed=6)
    agreed(model, images)
    table = compress.integer_network(model).node("fuse.lif").arrays["threshold"]
    assert len(set(table.tolist())) == 2


def test_model_changed_after_export():
    torch.manual_seed(7)
    images = pictures(2)
    model = prepared(models.ems_yolo(family="tiny"), images, seed=7)
    image = deploy.export(model)
    with torch.no_grad():
        model.blocks[1].branch[0].conv.weight.mul_(0.9)
    report = deploy.verify(model, image, images)
    assert not report.ok
    assert report.first.layer == "blocks.1.branch.0.conv"
    assert report.first.values["forward"] == report.first.values["reference"]


def test_float_model_is_refused():
    with pytest.raises(ValueError, match="must be exact"):
        deploy.export(models.ems_yolo())


def test_pruned():
    torch.manual_seed(8)
    images = pictures(2)
    model = prepared(models.ems_yolo(family="tiny"), images, seed=8)
    for layer in compress.exact_layers(model).values():
        if isinstance(layer, compress.ExactConv2d):
            layer.set_mask(layer.weight.abs() > layer.weight.abs().median())
    agreed(model, images)
    zeros = (compress.integer_network(model).node("blocks.2.branch.0.conv").arrays["weight"] == 0).mean()
    assert zeros >= 0.5

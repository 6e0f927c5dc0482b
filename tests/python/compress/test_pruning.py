"""Masks: structures, schedule, and that they stay."""

from __future__ import annotations

import warnings

import pytest
import torch

from lampyris import compress, models, nn


class Net(torch.nn.Module):
    def __init__(self, channels=32):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Stem(3, 16)
        self.a = nn.LCB(16, channels)
        self.b = nn.LCB(channels, channels, 1)
        self.lif = nn.LIF()
        self.out = nn.Conv2d(channels, 6, 1, bias=True)
        self.mean = nn.TimeMean()
        for norm in (self.stem.norm, self.a.norm, self.b.norm):
            torch.nn.init.constant_(norm.bias, 0.4)  # neurons that fire

    def forward(self, x):
        return self.mean(self.out(self.lif(self.b(self.a(self.stem(x))))))


def images():
    return torch.randint(
        0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def exact(**options):
    model = Net(**options).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = compress.prepare(model, compress.ExactConfig(), images())
    return model, plan


def test_cubic_ramp():
    got = [compress.cubic_sparsity(t, 2, 12, 0.8) for t in (0, 2, 7, 12, 50)]
    assert got == pytest.approx([0, 0, 0.8 * (1 - 0.125), 0.8, 0.8])


def test_element_masks_keep_the_largest():
    model, _ = exact()
    compress.Pruner(model, compress.Pruning(0.75), 1).apply(0.75)
    for layer in (model.a.conv, model.b.conv):
        kept = layer.weight.abs()[layer.mask]
        lost = layer.weight.abs()[~layer.mask]
        assert len(lost) == round(0.75 * layer.weight.numel())
        assert kept.min() >= lost.max()
    assert model.stem.mask.all() and model.out.mask.all()


def test_global_scope_prunes_the_weaker_layer_more():
    model, _ = exact()
    with torch.no_grad():
        model.a.conv.weight.mul_(0.1)
    compress.Pruner(model, compress.Pruning(0.5, scope="global"), 1).apply(0.5)
    masks = [model.a.conv.mask, model.b.conv.mask]
    total = sum(int((~m).sum()) for m in masks)
    assert total == round(0.5 * sum(m.numel() for m in masks))
    assert (~masks[0]).float().mean() > (~masks[1]).float().mean()


def test_vectors_of_16_output_channels_go_together():
    model, _ = exact(channels=40)  # tiles of 16, 16 and 8
    compress.Pruner(model, compress.Pruning(0.5, "vector"), 1).apply(0.5)
    mask = model.a.conv.mask
    for tile in mask.split(16):
        assert (tile == tile[:1]).all()
    assert 0.4 < float((~mask).float().mean()) < 0.6
    scores = torch.stack([t.abs().mean(0) for t in model.a.conv.weight.split(16)])
    kept = torch.stack([t[0] for t in mask.split(16)])
    assert scores[kept].min() >= scores[~kept].max()


def test_n_of_m():
    model, _ = exact()
    pruner = compress.Pruner(model, compress.Pruning(0.5, "nm"), 1)
    pruner.apply(0.5)
    for layer in (model.a.conv, model.b.conv):
        groups = layer.mask.reshape(layer.mask.shape[0], -1, 4, layer.mask[0, 0].numel())
        assert (groups.sum(2) == 2).all()
        weight = layer.weight.abs().reshape(groups.shape)
        assert (weight.masked_fill(~groups, 9).amin(2) >= weight.masked_fill(groups, 0).amax(2)).all()
    pruner.apply(0.25)  # halfway along the ramp: half of the groups
    groups = model.a.conv.mask.reshape(32, 4, 4, 9).sum(2)
    assert (groups == 4).float().mean() == 0.5


def test_pruned_weights_are_zero_integers_without_gradient():
    model, _ = exact()
    compress.Pruner(model, compress.Pruning(0.5), 1).apply(0.5)
    (model(images()) - 1).square().sum().backward()
    layer = model.a.conv
    assert (torch.tensor(layer.integers()["weight"])[~layer.mask] == 0).all()
    assert (layer.weight.grad[~layer.mask] == 0).all()
    assert (layer.weight.grad[layer.mask] != 0).any()


def test_masks_stay_through_training_and_checkpoints():
    model, plan = exact()
    generator = torch.Generator().manual_seed(1)
    batches = [(images(), torch.randn(2, 6, 8, 8, generator=generator)) for _ in range(3)]
    seen = []
    compress.fit_exact(
        model,
        lambda y, target: (y - target).square().mean(),
        batches,
        steps=20,
        prune=compress.Pruning(0.5, every=4),
        on_step=lambda step, loss: seen.append(float((~model.a.conv.mask).float().mean())),
    )
    assert seen[0] == 0.0 and seen == sorted(seen)
    assert seen[11] < 0.5 and seen[12:] == [0.5] * 8  # end = 0.6 * 20
    layer = model.a.conv
    assert (layer.weight[~layer.mask] == 0).all()
    fresh = compress.apply_plan(Net(), plan)
    fresh.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(fresh.a.conv.mask, layer.mask) and not fresh.a.conv.dense
    assert compress.sparsity_of(fresh) == compress.sparsity_of(model)
    assert compress.sparsity_of(model)["a.conv"] >= 0.5


def test_errors():
    for options, message in [
        ({"sparsity": 1.0}, r"Pruning: sparsity must be in \[0, 1\), got 1.0"),
        ({"structure": "row"}, "Pruning: structure must be one of element, vector, nm, got 'row'"),
        ({"scope": "net"}, "Pruning: scope must be one of layer, global"),
        ({"begin": 0.9}, "Pruning: must have 0 <= begin <= end <= 1"),
        ({"every": 0}, "Pruning: must have every >= 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            compress.Pruning(**options)
    model, _ = exact()
    with pytest.raises(ValueError, match="Pruner: skip must name exact layers, got x"):
        compress.Pruner(model, compress.Pruning(skip=("x",)), 1)
    with pytest.raises(ValueError, match="Pruner: model must have an exact convolution to prune, got none"):
        compress.Pruner(models.ems_yolo(), compress.Pruning(), 1)
    with pytest.raises(
        ValueError, match=r"set_mask: mask of a.conv must have shape \[32, 16, 3, 3\], got \[2\]"
    ):
        model.a.conv.set_mask(torch.ones(2, dtype=torch.bool))

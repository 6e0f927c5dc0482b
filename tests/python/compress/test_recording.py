"""Recorded integers of whole networks against the numpy reference, value by value."""

from __future__ import annotations

import warnings

import pytest
import torch

from lampyris import compress, models, nn
from lampyris.reference import integer


class Neck(torch.nn.Module):
    """EMS-Block1, a coarse lateral enlarged and joined with the fine stream, per-source thresholds."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Stem(3, 8)
        self.fine = nn.EMSBlock1(8, 16)
        self.coarse = nn.EMSBlock2(16, 24, order="released")
        self.lateral = nn.LCB(24, 12, 1)
        self.up = nn.Upsample(2)
        self.cat = nn.Concat()
        self.fuse = nn.LCB(28, 16)
        self.lif = nn.LIF()
        self.out = nn.Conv2d(16, 6, 1, bias=True)
        self.mean = nn.TimeMean()

    def forward(self, x):
        fine = self.fine(self.stem(x))
        coarse = self.up(self.lateral(self.coarse(fine)))
        return self.mean(self.out(self.lif(self.fuse(self.cat(fine, coarse)))))


def restless(model, seed=0, largest=4.0):
    """Uneven norms, so that groups need shifts, neurons fire often and some currents are large."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.TDBatchNorm2d):
            shape = module.weight.shape
            spread = float(torch.rand(1, generator=generator)) * largest + 0.05
            module.weight.data = (torch.rand(shape, generator=generator) + 0.5) * spread
            module.bias.data = torch.randn(shape, generator=generator) * 0.4 + 0.2
            module.running_mean.copy_(torch.randn(shape, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(shape, generator=generator) + 0.2)
    return model.eval()


def prepare(model, example, target="ems"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compress.prepare(model, compress.ExactConfig(target, time_steps=4), example)


def compare(model, inputs):
    """Every recorded array equals the reference's; returns (record, values compared)."""
    with torch.no_grad(), compress.recording(model) as record:
        model(inputs)
    trace = integer.run(compress.integer_network(model), inputs.numpy())
    count = 0
    for kind in ("spikes", "streams", "membranes", "accumulators"):
        ours = getattr(record, kind)
        theirs = getattr(trace, kind)
        assert set(ours) == set(theirs), kind
        for name, value in ours.items():
            assert value.shape == theirs[name].shape, (kind, name)
            assert (value == theirs[name]).all(), (kind, name)
            count += value.size
    assert {n: c for n, c in record.clamped.items() if c} == {n: c for n, c in trace.clamped.items() if c}
    assert {n: c for n, c in record.saturated.items() if c} == {n: c for n, c in trace.saturated.items() if c}
    return record, count


def pictures(c=3, size=32, steps=None, seed=7):
    shape = (2, c, size, size) if steps is None else (steps, 2, c, size, size)
    high = 256 if steps is None else 6
    return torch.randint(0, high, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "family, target, c, steps",
    [("tiny", "ems", 3, None), ("tiny_events", "ems", 2, 4), ("v1", "v1", 3, None)],
)
def test_detectors(family, target, c, steps):
    torch.manual_seed(0)
    model = restless(models.ems_yolo(family=family), largest=1.0)
    inputs = pictures(c, steps=steps)
    prepare(model, inputs, target)
    record, count = compare(model, inputs)
    assert count > 50_000
    rates = [value.mean() for value in record.spikes.values()]
    assert max(rates) > 0.2


def test_neck_with_shifts_and_thresholds_per_source():
    torch.manual_seed(1)
    model = restless(Neck())
    inputs = pictures()
    plan = prepare(model, inputs)
    assert {n["shift"] for n in plan["nodes"] if n["op"] == "conv"} >= {0, 1}
    assert len(next(n for n in plan["nodes"] if n["name"] == "fuse.lif")["segments"]) == 2
    compare(model, inputs)


def test_networks_scaled_so_that_values_clamp():
    """Parameters that outgrow the frozen steps: weights, biases and currents at their limits."""
    torch.manual_seed(2)
    model = restless(Neck())
    inputs = pictures()
    prepare(model, inputs)
    with torch.no_grad():
        for layer in compress.exact_layers(model).values():
            if isinstance(layer, compress.ExactConv2d):
                layer.weight.mul_(30)
                layer.bias.mul_(400)
            elif isinstance(layer, compress.ExactStem):
                layer.bias.mul_(200)
    record, _ = compare(model, inputs)
    sizes = sum(record.streams[name].size for name in record.clamped)
    assert sum(record.clamped.values()) > 0.01 * sizes
    assert sum(compress.outgrown_weights(model).values()) > 100


def test_integrate_and_fire_at_the_membrane_limit():
    torch.manual_seed(3)
    model = restless(models.ems_yolo(family="v1"), largest=3.0)
    inputs = pictures()
    prepare(model, inputs, "ems")
    for layer in compress.exact_layers(model).values():
        if isinstance(layer, compress.ExactLIF):
            for segment in layer.entry["segments"]:
                segment["theta"] = 131071
    with torch.no_grad():
        for layer in compress.exact_layers(model).values():
            if isinstance(layer, compress.ExactStem):
                layer.bias.fill_(-60.0)
                layer.bias[::2] = 60.0
    for entry in model.exact_plan["nodes"]:
        if entry["op"] == "lif":
            assert entry["leak"] == "none"
    with torch.no_grad(), compress.recording(model) as record:
        model(inputs)
    assert record.saturated["blocks.0.lif"] == 0  # 4 x 32767 stays below 2^17
    nn.set_time_steps(model, 6)
    network = compress.integer_network(model)
    trace = integer.run(network.__class__(network.target, 6, (), network.nodes), inputs.numpy())
    with torch.no_grad(), compress.recording(model) as record:
        model(inputs)
    assert record.saturated["blocks.0.lif"] == trace.saturated["blocks.0.lif"] > 0
    for name, value in record.membranes.items():
        assert (value == trace.membranes[name]).all()


def test_the_real_prediction_is_the_accumulators_read_out():
    torch.manual_seed(4)
    model = restless(models.ems_yolo(family="tiny"), largest=1.0)
    inputs = pictures()
    prepare(model, inputs)
    with torch.no_grad(), compress.recording(model) as record:
        real = model(inputs)
    step = compress.integer_network(model).node("head.out").arrays["step"]
    want = record.accumulators["head.out"] * step[:, None, None] / 4
    assert (real.numpy() == want.astype("float32")).all()


def test_recording_ends_and_needs_an_exact_model():
    model = restless(models.ems_yolo(family="tiny"), largest=1.0)
    prepare(model, pictures())
    with compress.recording(model) as record:
        pass
    model(pictures())
    assert not record.streams
    with (
        pytest.raises(ValueError, match="plan_of: model must be exact"),
        compress.recording(models.ems_yolo()),
    ):
        pass

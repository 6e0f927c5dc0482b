"""Every planted error makes verify fail and is found where it was planted; files carry correct checksums."""

from __future__ import annotations

from dataclasses import replace

import integer_networks
import numpy as np
import pytest

from lampyris import deploy, firefly
from lampyris.deploy import verification
from lampyris.reference import integer

LAYERS = ("e1.c1", "e1.short", "e1.c2", "e2.c2", "m.c1", "head.hidden")


@pytest.fixture(scope="module")
def residual():
    network, images = integer_networks.residual_network(30)
    image = deploy.export(network)
    assert deploy.verify(network, image, images).ok
    return network, images, image


@pytest.fixture(scope="module")
def chain():
    network, images = integer_networks.chain_network(31)
    image = deploy.export(network)
    assert deploy.verify(network, image, images).ok
    return network, images, image


def changed(network, name, **arrays):
    """`network` with arrays of one node replaced."""
    return replace(
        network,
        nodes=[replace(n, arrays={**n.arrays, **arrays}) if n.name == name else n for n in network.nodes],
    )


def edited(image, layer, part, edit):
    """The image written with one tensor edited, checksums recomputed, and read back."""
    index = [entry["name"] for entry in image.plan["layers"]].index(layer)
    name = f"layer.{index:03}.{part}"
    tensor = image.tensors[name].copy()
    edit(tensor)
    assert (tensor != image.tensors[name]).any()
    return firefly.Image.from_bytes(firefly.Image(image.plan, {**image.tensors, name: tensor}).to_bytes())


def caught(network, image, images, layer, quantities=("stream", "spikes", "membrane")):
    report = deploy.verify(network, image, images)
    assert not report.ok
    assert report.first is not None
    assert report.first.layer == layer
    assert report.first.quantity in quantities
    assert len(set(report.first.values.values())) > 1
    with pytest.raises(ValueError, match="differs at image"):
        report.raise_if_different()
    return report


def packed_index(weight, co, ci):
    """Byte of weight [co, ci, centre] in the order (o i kr kc) ip op with P = 16 (contract section 4)."""
    tiles, kernel = -(-weight.shape[1] // 16), weight.shape[2]
    tile = (co // 16 * tiles + ci // 16) * kernel * kernel
    return ((tile + kernel * kernel // 2) * 16 + ci % 16) * 16 + co % 16


@pytest.mark.parametrize("layer", LAYERS)
def test_one_weight_bit(residual, layer):
    network, images, image = residual
    node = network.node(layer)
    spikes = integer.run(network, images).spikes[node.inputs[0]]
    busiest = int(spikes.mean(axis=(0, 1, 3, 4)).argmax())
    channel = node.shape[0] - 3

    def flip(weights):
        index = packed_index(node.arrays["weight"], channel, busiest)
        centre = node.arrays["weight"].shape[2] // 2
        assert weights[index].astype(np.int8) == node.arrays["weight"][channel, busiest, centre, centre]
        weights[index] ^= 1

    report = caught(network, edited(image, layer, "weights", flip), images, layer)
    assert report.first.channel == channel
    centre = node.arrays["weight"].shape[2] // 2
    weight = int(node.arrays["weight"][channel, busiest, centre, centre])
    place = f"weight of input {busiest}, tap ({centre}, {centre})"
    wrong = f"{place} is {weight ^ 1} in the image, {weight} in the model"
    assert report.first.causes == (wrong,) and wrong in report.summary()
    assert report.first.operands["value"] == report.first.values["device"]


def test_one_weight_bit_of_the_output(residual):
    network, images, image = residual

    def flip(weights):
        weights[40] ^= 1

    report = caught(network, edited(image, "head.out", "weights", flip), images, "head.out", ("accumulator",))
    assert report.first.time_step is None


def test_one_weight_bit_of_v1(chain):
    network, images, image = chain
    layer = image.plan["layers"][1]["name"]

    def flip(weights):
        weights[5] ^= 1

    report = caught(network, edited(image, layer, "weights", flip), images, "l2")
    (cause,) = report.first.causes
    assert cause.startswith("weight of input 0, tap (0, 0) is ")  # byte 5: output 5
    assert report.first.channel == 5


@pytest.mark.parametrize("layer", ["e1.c2", "e2.c2", "m.c1"])
def test_swapped_tiles(residual, layer):
    network, images, image = residual

    def swap(weights):
        tile = 9 * 16 * 16
        weights[: 2 * tile] = np.concatenate([weights[tile : 2 * tile], weights[:tile]])

    caught(network, edited(image, layer, "weights", swap), images, layer)


@pytest.mark.parametrize("name", ["e1.l1", "e1.l2", "e2.l3", "m.l2", "head.lif"])
@pytest.mark.parametrize("step", [-30, 30])
def test_wrong_threshold(residual, name, step):
    network, images, _ = residual
    threshold = network.node(name).arrays["threshold"] + step
    report = caught(
        network,
        deploy.export(changed(network, name, threshold=threshold)),
        images,
        name,
        ("spikes", "membrane"),
    )
    channel = report.first.channel
    wrong = f"threshold is {threshold[channel]} in the image, {threshold[channel] - step} in the model"
    assert report.first.causes == (wrong,)
    charged = report.first.operands["neuron"]["charged"]
    low, high = sorted((threshold[channel], threshold[channel] - step))
    assert low < charged <= high


def test_threshold_of_one_channel(residual):
    network, images, _ = residual
    threshold = network.node("m.l1").arrays["threshold"].copy()
    threshold[37] += 100
    report = caught(network, deploy.export(changed(network, "m.l1", threshold=threshold)), images, "m.l1")
    assert report.first.channel == 37
    assert report.first.tile == 2
    assert report.first.causes[0].startswith("threshold is ")


def test_wrong_threshold_of_v1(chain):
    network, images, _ = chain
    threshold = network.node("l2").arrays["threshold"] + 25
    caught(network, deploy.export(changed(network, "l2", threshold=threshold)), images, "l2")


@pytest.mark.parametrize("layer", ["e1.c1", "e1.short", "m.c2"])
def test_bias_added_twice(residual, layer):
    network, images, _ = residual
    bias = (2 * network.node(layer).arrays["bias"]).astype(np.int16)
    caught(network, deploy.export(changed(network, layer, bias=bias)), images, layer)


def test_bias_of_one_channel_in_the_file(residual):
    network, images, image = residual

    def increase(bias):
        bias[2 * 21] ^= 1  # little-endian int16 of channel 21

    first = caught(network, edited(image, "m.c1", "bias", increase), images, "m.c1").first
    assert first.channel == 21
    bias = int(network.node("m.c1").arrays["bias"][21])
    assert first.causes == (f"bias is {bias ^ 1} in the image, {bias} in the model",)


def test_output_bias_added_once_too_often(residual, monkeypatch):
    network, images, image = residual

    def wrong(trace, node, inputs):
        result = integer._output(trace, node, inputs)
        trace.accumulators[node.name] = result + node.arrays["bias"].astype(np.int32)[:, None, None]
        return trace.accumulators[node.name]

    monkeypatch.setitem(integer._OPS, "output", wrong)
    caught(network, image, images, "head.out", ("accumulator",))


@pytest.mark.parametrize("name", ["e1.l2", "e2.l1", "head.lif"])
def test_neuron_one_step_late(residual, monkeypatch, name):
    network, images, image = residual

    def late(trace, node, inputs):
        current = inputs[0]
        if node.name == name:
            current = np.concatenate([np.zeros_like(current[:1]), current[:-1]])
        return integer._lif(trace, node, [current])

    monkeypatch.setitem(integer._OPS, "lif", late)
    first = caught(network, image, images, name, ("spikes", "membrane")).first
    assert first.causes == (
        f"reference against the image's operands, which give {int(first.values['device'])}",
    )


def test_frames_one_step_late(monkeypatch):
    network, frames = integer_networks.residual_network(32, steps=4)
    image = deploy.export(network)
    honest = verification._device

    def late(*arguments):
        run = honest(*arguments)
        return lambda batch: run(np.roll(batch, 1, axis=0))

    monkeypatch.setattr(verification, "_device", late)
    report = caught(network, image, frames, "stem", ("stream",))
    assert report.first.time_step == 0


def test_reset_forgotten(residual, monkeypatch):
    network, images, image = residual

    def persistent(trace, node, inputs):
        spikes = integer._lif(trace, node, inputs)
        trace.membranes[node.name] = trace.membranes[node.name] + (spikes & (node.name == "m.l1"))
        return spikes

    monkeypatch.setitem(integer._OPS, "lif", persistent)
    caught(network, image, images, "m.l1", ("membrane",))


def test_clamp_counter(residual, monkeypatch):
    network, images, image = residual

    def miscounted(trace, node, inputs):
        x = integer._conv(trace, node, inputs)
        trace.clamped[node.name] += node.name == "m.c1"
        return x

    monkeypatch.setitem(integer._OPS, "conv", miscounted)
    report = deploy.verify(network, image, images)
    assert not report.ok
    assert report.first.quantity == "clamped"
    assert report.first.values == {"reference": 1, "device": 0}


def test_wrong_output_step(residual):
    network, images, _ = residual
    step = network.node("head.out").arrays["step"].copy()
    step[3] = np.nextafter(step[3], 1)
    report = caught(
        network, deploy.export(changed(network, "head.out", step=step)), images, "head.out", ("readout",)
    )
    assert report.first.channel == 3


def test_stem_weight_on_the_host(residual):
    network, images, image = residual
    name = next(key for key in image.tensors if key.startswith("host.") and key.endswith("weight"))
    tensor = image.tensors[name].copy()
    tensor[10] ^= 1
    changed_image = firefly.Image(image.plan, {**image.tensors, name: tensor})
    (cause,) = caught(network, changed_image, images, "stem").first.causes
    assert cause.startswith("weight of input 1, tap (0, 1) is ")


def test_registers_that_disagree_with_the_plan_are_refused(residual):
    network, images, image = residual
    for offset in (0xA8, 0xB0, 0xA4, 0x90):  # Theta, stride per t, T - 1, operation
        registers = image.tensors["layer.000.registers"].copy()
        pairs = registers.reshape(-1, 2)
        pairs[pairs[:, 0] & 0xFFFF == offset, 1] ^= 64
        tampered = firefly.Image(image.plan, {**image.tensors, "layer.000.registers": registers})
        with pytest.raises(ValueError, match="weight image"):
            deploy.verify(network, firefly.Image.from_bytes(tampered.to_bytes()), images)


def test_missing_values_are_a_failure(residual, monkeypatch):
    network, images, image = residual
    honest = verification.from_device

    def forgetful(results):
        seen = honest(results)
        del seen.arrays["m.l1", "membrane"]
        return seen

    monkeypatch.setattr(verification, "from_device", forgetful)
    report = deploy.verify(network, image, images)
    assert report.differences == 0
    assert not report.ok
    assert report.missing == ["device: m.l1 membrane"]

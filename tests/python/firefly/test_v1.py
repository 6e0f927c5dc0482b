"""Random v1 networks on the device, every value compared with the numpy model."""

from __future__ import annotations

import firefly_model as model
import numpy as np
import pytest

from lampyris import firefly


def run(image, spikes, parallelism=16):
    firefly.check_program(image)
    return firefly.Driver(firefly.Device(parallelism=parallelism, trace=True)).run(image, spikes)


def layer(rng, out, channels, high=20):
    weight = rng.integers(-high, high + 1, (out, channels, 3, 3)).astype(np.int8)
    return weight, rng.integers(-300, 301, out).astype(np.int16)


@pytest.mark.parametrize("leak", ["none", "half_after", "leak_every_pass"])
@pytest.mark.parametrize("parallelism", [16, 32])
def test_chain_with_pooling(leak, parallelism):
    rng = np.random.default_rng(parallelism)
    spikes = rng.random((4, 40, 8, 12)) < 0.3
    w1, b1 = layer(rng, 48, 40)
    w2, b2 = layer(rng, 20, 48)
    layers = [firefly.conv(w1, b1, 150, pool=True, leak=leak), firefly.conv(w2, b2, 90, leak=leak)]
    image = firefly.build(layers, spikes.shape, parallelism, names=["a", "b"])
    result = run(image, spikes, parallelism)
    s1, v1 = model.v1_layer(spikes, w1, b1, 150, parallelism, leak)
    pooled = model.pool(s1)
    s2, v2 = model.v1_layer(pooled, w2, b2, 90, parallelism, leak)
    assert np.array_equal(result.spikes["a.fire"], s1)
    assert np.array_equal(result.spikes[0], pooled)
    assert np.array_equal(result.spikes["b"], s2)
    assert np.array_equal(result.membrane[0], v1)
    assert np.array_equal(result.membranes["b"], v2)
    assert 0.02 < s1.mean() < 0.98


def test_one_input_tile_makes_both_leaks_equal():
    rng = np.random.default_rng(1)
    spikes = rng.random((4, 16, 6, 6)) < 0.4
    w, b = layer(rng, 16, 16)
    a, c = (
        run(firefly.build([firefly.conv(w, b, 100, leak=leak)], spikes.shape), spikes)
        for leak in ("half_after", "leak_every_pass")
    )
    assert np.array_equal(a.spikes[0], c.spikes[0])


def test_classifier_with_ties_and_padded_classes():
    rng = np.random.default_rng(6)
    spikes = rng.random((4, 24, 4, 6)) < 0.3
    w, b = layer(rng, 24, 24)
    w3 = rng.integers(-20, 21, (10, 24 * 4 * 6)).astype(np.int8)
    w3[7] = w3[2]
    b3 = rng.integers(-50, 51, 10).astype(np.int16)
    b3[[2, 7]] = 3000
    last = firefly.linear(w3, b3, winner_takes_all=True)
    image = firefly.build([firefly.conv(w, b, 120), last], spikes.shape)
    result = run(image, spikes)
    s1, _ = model.v1_layer(spikes, w, b, 120, 16)
    sums = s1.reshape(4, -1).astype(np.int64) @ w3.T.astype(np.int64) + b3
    logits = np.cumsum(sums, 0)
    expected = logits == np.maximum(logits.max(1, keepdims=True), -8192 * 4)
    assert np.array_equal(result.spikes[1][:, :, 0, 0], expected)
    assert expected[-1, [2, 7]].all()
    assert result.classes == 2


@pytest.mark.parametrize("parallelism", [16, 32])
def test_linear_chain(parallelism):
    rng = np.random.default_rng(9)
    spikes = rng.random((3, 20, 6, 4)) < 0.4
    w1, b1 = layer(rng, 24, 20)
    sizes = [(40, 24 * 6 * 4), (70, 40), (12, 70)]
    dense = [rng.integers(-40, 41, size).astype(np.int8) for size in sizes]
    layers = [firefly.conv(w1, b1, 100)]
    layers += [firefly.linear(w, np.zeros(len(w), np.int16), 60) for w in dense]
    result = run(firefly.build(layers, spikes.shape, parallelism), spikes, parallelism)
    s, _ = model.v1_layer(spikes, w1, b1, 100, parallelism)
    flat = s.reshape(3, -1)
    for index, w in enumerate(dense, 1):
        sums = flat.astype(np.int64) @ w.T.astype(np.int64)
        flat, v = (x[:, :, 0, 0] for x in model.neurons(sums[:, :, None, None], 60)[:2])
        assert np.array_equal(result.spikes[index][:, :, 0, 0], flat)
        assert np.array_equal(result.membranes[index][:, :, 0, 0], v)
        assert flat.any() and not flat.all()


def test_weight_and_bias_streams_as_dma_sends_them():
    rng = np.random.default_rng(12)
    w, b = layer(rng, 20, 33)
    stored = firefly.build([firefly.conv(w, b, 5)], (1, 33, 4, 4)).layers[0]
    packed = np.frombuffer(stored.weight_stream, np.int8).reshape(2, 3, 3, 3, 16, 16)
    full = np.zeros((32, 48, 3, 3), np.int8)
    full[:20, :33] = w
    expected = full.reshape(2, 16, 3, 16, 3, 3).transpose(0, 2, 4, 5, 3, 1)
    assert np.array_equal(packed, expected)
    assert np.array_equal(np.frombuffer(stored.bias_stream, "<i2")[:20], b)
    registers = dict(stored.registers[:, ::1].tolist())
    assert registers[0x00] == 0 << 16 | 1 << 8 | 2
    assert registers[0x04] == 1 << 12 | 2
    assert registers[0x08] == 5 << 14 | 47
    assert registers[0x0C] == 3 << 16 | 3
    assert registers[0x3C] == packed.size
    assert stored.registers[-3:].tolist() == [[0x48, 0x10000], [0x48, 0x10000], [0x48, 0x101]]


def test_host_stem_and_output():
    rng = np.random.default_rng(10)
    pixels = rng.integers(0, 256, (3, 16, 16)).astype(np.uint8)
    stem = rng.integers(-30, 31, (16, 3, 3, 3)).astype(np.int8)
    bias = rng.integers(-500, 500, 16).astype(np.int32)
    w, b = layer(rng, 20, 16)
    head = rng.integers(-127, 128, (14, 20, 1, 1)).astype(np.int8)
    head_bias = rng.integers(-999, 999, 14).astype(np.int16)
    image = firefly.build(
        [firefly.conv(w, b, 100, pool=True)], (4, 16, 8, 8), names=[{"neuron": "n", "pool": "p"}],
        host_stem={"weight": stem, "bias": bias, "stride": 2, "padding": 1, "shift": 4, "exponent": 8,
                       "input_shape": (3, 16, 16), "input_steps": 1, "threshold": 200, "leak": "none"},
        host_output={"weight": head, "bias": head_bias, "step": np.full(14, 0.5), "name": "head"},
    )  # fmt: skip
    result = run(image, pixels)
    wide = model.conv_sum(pixels[None], stem, 2, 1) + bias.astype(np.int64)[:, None, None]
    x = np.clip(np.floor_divide(wide + 8, 16), -32768, 32767)
    s0, v0, _ = model.neurons(x, 200, "none", 2, 4)
    s1, _ = model.v1_layer(s0, w, b, 100, 16)
    pooled = model.pool(s1)
    total = (model.conv_sum(pooled, head) + head_bias.astype(np.int64)[:, None, None]).sum(0)
    assert np.array_equal(result.streams["stem"], x)
    assert np.array_equal(result.spikes["stem.neuron"], s0)
    assert np.array_equal(result.membranes["stem.neuron"], v0)
    assert np.array_equal(result.spikes["n"], s1)
    assert np.array_equal(result.spikes["p"], pooled)
    assert np.array_equal(result.outputs["head"], total)
    assert np.array_equal(result.readout("head"), total * 0.5 / 4)


def test_all_violations_at_once():
    w = np.full((16, 16, 3, 3), 127, np.int8)
    wide = np.full((32, 32, 3, 3), -128, np.int8)
    big = firefly.conv(w[:, :1], np.zeros(16, np.int16), 10**5)
    with pytest.raises(ValueError, match=r"4 violations") as error:
        firefly.build([big, firefly.conv(w, np.zeros(16, np.int16), 10**5, pool=True)], (4, 1, 90, 63))
    assert "layer0" in str(error.value) and "layer1" in str(error.value)
    with pytest.raises(ValueError, match=r"layer0: sums over 32 input channels must fit 16 bits"):
        firefly.build([firefly.conv(wide, np.zeros(32, np.int16), 5)], (1, 32, 4, 4), parallelism=32)
    with pytest.raises(ValueError, match=r"layer0: membranes must fit 18 bits over T = 8"):
        firefly.build([firefly.conv(-w, np.zeros(16, np.int16), 5)], (8, 16, 4, 4))
    with pytest.raises(ValueError, match=r"fragments must start at multiples of 4"):
        firefly.build([firefly.conv(w // 8, np.zeros(16, np.int16), 5)], (4, 16, 7, 7))
    with pytest.raises(ValueError, match=r"must have at most 16 classes, got 17"):
        linear = firefly.linear(np.zeros((17, 256), np.int8), np.zeros(17, np.int16), winner_takes_all=True)
        firefly.build([linear], (4, 16, 4, 4))

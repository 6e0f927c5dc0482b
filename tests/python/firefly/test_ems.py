"""Random ems programs on the device, every value compared with the numpy model."""

from __future__ import annotations

import firefly_model as model
import numpy as np
import pytest

from lampyris import firefly


def run(program, inputs, parallelism=16):
    image = program.build()
    firefly.check_program(image)
    driver = firefly.Driver(firefly.Device(parallelism=parallelism, trace=True))
    return driver.run(image, inputs)


def weights(rng, out, channels, k, high=127):
    return rng.integers(-high, high + 1, (out, channels, k, k)).astype(np.int8)


def biases(rng, out, high=2000):
    return rng.integers(-high, high + 1, out).astype(np.int16)


LEAKS = [("none", 2), ("half_after", 2), ("before", 1), ("before", 4)]


@pytest.mark.parametrize("leak,k", LEAKS)
@pytest.mark.parametrize("parallelism,channels,out", [(16, 16, 16), (16, 40, 70), (32, 33, 130)])
def test_conv_and_neuron(leak, k, parallelism, channels, out):
    rng = np.random.default_rng(parallelism + channels + k)
    steps, size = 3, (7, 9)
    spikes = rng.random((steps, channels, *size)) < 0.3
    weight, bias = weights(rng, out, channels, 3), biases(rng, out)
    program = firefly.Program(parallelism, steps)
    source = program.input("s", channels=channels, height=7, width=9, steps=steps, kind="spikes")
    neuron = firefly.Neuron("n", threshold=700, leak=leak, k=k)
    program.conv("c", source, weight, bias, neuron=neuron)
    result = run(program, spikes, parallelism)
    x, clamped = model.current(spikes, weight, bias)
    fired, membranes, saturated = model.neurons(x, 700, leak, k)
    assert np.array_equal(result.streams["c"], x)
    assert np.array_equal(result.spikes["n"], fired)
    assert np.array_equal(result.membranes["n"], membranes)
    assert result.clamped["c"] == clamped
    assert result.saturated["n"] == saturated


@pytest.mark.parametrize("kernel,stride,padding", [(1, 1, 0), (1, 2, 0), (3, 2, 1), (3, 1, 0), (3, 2, 0)])
@pytest.mark.parametrize("shift", [0, 1, 2, 3, 4])
def test_windows_and_shifts(kernel, stride, padding, shift):
    rng = np.random.default_rng(kernel * 10 + stride + shift)
    spikes = rng.random((2, 20, 8, 6)) < 0.4
    weight, bias = weights(rng, 24, 20, kernel), biases(rng, 24, 32767)
    program = firefly.Program(16, 2)
    source = program.input("s", channels=20, height=8, width=6, steps=2, kind="spikes")
    program.conv("c", source, weight, bias, stride=stride, padding=padding, shift=shift)
    result = run(program, spikes)
    x, clamped = model.current(spikes, weight, bias, stride, padding, shift)
    assert np.array_equal(result.streams["c"], x)
    assert result.clamped["c"] == clamped
    if kernel == 3 and shift >= 3:
        assert clamped > 0.01 * x.size


def test_membrane_saturates_with_none_only():
    steps = 8
    frame = np.full((1, 16, 2, 2), 32767, np.int16)
    frame[:, 8:] = -32768
    program = firefly.Program(16, steps)
    source = program.input("x", channels=16, height=2, width=2)
    program.neuron("n", source, threshold=131071)
    result = run(program, frame)
    fired, membranes, saturated = model.neurons(frame.astype(np.int64), 131071, "none", 2, steps)
    assert saturated > 0
    assert result.saturated["n"] == saturated
    assert np.array_equal(result.membranes["n"], membranes)
    assert not result.spikes["n"].any() and not fired.any()


def test_threshold_is_strict_and_per_channel():
    rng = np.random.default_rng(5)
    frame = rng.integers(-60, 60, (4, 19, 4, 4)).astype(np.int16)
    theta = np.arange(-9, 10) * 3
    frame[0, np.arange(19), 0, 0] = theta
    program = firefly.Program(16, 4)
    source = program.input("x", channels=19, height=4, width=4, steps=4)
    program.neuron("n", source, threshold=theta, leak="before", k=2)
    result = run(program, frame)
    fired, _, _ = model.neurons(frame.astype(np.int64), theta, "before", 2)
    assert np.array_equal(result.spikes["n"], fired)
    assert not fired[0, :, 0, 0].any()


@pytest.mark.parametrize("parallelism", [16, 32])
def test_residual_block_with_everything(parallelism):
    rng = np.random.default_rng(11)
    steps = 4
    frame = rng.integers(-3000, 3000, (1, 32, 8, 8)).astype(np.int16)
    w1, b1 = weights(rng, 48, 32, 3), biases(rng, 48)
    w2, b2 = rng.integers(-60, 128, (64, 48, 3, 3)).astype(np.int8), biases(rng, 64)
    w3, b3 = weights(rng, 32, 32, 1), biases(rng, 32)
    w4, b4 = weights(rng, 14, 64, 1), biases(rng, 14)
    program = firefly.Program(parallelism, steps)
    x = program.input("x", channels=32, height=8, width=8)
    s = program.neuron("lif1", x, threshold=500, leak="before", k=2)
    table = np.arange(48) * 40
    s = program.conv("c1", s, w1, b1, stride=2, neuron=firefly.Neuron("lif2", table, "before", 2))
    pooled = program.max_pool("pool", x)
    side = program.conv("c3", program.neuron("lif3", pooled, threshold=300, leak="before"), w3, b3)
    short = program.concat("cat", [pooled, side])
    y = program.conv(
        "c2", s, w2, b2, shift=4, residual=short, neuron=firefly.Neuron("lif4", 900, "half_after"),
        store_stream=True,
    )  # fmt: skip
    up = program.upsample("up", y)
    program.output("head", up, w4, b4)
    program.neuron("last", "c2", threshold=131071, leak="none", membrane=True)
    program.host_output("head", np.full(14, 0.25))
    result = run(program, frame, parallelism)

    wide = frame.astype(np.int64)
    s1, v1, _ = model.neurons(wide, 500, "before", 2, steps)
    x1, clamped1 = model.current(s1, w1, b1, stride=2)
    s2, v2, _ = model.neurons(x1, table, "before", 2)
    pooled = model.pool(wide)
    s3, _, _ = model.neurons(pooled, 300, "before", 2, steps)
    x3, _ = model.current(s3, w3, b3)
    joined = np.concatenate([np.broadcast_to(pooled, (steps, *pooled.shape[1:])), x3], 1)
    x2, clamped2 = model.current(s2, w2, b2, shift=4, residual=joined)
    s4, v4, _ = model.neurons(x2, 900, "half_after")
    up = model.upsample(s4)
    head = (model.conv_sum(up, w4) + b4.astype(np.int64)[:, None, None]).sum(0)
    _, last, saturated = model.neurons(x2, 131071, "none")
    for key, value in {"c1": x1, "c3": x3, "cat": joined, "c2": x2, "pool": pooled}.items():
        assert np.array_equal(result.streams[key], value), key
    for key, value in {"lif1": s1, "lif2": s2, "lif3": s3, "lif4": s4, "up": up}.items():
        assert np.array_equal(result.spikes[key], value), key
    for key, value in {"lif1": v1, "lif2": v2, "lif4": v4}.items():
        assert np.array_equal(result.membranes[key], value), key
    assert result.clamped["c1"] == clamped1
    assert result.clamped["c2"] == clamped2 > 0
    assert np.array_equal(result.outputs["head"], head)
    assert np.array_equal(result.readout("head"), head * 0.25 / steps)
    assert np.array_equal(result.outputs["last"], last[-1])
    assert result.saturated["last"] == saturated


def test_concatenation_shares_and_copies():
    rng = np.random.default_rng(3)
    frame = rng.integers(-400, 400, (2, 16, 4, 4)).astype(np.int16)
    program = firefly.Program(16, 2)
    x = program.input("x", channels=16, height=4, width=4, steps=2)
    a = program.concat("a", [x, x])
    b = program.concat("b", [a, x])
    s = program.neuron("s", b, threshold=0)
    t = program.neuron("t", x, threshold=50)
    c = program.concat("c", [s, t])
    program.conv("y", c, weights(rng, 8, 64, 3), biases(rng, 8))
    result = run(program, frame)
    wide = frame.astype(np.int64)
    expected = np.concatenate([model.neurons(wide, 0)[0]] * 3 + [model.neurons(wide, 50)[0]], 1)
    assert np.array_equal(result.streams["b"], np.concatenate([wide] * 3, 1))
    assert np.array_equal(result.spikes["c"], expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_bands_equal_the_whole(stride):
    rng = np.random.default_rng(8)
    height, width = 70 * stride, 66 * stride  # 4620 output pixels: two bands
    spikes = rng.random((2, 16, height, width)) < 0.2
    weight, bias = weights(rng, 16, 16, 3), biases(rng, 16)
    program = firefly.Program(16, 2)
    s = program.input("s", channels=16, height=height, width=width, steps=2, kind="spikes")
    n = program.conv("c", s, weight, bias, stride=stride, neuron=firefly.Neuron("n", 300, "before"))
    program.max_pool("p", n)
    big = program.upsample("u", "p")
    program.conv("d", big, weight, bias)
    image = program.build()
    assert len(image.plan["layers"][0]["commands"]) == 2
    result = run(program, spikes)
    x, clamped = model.current(spikes, weight, bias, stride)
    fired, membranes, _ = model.neurons(x, 300, "before")
    assert np.array_equal(result.streams["c"], x)
    assert np.array_equal(result.membranes["n"], membranes)
    assert np.array_equal(result.spikes["n"], fired)
    assert result.clamped["c"] == clamped
    assert np.array_equal(result.spikes["p"], model.pool(fired))
    up = model.upsample(model.pool(fired))
    assert np.array_equal(result.streams["d"], model.current(up, weight, bias)[0])


@pytest.mark.parametrize("steps,frames", [(4, 1), (4, 4), (1, 1)])
def test_host_stem(steps, frames):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (frames, 3, 16, 20)).astype(np.uint8)
    weight, bias = weights(rng, 24, 3, 3), rng.integers(-(1 << 20), 1 << 20, 24).astype(np.int32)
    program = firefly.Program(16, steps)
    x = program.input("stem", channels=24, height=8, width=10, steps=frames)
    program.neuron("n", x, threshold=1000)
    program.host_stem(
        "stem", weight, bias, stride=2, padding=1, shift=3, input_shape=(3, 16, 20), input_steps=frames
    )
    result = run(program, pixels[0] if frames == 1 else pixels)
    wide = model.conv_sum(pixels, weight, 2, 1) + bias.astype(np.int64)[:, None, None]
    rounded = np.floor_divide(wide + 4, 8)
    x = np.clip(rounded, -32768, 32767)
    assert np.array_equal(result.streams["stem"], x)
    assert np.array_equal(result.spikes["n"], model.neurons(x, 1000, "none", 2, steps)[0])
    assert result.clamped["stem"] == int((x != rounded).sum()) > 0


def test_arena_reuses_memory():
    rng = np.random.default_rng(4)
    program = firefly.Program(16, 2)
    s = program.input("s", channels=16, height=8, width=8, steps=2, kind="spikes")
    w, b = weights(rng, 16, 16, 3, 9), biases(rng, 16, 9)
    for i in range(12):
        s = program.conv(f"c{i}", s, w, b, neuron=firefly.Neuron(f"n{i}", 10))
    plan = program.build().plan
    block = 2 * 8 * 8 * 2
    assert plan["arena"]["bytes"] <= 3 * block
    spikes = rng.random((2, 16, 8, 8)) < 0.3
    result = run(program, spikes)
    for i in range(12):
        spikes = model.neurons(model.current(spikes, w, b)[0], 10)[0]
        assert np.array_equal(result.spikes[f"n{i}"], spikes)

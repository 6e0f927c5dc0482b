"""The numpy reference of the contract: hand-computed cases, slow loops, counters, errors."""

from __future__ import annotations

import integer_networks
import numpy as np
import pytest

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode
from lampyris.reference import integer
from lampyris.reference.integer_sums import convolution, max_pool, saturate, shift_round, upsample, wrap


def one_pixel(bias, leak, threshold, time_steps, target="ems", k=0, p=8, shift=0):
    """Input -> 1 x 1 stem with weight 1 -> neuron, on one pixel."""
    stem = {"weight": np.ones((1, 1, 1, 1), np.int8), "bias": np.array([bias], np.int32)}
    nodes = [
        IntegerNode("input", "input", (), (1, 1, 1), "image", {}, {"p": p, "steps": time_steps}),
        IntegerNode(
            "stem", "stem", ("input",), (1, 1, 1), "stream", stem, {"k": shift, "stride": 1, "padding": 0}
        ),
        IntegerNode(
            "lif",
            "lif",
            ("stem",),
            (1, 1, 1),
            "spikes",
            {"threshold": np.array([threshold], np.int32)},
            {"leak": leak, "k": k},
        ),
    ]
    return IntegerNetwork(target, time_steps, (), nodes)


def drive(network, pixels):
    return integer.run(network, np.array(pixels, np.uint8).reshape(-1, 1, 1, 1, 1))


@pytest.mark.parametrize(
    ("leak", "k", "spikes", "membranes"),
    [
        # X = pixel - 10 = 5, -3, 9, 4 and Theta = 7.
        ("none", 0, [0, 0, 1, 0], [5, 2, 0, 4]),
        ("half_after", 0, [0, 0, 0, 0], [2, -1, 4, 4]),  # 5>>1, (2-3)>>1, (-1+9)>>1, (4+4)>>1
        ("before", 2, [0, 0, 1, 0], [5, -2, 0, 4]),  # (5>>2)-3, (-2>>2)+9 = 8 > 7
    ],
)
def test_neuron_by_hand(leak, k, spikes, membranes):
    trace = drive(one_pixel(-10, leak, 7, 4, k=k), [15, 7, 19, 14])
    assert trace.spikes["lif"].ravel().astype(int).tolist() == spikes
    assert trace.membranes["lif"].ravel().tolist() == membranes


def test_threshold_is_strict():
    assert not drive(one_pixel(0, "none", 7, 1), [7]).spikes["lif"].any()
    assert drive(one_pixel(0, "none", 7, 1), [8]).spikes["lif"].all()


def test_membrane_saturates_at_18_bits_and_is_counted():
    trace = drive(one_pixel(32767, "none", 131071, 6), [0] * 6)
    assert trace.membranes["lif"].ravel().tolist() == [32767, 65534, 98301, 131068, 131071, 131071]
    assert trace.saturated["lif"] == 2
    assert trace.ranges["lif"]["V"] == (32767, 163838)


def test_membrane_saturates_below():
    trace = drive(one_pixel(-32768, "none", 5, 6), [0] * 6)
    assert trace.membranes["lif"].ravel().tolist() == [-32768, -65536, -98304, -131072, -131072, -131072]
    assert trace.saturated["lif"] == 2


def test_v1_membrane_must_not_wrap():
    with pytest.raises(AssertionError, match="wrapped"):
        drive(one_pixel(32767, "none", 131071, 6, target="v1"), [0] * 6)


def test_stem_rounds_half_up_and_clamps():
    trace = drive(one_pixel(-4, "none", 0, 4, shift=1), [1, 2, 3, 255])  # -3/2, -2/2, -1/2, 251/2
    assert trace.streams["stem"].ravel().tolist() == [-1, -1, 0, 126]
    trace = drive(one_pixel(32700, "none", 0, 2), [67, 68])
    assert trace.streams["stem"].ravel().tolist() == [32767, 32767]
    assert trace.clamped["stem"] == 1


def test_small_functions():
    x = np.array([-5, -4, -3, -1, 0, 1, 3, 5])
    assert shift_round(x, 0) is x
    assert shift_round(x, 1).tolist() == [-2, -2, -1, 0, 0, 1, 2, 3]
    assert shift_round(x, 2).tolist() == [-1, -1, -1, 0, 0, 0, 1, 1]
    clamped, changed = saturate(np.array([-4, -3, 2, 3]), (-3, 2))
    assert clamped.tolist() == [-3, -3, 2, 2]
    assert changed == 2
    assert wrap(np.array([7, 8, -8, -9]), 4).tolist() == [7, -8, -8, 7]
    grid = np.arange(16).reshape(4, 4)
    assert max_pool(grid).tolist() == [[5, 7], [13, 15]]
    assert upsample(np.array([[1, 2]])).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize("shape", [(0, 3, 5, 5), (1, 1, 1, 1), (2, 3, 5, 7), (3, 17, 6, 4), (2, 2, 9, 3)])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1)])
def test_convolution_equals_loops(shape, kernel, stride):
    rng = np.random.default_rng(kernel * 10 + stride)
    x = rng.random(shape) < 0.4
    weight = rng.integers(-127, 128, (4, shape[1], kernel, kernel)).astype(np.int8)
    padding = kernel // 2
    padded = np.pad(x.astype(int), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    out_h, out_w = ((size + 2 * padding - kernel) // stride + 1 for size in shape[2:])
    expected = np.zeros((shape[0], 4, out_h, out_w), int)
    for y in range(out_h):
        for z in range(out_w):
            window = padded[:, None, :, y * stride : y * stride + kernel, z * stride : z * stride + kernel]
            expected[:, :, y, z] = (window * weight[None].astype(int)).sum(axis=(2, 3, 4))
    assert (convolution(x, weight, stride, padding) == expected).all()


def test_convolution_beyond_float32_is_exact():
    x = np.full((1, 700, 3, 3), 255, np.uint8)
    weight = np.full((1, 700, 3, 3), 127, np.int8)
    weight[0, 0, 0, 0] = 126
    assert convolution(x, weight, 1, 0)[0, 0, 0, 0] == 255 * (127 * 6300 - 1)  # odd, above 2^24


def slow_run(network, images):
    """Pure Python integers, one value at a time: {(node, quantity): nested values at [t][b]}."""
    values, result = {}, {}
    for node in network.nodes:
        read = [values[name] for name in node.inputs]
        if node.op == "input":
            values[node.name] = [images.astype(int)] * network.time_steps
            continue
        if node.op in ("stem", "conv", "output"):
            out = [_slow_layer(node, read, t) for t in range(network.time_steps)]
            values[node.name] = [sum(out)] if node.op == "output" else out
        elif node.op == "lif":
            values[node.name], result[node.name, "V"] = _slow_neuron(node, read[0])
        elif node.op == "maxpool":
            values[node.name] = [
                x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max(axis=(3, 5))
                for x in read[0]
            ]
        elif node.op == "concat":
            values[node.name] = [np.concatenate(parts, axis=1) for parts in zip(*read, strict=True)]
        result[node.name, "value"] = values[node.name]
    return result


def _slow_layer(node, read, t):
    x, weight, bias = read[0][t], node.arrays["weight"].astype(int), node.arrays["bias"].astype(int)
    stride, pad, k = node.params["stride"], node.params["padding"], weight.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((x.shape[0], *node.shape), int)
    for b, c, y, z in np.ndindex(*out.shape):
        window = padded[b, :, y * stride : y * stride + k, z * stride : z * stride + k]
        total = int((window * weight[c]).sum())
        if node.op == "stem":
            shift = node.params["k"]
            total = (total + int(bias[c]) + 2 ** (shift - 1)) // 2**shift
        else:
            shortcut = int(read[1][t][b, c, y, z]) if len(read) > 1 else 0
            total = total * 2 ** node.params.get("shift", 0) + int(bias[c]) + shortcut
        out[b, c, y, z] = total if node.op == "output" else min(max(total, -32768), 32767)
    return out


def _slow_neuron(node, x):
    spikes, membranes = [], []
    leak, k, v = node.params["leak"], node.params.get("k", 0), np.zeros_like(x[0])
    for current in x:
        fired, after = np.zeros_like(v), np.zeros_like(v)
        for place in np.ndindex(*v.shape):
            u, add = int(v[place]), int(current[place])
            u = {"none": u + add, "half_after": (u + add) // 2, "before": u // 2**k + add}[leak]
            u = min(max(u, -131072), 131071)
            fired[place] = u > int(node.arrays["threshold"][place[1]])
            after[place] = 0 if fired[place] else u
        v = after
        spikes.append(fired)
        membranes.append(after)
    return spikes, membranes


@pytest.mark.parametrize(("leak", "k"), [("before", 2), ("before", 4), ("half_after", 0), ("none", 0)])
def test_residual_network_equals_pure_python(leak, k):
    network, _ = integer_networks.residual_network(
        3, time_steps=3, leak=leak, k=k, shape=(3, 8, 8), width=4, shift=2
    )
    images = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 8), dtype=np.uint8)
    trace, slow = integer.run(network, images), slow_run(network, images)
    for node in network.nodes[1:]:
        expected = np.stack(slow[node.name, "value"])
        if node.op == "output":
            assert (trace.accumulators[node.name] == expected[0]).all()
        elif node.kind == "spikes":
            assert (trace.spikes[node.name] == expected).all(), node.name
            assert (trace.membranes[node.name] == np.stack(slow[node.name, "V"])).all(), node.name
        else:
            assert (np.broadcast_to(trace.streams[node.name], expected.shape) == expected).all(), node.name


def test_still_stem_is_stored_and_counted_once():
    network, images = integer_networks.residual_network()
    trace = integer.run(network, images)
    assert trace.streams["stem"].shape == (1, 4, 16, 16, 16)
    assert trace.streams["e1.pool"].shape[0] == 1
    assert trace.streams["e1.c1"].shape[0] == 4
    moving, frames = integer_networks.residual_network(steps=4)
    assert integer.run(moving, frames).streams["stem"].shape[0] == 4


def test_stem_clamps_count_once_for_a_still_image():
    network, images = integer_networks.residual_network()
    network.node("stem").params["k"] = 0
    trace = integer.run(network, images)
    assert trace.clamped["stem"] > 0.01 * trace.streams["stem"].size
    assert trace.streams["stem"].max() == 32767


def test_readout_is_accumulator_times_step_over_t():
    network, images = integer_networks.residual_network()
    trace = integer.run(network, images)
    step = network.node("head.out").arrays["step"]
    expected = trace.accumulators["head.out"] * step[None, :, None, None] / 4
    assert (trace.readout("head.out") == expected).all()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 3, 32, 32)), "inputs must be uint8"),
        (
            np.zeros((1, 3, 32, 31), np.uint8),
            r"inputs must have shape \[B, 3, 32, 32\], got \[1, 3, 32, 31\]",
        ),
        (np.zeros((2, 1, 3, 32, 32), np.uint8), "inputs must have shape"),
    ],
)
def test_wrong_inputs_are_refused(inputs, message):
    network, _ = integer_networks.residual_network()
    with pytest.raises(ValueError, match=message):
        integer.run(network, inputs)


def test_unknown_op_is_refused():
    network = one_pixel(0, "none", 0, 1)
    network.nodes.append(IntegerNode("x", "silu", ("lif",), (1, 1, 1), "stream"))
    with pytest.raises(ValueError, match="node x must have an op"):
        drive(network, [0])

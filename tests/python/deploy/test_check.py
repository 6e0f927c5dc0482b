"""The target table: every violation with layer, reason and remedy, and the proofs of v1."""

from __future__ import annotations

from dataclasses import replace

import integer_networks
import numpy as np
import pytest

from lampyris.deploy.bounds import Range, input_sums, membrane_range, stream_range, tile_sums
from lampyris.deploy.check import check_network
from lampyris.deploy.violations import describe


def change(network, name, arrays=None, params=None, **fields):
    """`network` with one node changed."""
    nodes = [
        replace(
            node,
            arrays={**node.arrays, **(arrays or {})},
            params={**node.params, **(params or {})},
            **fields,
        )
        if node.name == name
        else node
        for node in network.nodes
    ]
    return replace(network, nodes=nodes)


def reasons(network, target=None, parallelism=16):
    return [(v.layer, v.reason) for v in check_network(network, target or network.target, parallelism)]


@pytest.fixture(scope="module")
def residual():
    return integer_networks.residual_network()[0]


@pytest.fixture(scope="module")
def chain():
    return integer_networks.chain_network()[0]


def test_networks_that_fit(residual, chain):
    assert reasons(residual) == []
    assert reasons(chain) == []
    assert reasons(integer_networks.neck_network()[0]) == []


def test_unknown_target(residual):
    with pytest.raises(ValueError, match="target must be one of v1, ems, got 'v2'"):
        check_network(residual, "v2")


@pytest.mark.parametrize(
    ("name", "arrays", "params", "reason"),
    [
        ("e1.c1", {}, {"shift": 5}, "left shift must be 0..4, got 5"),
        ("e1.c1", {}, {"stride": 3}, "stride must be 1 or 2, got 3"),
        ("e1.c1", {}, {"padding": 0}, "padding of a 3 x 3 kernel must be 1, got 0"),
        (
            "e1.c1",
            {"weight": np.zeros((32, 16, 7, 7), np.int8)},
            {"padding": 3},
            "kernel must be 1 x 1 or 3 x 3, got 7",
        ),
        ("e1.c1", {"weight": np.zeros((32, 1, 3, 3), np.int8)}, {}, "groups must be 1"),
        (
            "e1.c1",
            {"weight": np.full((32, 16, 3, 3), -128, np.int8)},
            {},
            "weights must be >= -127, got -128",
        ),
        ("e1.c1", {"bias": np.full(32, -32768, np.int16)}, {}, "|bias| must be <= 32767, got 32768"),
        ("e1.l1", {}, {"leak": "soft"}, "leak must be one of none, half_after, before, got soft"),
        ("e1.l1", {}, {"k": 5}, "k of leak before must be 1..4, got 5"),
        ("e1.l1", {"threshold": np.full(16, 131072, np.int32)}, {}, "Theta must fit 18 bits"),
        ("stem", {}, {"k": -1}, "stem shift k must be >= 0, got -1"),
        ("stem", {"bias": np.full(16, 2**24, np.int32)}, {}, "|acc + b32| must stay below 2^24"),
        (
            "head.out",
            {"weight": np.zeros((14, 32, 3, 3), np.int8)},
            {},
            "the output must be a 1 x 1 convolution",
        ),
    ],
)
def test_each_violation_of_ems(residual, name, arrays, params, reason):
    found = check_network(change(residual, name, arrays, params), "ems")
    hits = [v for v in found if v.layer == name and reason in v.reason]
    assert hits, found
    assert hits[0].remedy


def test_structure_violations_of_ems(residual):
    found = reasons(change(residual, "e1.c1", inputs=("stem",)))
    assert ("e1.c1", "a convolution must read spikes, got the stream stem") in found
    found = reasons(change(residual, "m.c2", inputs=("m.l2", "m.l1")))
    assert any("SEW" in reason for _, reason in found)
    found = reasons(change(residual, "m.c2", inputs=("m.l2", "e1.c2")))
    assert any("residual must have shape" in reason for _, reason in found)


def test_parallelism_of_concatenation(residual):
    narrow, _ = integer_networks.residual_network(width=4)
    assert any("multiple of P = 16 channels, got 8" in reason for _, reason in reasons(narrow))
    assert reasons(residual, parallelism=32) == []


def test_odd_sizes():
    builder = integer_networks.Builder(shape=(3, 30, 32))
    stem = builder.stem()
    builder.conv("c", builder.lif("l", stem), 16, stride=2)
    builder.pool("p", stem)
    found = reasons(builder.network)
    assert any(layer == "c" and "even at stride 2, got 15 x 16" in reason for layer, reason in found)
    assert any(layer == "p" and "pooled, got 15 x 16" in reason for layer, reason in found)


def test_accumulation_and_fan_in_limits(residual):
    wide = change(residual, "head.out", {"weight": np.zeros((14, 40000, 1, 1), np.int8)})
    assert any("2^24" in reason for _, reason in reasons(wide))
    wide = change(residual, "m.c1", {"weight": np.zeros((64, 8000, 3, 3), np.int8)})
    assert ("m.c1", "Cin Kh Kw must be <= 65000, got 72000") in reasons(wide)


def test_everything_is_reported_at_once(residual):
    broken = change(change(residual, "e1.c1", params={"shift": 7}), "m.l1", params={"leak": "soft"})
    found = check_network(broken, "ems")
    assert {v.layer for v in found} == {"e1.c1", "m.l1"}
    text = describe("ems", found)
    assert "\n" not in text
    assert "got 2 violations" in text
    assert "e1.c1: left shift" in text
    assert "m.l1: leak" in text


def test_a_residual_network_does_not_fit_v1(residual):
    found = reasons(replace(residual, target="v1"))
    for layer, part in [
        ("e1.c1", "stride must be 1"),
        ("e1.short", "kernel must be 3 x 3"),
        ("e1.short", "left shift must be 0"),
        ("e1.l1", "leak must be one of none, half_after"),
        ("e1.c2", "a residual"),
        ("e1.pool", "v1 pools spikes only"),
        ("stem", "must have one reader"),
        ("e2.concat", "concat does not run on v1"),
    ]:
        assert any(name == layer and part in reason for name, reason in found), (layer, part)


def test_prepared_for_the_other_target(chain):
    assert ("network", "must be prepared for target ems, got v1") in reasons(chain, "ems")


@pytest.mark.parametrize(
    ("name", "arrays", "part"),
    [
        ("l1", {"threshold": np.arange(32, dtype=np.int32)}, "Theta must be the same for all channels"),
        ("c1", {"weight": np.full((32, 16, 3, 3), 127, np.int8)}, None),
    ],
)
def test_v1_layers(chain, name, arrays, part):
    found = reasons(change(chain, name, arrays))
    assert (part is None and found == []) or any(part in reason for _, reason in found)


def test_v1_tile_sum_wraps_at_32_lanes(chain):
    full = change(chain, "c2", {"weight": np.full((40, 32, 3, 3), 127, np.int8)})
    assert reasons(full) == []
    assert any("one input tile must fit 16 bits" in reason for _, reason in reasons(full, parallelism=32))


def test_v1_membrane_bound_grows_with_time(chain):
    negative = change(chain, "c2", {"weight": np.full((40, 32, 3, 3), -127, np.int8)})
    assert any("membrane must fit 18 bits" in reason for _, reason in reasons(negative))
    assert reasons(replace(negative, time_steps=3)) == []
    halved = change(negative, "l2", params={"leak": "half_after"})
    assert reasons(halved) == []


def test_v1_map_limits():
    network, _ = integer_networks.chain_network(shape=(3, 160, 160))
    assert any("H W must be <= 4096, got 80 x 80" in reason for _, reason in reasons(network))
    found = reasons(replace(integer_networks.chain_network()[0], time_steps=300))
    assert ("network", "T must be <= 256, got 300") in found


def test_sum_ranges():
    weight = np.array([[3, -5, 7, -1], [1, 1, 1, 1]], np.int8).reshape(2, 4, 1, 1)
    assert input_sums(weight).low.tolist() == [-6, 0]
    assert input_sums(weight).high.tolist() == [10, 4]
    assert tile_sums(weight, 2).low.tolist() == [-5, 0]
    assert tile_sums(weight, 2).high.tolist() == [7, 2]


def test_membrane_range_by_hand():
    sums, threshold = Range(np.array([-4]), np.array([6])), np.array([10])
    bound = membrane_range(sums, np.array([1]), threshold, "none", 3)
    assert bound.extremes() == (-10, 17)  # low: -3, -6, then -6 - 4; high: 7, 10, then 10 + 6 + 1
    bound = membrane_range(sums, np.array([-1]), threshold, "half_after", 2)
    assert bound.extremes() == (-8, 8)  # (0 - 5) >> 1 = -3, -3 - 4 - 1; high (0 + 5) >> 1 = 2, 2 + 6


def test_membrane_range_holds_for_random_inputs():
    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, (8, 4, 3, 3)).astype(np.int8)
    bias, threshold = rng.integers(-300, 300, 8), np.full(8, 900)
    for leak in ("none", "half_after"):
        bound = membrane_range(input_sums(weight), bias, threshold, leak, 5)
        membrane = np.zeros((2000, 8), int)
        for _ in range(5):
            inputs = rng.random((2000, 36)) < 0.5
            membrane = membrane + inputs @ weight.reshape(8, -1).astype(int).T + bias
            assert (membrane >= bound.low).all()
            assert (membrane <= bound.high).all()
            membrane = membrane >> (leak == "half_after")
            membrane[membrane > threshold] = 0


def test_stream_range_covers_every_pixel():
    weight = np.array([[[[2]], [[-3]]]], np.int8)
    assert stream_range(weight, np.array([5], np.int32), 1).extremes() == (-380, 258)


def test_v1_transfers():
    b = integer_networks.Builder("v1", shape=(3, 6, 10))
    b.output("out", b.lif("l1", b.conv("c1", b.lif("l0", b.stem(), "none"), 16), "none"))
    assert any("must start at multiples of 4 bytes, got 3 x 5" in reason for _, reason in reasons(b.network))
    assert reasons(b.network, parallelism=32) == []

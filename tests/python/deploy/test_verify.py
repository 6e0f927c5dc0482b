"""Reference and device agree on hand-made networks of every kind, also where values clamp and saturate."""

from __future__ import annotations

import json
from dataclasses import replace

import integer_networks
import numpy as np
import pytest
from integer_networks import Builder

from lampyris import deploy
from lampyris.reference import integer


def verified(network, images, parallelism=16):
    image = deploy.export(network, parallelism=parallelism)
    report = deploy.verify(network, image, images)
    assert report.ok, report.summary()
    assert report.values > 0
    return report


@pytest.mark.parametrize(
    ("leak", "k"),
    [("before", 1), ("before", 2), ("before", 3), ("before", 4), ("half_after", 0), ("none", 0)],
)
@pytest.mark.parametrize("steps", [1, 4])
def test_residual_networks(leak, k, steps):
    network, images = integer_networks.residual_network(10 + k, steps, leak=leak, k=k)
    report = verified(network, images)
    rates = [report.rates[node.name] for node in network.nodes if node.op == "lif"]
    assert min(rates) > 0.15
    assert max(rates) < 0.55


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 4])
def test_left_shifts(shift):
    verified(*integer_networks.residual_network(20 + shift, shift=shift))


def test_32_lanes():
    verified(*integer_networks.residual_network(3), parallelism=32)


@pytest.mark.parametrize("time_steps", [1, 2, 7])
def test_time_steps(time_steps):
    verified(*integer_networks.residual_network(4, time_steps=time_steps))


def test_neck_with_a_threshold_per_source():
    report = verified(*integer_networks.neck_network())
    assert report.rates["l2"] > 0.1


@pytest.mark.parametrize("leak", ["none", "half_after"])
@pytest.mark.parametrize("parallelism", [16, 32])
def test_v1_chains(leak, parallelism):
    network, images = integer_networks.chain_network(5, leak)
    report = verified(network, images, parallelism)
    assert report.comparisons[-1].quantity == "readout"


def test_more_than_one_percent_clamps_at_every_sum():
    b = Builder(shape=(3, 32, 32), seed=7)
    x = b.stem(shift=1)
    for i, shift in enumerate((4, 3, 2)):
        y = b.conv(f"c{i}", b.lif(f"l{i}", x, rate=0.4), 16, shift=4, mean=-20, bias=20000)
        x = b.conv(f"r{i}", b.lif(f"m{i}", y, rate=0.4), 16, shift=shift, residual=x, bias=32767, limit=127)
    b.output("out", b.lif("last", x, rate=0.3))
    report = verified(b.network, b.images(4))
    sizes = {c.layer: c.values for c in report.comparisons if c.quantity == "stream"}
    shares = {layer: report.counters[layer]["clamped"] / size for layer, size in sizes.items()}
    assert min(shares.values()) > 0.01, shares


def test_integrate_and_fire_at_the_membrane_limit():
    b = Builder(time_steps=8, seed=8)
    x = b.conv("c0", b.lif("l0", b.stem(shift=3), "none", rate=0.3), 32, shift=4, bias=32767)
    s = b.lif("l1", x, "none", threshold=131071)
    y = b.conv("c1", b.lif("l2", x, "none", threshold=131070), 16, residual=b.conv("c2", s, 16), shift=3)
    b.output("out", b.lif("l3", y, "none"))
    report = verified(b.network, b.images(3))
    assert report.counters["l1"]["saturated"] > 0
    assert report.counters["l2"]["saturated"] > 0
    assert report.ranges["l1"]["V"]["bits"] > 18
    assert report.rates["l1"] == 0
    assert report.rates["l2"] > 0


def test_negative_and_extreme_thresholds():
    b = Builder(seed=9)
    x = b.stem()
    y = b.conv("c0", b.lif("l0", x, threshold=-131072), 16)
    table = np.linspace(-400, 600, 16).astype(np.int32)
    b.output("out", b.lif("l1", b.conv("c1", b.lif("l2", y, threshold=table), 16), threshold=0))
    verified(b.network, b.images(2))


def test_stem_inside_a_group():
    b = Builder(shape=(3, 16, 16), seed=11)
    x = b.stem(group="g")
    y = b.conv("c1", b.lif("l1", b.conv("c0", b.lif("l0", x), 16)), 16, residual=x, shift=1, group="g")
    b.output("out", b.lif("l2", y))
    verified(b.network, b.images(3))


def test_several_readers_of_one_stream():
    b = Builder(shape=(3, 16, 16), seed=12)
    x = b.conv("c0", b.lif("l0", b.stem()), 32)
    a = b.lif("fast", x, "before", 1, threshold=300)
    c = b.lif("slow", x, "none", threshold=900)
    joined = b.concat("joined", a, c)
    y = b.conv("c1", joined, 24, k=1)
    pooled = b.pool("pooled", y)
    z = b.conv("c2", b.lif("l3", b.up("up", pooled)), 24, residual=y)
    b.output("out", b.pool("or", b.lif("l4", z)))
    verified(b.network, b.images(3))


@pytest.mark.parametrize("size", [(2, 2), (4, 6), (10, 4)])
def test_small_and_flat_maps(size):
    b = Builder(shape=(1, 2 * size[0], 2 * size[1]), seed=13)
    x = b.conv("c0", b.lif("l0", b.stem(cout=5)), 7)
    b.output("out", b.lif("l1", b.conv("c1", b.lif("l2", x), 33)), cout=3)
    verified(b.network, b.images(2))


def test_bands_of_a_large_map():
    b = Builder(time_steps=2, shape=(3, 160, 192), seed=14)
    x = b.stem(cout=16)
    y = b.conv("c1", b.lif("l1", b.conv("c0", b.lif("l0", x), 16)), 16, residual=x)
    z = b.conv("c2", b.lif("l2", y), 16, stride=2)
    b.output("out", b.lif("l3", z))
    verified(b.network, b.images(1))


def test_event_counts_without_scale():
    b = Builder(shape=(2, 16, 16), steps=4, p=0, seed=15)
    b.output("out", b.lif("l1", b.conv("c0", b.lif("l0", b.stem()), 16)))
    images = np.minimum(b.images(2), 6)
    verified(b.network, images)


def test_report_as_table_and_json(capsys):
    from rich.console import Console

    network, images = integer_networks.residual_network(16)
    report = verified(network, images)
    Console(width=200).print(report.table())
    assert "e2.c2" in capsys.readouterr().out
    content = json.loads(json.dumps(report.to_json()))
    assert content["ok"]
    assert content["differences"] == 0
    assert content["values"] == sum(
        q["values"] for layer in content["layers"].values() for q in layer.values()
    )
    assert set(content["layers"]["m.c2"]) == {"stream", "clamped"}
    assert set(content["layers"]["m.l2"]) == {"spikes", "membrane", "saturated"}
    assert content["ranges"]["m.c2"]["X"]["width"] == 16
    assert report.implementations == ("reference", "device")


def test_all_values_are_counted():
    network, images = integer_networks.residual_network(17)
    trace = integer.run(network, images)
    arrays = [*trace.streams.values(), *trace.spikes.values(), *trace.membranes.values()]
    heads = 2 * sum(array.size for array in trace.accumulators.values())
    counters = sum(node.op in ("stem", "conv", "lif") for node in network.nodes)
    assert verified(network, images).values == sum(array.size for array in arrays) + heads + counters


def test_wrong_inputs_and_images():
    network, images = integer_networks.residual_network(18)
    image = deploy.export(network)
    with pytest.raises(ValueError, match=r"inputs must have shape \[B, 3, 32, 32\], got"):
        deploy.verify(network, image, images[:, :2])
    with pytest.raises(ValueError, match=r"inputs must have shape"):
        deploy.verify(network, image, images[:0])
    with pytest.raises(ValueError, match="image must have time_steps 3 as the model, got 4"):
        deploy.verify(replace(network, time_steps=3), image, images)


def test_export_refuses_with_every_violation():
    network, _ = integer_networks.residual_network(19)
    network.node("e1.c1").params["shift"] = 9
    network.node("m.l1").params["leak"] = "soft"
    with pytest.raises(ValueError, match=r"got 2 violations: e1\.c1: left shift .* \| m\.l1: leak") as caught:
        deploy.export(network)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="must be prepared for target v1"):
        deploy.export(network, target="v1")


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs(seed):
    network, images = integer_networks.random_network(seed)
    verified(network, images)


@pytest.mark.parametrize("seed", range(20))
def test_random_v1_chains(seed):
    network, images = integer_networks.random_chain(seed)
    verified(network, images)

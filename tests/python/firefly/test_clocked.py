"""The clocked arrays behind the same registers: whole images, bit for bit as the functional path."""

from __future__ import annotations

import numpy as np
import pytest
from test_random_programs import STEPS, RandomGraph

from lampyris import firefly


def same(a: firefly.Result, b: firefly.Result) -> None:
    for kind in ("spikes", "streams", "membranes", "outputs"):
        left, right = getattr(a, kind), getattr(b, kind)
        assert list(left) == list(right)
        for name in left:
            np.testing.assert_array_equal(left[name], right[name], err_msg=f"{kind} {name}")
    assert (a.clamped, a.saturated) == (b.clamped, b.saturated)


def run(image: firefly.Image, inputs: np.ndarray, parallelism: int, datapath: str) -> firefly.Result:
    device = firefly.Device(parallelism, datapath=datapath, trace=True)
    return firefly.Driver(device).run(image, inputs)


@pytest.mark.parametrize("datapath", ["cascade", "tree"])
@pytest.mark.parametrize("parallelism", [16, 32])
def test_released_network(parallelism, datapath):
    rng = np.random.default_rng(parallelism)
    weights = [rng.integers(-60, 61, s).astype(np.int8) for s in ((40, 20, 3, 3), (32, 40, 3, 3), (10, 512))]
    layers = [
        firefly.conv(weights[0], rng.integers(-99, 99, 40).astype(np.int16), 300, pool=True),
        firefly.conv(weights[1], rng.integers(-99, 99, 32).astype(np.int16), 200, leak="half_after"),
        firefly.linear(weights[2], np.zeros(10, np.int16), winner_takes_all=True),
    ]
    image = firefly.build(layers, (3, 20, 8, 8), parallelism)
    spikes = rng.random((3, 20, 8, 8)) < 0.3
    same(run(image, spikes, parallelism, datapath), run(image, spikes, parallelism, "functional"))


@pytest.mark.parametrize("datapath", ["cascade", "tree"])
@pytest.mark.parametrize("seed", range(4))
def test_random_graphs(seed, datapath):
    parallelism = 16 << seed % 2
    graph = RandomGraph(seed, parallelism)
    graph.grow(8)
    image = graph.program.build()
    assert image.plan["time_steps"] == STEPS
    same(run(image, graph.frame, parallelism, datapath), run(image, graph.frame, parallelism, "functional"))

"""Random graphs: every map of every node against the numpy model, which catches overlapping arenas,
wrong lifetimes and misplaced concatenations."""

from __future__ import annotations

import firefly_model as model
import numpy as np
import pytest

from lampyris import firefly

STEPS = 3


class RandomGraph:
    """Grows a program and its expected values side by side."""

    def __init__(self, seed: int, parallelism: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.program = firefly.Program(parallelism, STEPS)
        self.parallelism = parallelism
        self.values: dict[str, np.ndarray] = {}
        self.outputs: dict[str, np.ndarray] = {}
        self.spikes: list[str] = []
        self.streams: list[str] = []
        steps = int(self.rng.choice([1, STEPS]))
        channels = int(self.rng.integers(1, 3)) * parallelism
        self.frame = self.rng.integers(-900, 900, (steps, channels, 8, 8)).astype(np.int16)
        self.program.input("x", channels=channels, height=8, width=8, steps=steps)
        self.put("x", self.frame.astype(np.int64), self.streams)

    def put(self, name: str, value: np.ndarray, kind: list[str]) -> None:
        self.values[name] = value
        kind.append(name)

    def pick(self, kind: list[str], shape: tuple[int, ...] | None = None) -> str | None:
        fits = [n for n in kind if shape is None or self.values[n].shape[1:] == shape]
        return str(self.rng.choice(fits)) if fits else None

    def neuron(self, name: str) -> None:
        source = self.pick(self.streams)
        leak, k = [("none", 2), ("half_after", 2), ("before", 1), ("before", 3)][self.rng.integers(4)]
        channels = self.values[source].shape[1]
        theta = self.rng.integers(-200, 900, channels) if self.rng.random() < 0.4 else int(
            self.rng.integers(0, 600)
        )  # fmt: skip
        self.program.neuron(name, source, threshold=theta, leak=leak, k=k)
        fired, _, _ = model.neurons(self.values[source], theta, leak, k, STEPS)
        self.put(name, fired, self.spikes)

    def conv(self, name: str) -> None:
        source = self.pick(self.spikes)
        spikes = self.values[source]
        kernel = int(self.rng.choice([1, 3]))
        stride = 2 if spikes.shape[2] >= 8 and spikes.shape[2] % 2 == 0 and self.rng.random() < 0.3 else 1
        out = int(self.rng.integers(1, 3)) * self.parallelism
        weight = self.rng.integers(-127, 128, (out, spikes.shape[1], kernel, kernel)).astype(np.int8)
        bias = self.rng.integers(-300, 301, out).astype(np.int16)
        shift = int(self.rng.integers(0, 5))
        height = (spikes.shape[2] + stride - 1) // stride
        residual = self.pick(self.streams, (out, height, height)) if self.rng.random() < 0.6 else None
        wide = None if residual is None else self.values[residual]
        x, _ = model.current(spikes, weight, bias, stride, kernel // 2, shift, wide)
        fused = self.rng.random() < 0.5
        neuron = firefly.Neuron(f"{name}.n", 400, "before", 2) if fused else None
        store = bool(self.rng.random() < 0.5)
        self.program.conv(
            name, source, weight, bias, stride=stride, shift=shift, residual=residual, neuron=neuron,
            store_stream=store,
        )  # fmt: skip
        if not fused or store:
            self.put(name, x, self.streams)
        if fused:
            self.put(f"{name}.n", model.neurons(x, 400, "before", 2)[0], self.spikes)

    def resize(self, name: str) -> None:
        kind = self.spikes if self.spikes and self.rng.random() < 0.5 else self.streams
        source = self.pick(kind)
        value = self.values[source]
        if value.shape[2] > 4:
            self.program.max_pool(name, source)
            self.put(name, model.pool(value), kind)
        else:
            self.program.upsample(name, source)
            self.put(name, model.upsample(value), kind)

    def concat(self, name: str) -> None:
        kind = self.spikes if self.spikes and self.rng.random() < 0.5 else self.streams
        size = self.values[self.pick(kind)].shape[2:]
        fits = [n for n in kind if self.values[n].shape[2:] == size and self.values[n].shape[1] <= 64]
        if not fits:
            return
        parts = [str(n) for n in self.rng.choice(fits, size=int(self.rng.integers(2, 4)))]
        steps = max(len(self.values[n]) for n in parts)
        whole = [np.broadcast_to(self.values[n], (steps, *self.values[n].shape[1:])) for n in parts]
        self.program.concat(name, parts)
        self.put(name, np.concatenate(whole, 1), kind)

    def output(self, name: str) -> None:
        spikes = self.values[source := self.pick(self.spikes)]
        weight = self.rng.integers(-127, 128, (5, spikes.shape[1], 1, 1)).astype(np.int8)
        bias = self.rng.integers(-300, 301, 5).astype(np.int16)
        self.program.output(name, source, weight, bias)
        self.outputs[name] = (model.conv_sum(spikes, weight) + bias.astype(np.int64)[:, None, None]).sum(0)

    def grow(self, nodes: int) -> None:
        self.neuron("first")
        kinds = [self.neuron, self.conv, self.conv, self.resize, self.concat]
        for index in range(nodes):
            kinds[self.rng.integers(len(kinds))](f"node{index}")
        self.output("out")


@pytest.mark.parametrize("seed", range(24))
def test_random_graph(seed):
    parallelism = 16 if seed % 3 else 32
    graph = RandomGraph(seed, parallelism)
    graph.grow(14)
    image = graph.program.build()
    firefly.check_program(image)
    result = firefly.Driver(firefly.Device(parallelism)).run(image, graph.frame)
    for name, value in graph.values.items():
        stored = result.spikes if name in graph.spikes else result.streams
        assert np.array_equal(stored[name], value), name
    for name, value in graph.outputs.items():
        assert np.array_equal(result.outputs[name], value), name
    only = firefly.Driver(firefly.Device(parallelism), keep="results").run(image, graph.frame)
    for maps in (only.spikes, only.streams):
        for name in maps:
            assert np.array_equal(maps[name], graph.values[name]), name

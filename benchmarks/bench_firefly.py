"""Functional FireFly device, frames on one thread. Run: python benchmarks/bench_firefly.py [--json FILE]."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from lampyris import firefly

ROUNDS = 30
TIME_STEPS = 4


class Network:
    """Residual blocks of random weights behind a stem: the shape of the tiny EMS-YOLO."""

    def __init__(self, size: int, widths: list[int]) -> None:
        self.rng = np.random.default_rng(0)
        self.macs = 0
        self.program = firefly.Program(16, TIME_STEPS)
        self.side, channels = size // 2, widths[0]
        x = self.program.input("stem", channels=channels, height=self.side, width=self.side)
        stem = self.weight(channels, 3, 3)
        self.program.host_stem(
            "stem",
            stem,
            np.zeros(channels, np.int32),
            stride=2,
            padding=1,
            shift=5,
            input_shape=(3, size, size),
        )
        for index, out in enumerate(widths):
            x = self.block(f"block{index}", x, channels, out, stride=2 if index % 2 else 1)
            channels = out
        s = self.program.neuron("head.lif", x, threshold=300, leak="before")
        self.program.output("head", s, self.weight(14, channels, 1), np.zeros(14, np.int16))
        self.image = self.program.build()

    def weight(self, out: int, channels: int, kernel: int) -> np.ndarray:
        return self.rng.normal(0, 25, (out, channels, kernel, kernel)).clip(-127, 127).astype(np.int8)

    def conv(self, name: str, source: str, out: int, channels: int, kernel: int, **options) -> str:
        self.macs += out * channels * kernel**2 * self.side**2
        bias = self.rng.integers(-50, 50, out).astype(np.int16)
        return self.program.conv(name, source, self.weight(out, channels, kernel), bias, **options)

    def block(self, name: str, x: str, channels: int, out: int, stride: int) -> str:
        s = self.program.neuron(f"{name}.lif1", x, threshold=300, leak="before")
        shortcut = self.program.max_pool(f"{name}.pool", x) if stride == 2 else x
        self.side //= stride
        neuron = firefly.Neuron(f"{name}.lif2", 350, "before")
        s = self.conv(f"{name}.conv1", s, out, channels, 3, stride=stride, neuron=neuron)
        if out != channels:
            side = self.program.neuron(f"{name}.lif3", shortcut, threshold=300, leak="before")
            shortcut = self.conv(f"{name}.conv3", side, out, channels, 1)
        return self.conv(f"{name}.conv2", s, out, out, 3, residual=shortcut)


def measure(name: str, size: int, widths: list[int]) -> dict[str, object]:
    """One row: milliseconds a frame (median, least), dense rate, spike rate."""
    network = Network(size, widths)
    driver = firefly.Driver(firefly.Device(parallelism=16))
    frame = network.rng.integers(0, 256, (3, size, size)).astype(np.uint8)
    result = driver.run(network.image, frame)
    rate = float(np.mean([spikes.mean() for spikes in result.spikes.values()]))
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        driver.run(network.image, frame)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    return {
        "case": name,
        "mega_mac_a_step": network.macs / 1e6,
        "spike_rate": rate,
        "milliseconds": 1e3 * median,
        "least": 1e3 * min(seconds),
        "frames_per_second": 1 / median,
        "dense_giga_ops": 2 * TIME_STEPS * network.macs / median / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="keep the table in this file")
    arguments = parser.parse_args()
    cases = [("tiny, 80 x 80", 80, [16, 32, 32, 64, 64]), ("wide, 160 x 160", 160, [32, 64, 64, 128, 128])]
    rows = [measure(*case) for case in cases]
    print(f"{'case':18}{'M MAC/step':>12}{'rate':>8}{'ms':>9}{'least':>9}{'frames/s':>10}{'dense GOP/s':>13}")
    for row in rows:
        print(
            f"{row['case']:18}{row['mega_mac_a_step']:12.1f}{row['spike_rate']:8.3f}{row['milliseconds']:9.2f}"
            f"{row['least']:9.2f}{row['frames_per_second']:10.1f}{row['dense_giga_ops']:13.1f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

"""Clocked FireFly arrays: synaptic operations a second of the whole clocked model (feed, array, neurons,
output), and the same array as emitted Verilog in Icarus Verilog.
Run: python benchmarks/firefly/bench_arrays.py [--json FILE]."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from lampyris import firefly

ROUNDS = 5
SIMULATED_STEPS = 2
TARGET_RATE, TARGET_RATIO = 1.5, 20


def model(parallelism: int, datapath: str) -> dict[str, object]:
    """A layer of 32 x 32 pixels, T = 4, 4 x 4 channel tiles: process time of one thread, best round."""
    rng, channels, side, steps = np.random.default_rng(0), 4 * parallelism, 32, 4
    weight = rng.integers(-20, 21, (channels, channels, 3, 3)).astype(np.int8)
    layer = firefly.conv(weight, rng.integers(-99, 100, channels).astype(np.int16), threshold=200)
    image = firefly.build([layer], (steps, channels, side, side), parallelism)
    spikes = rng.random((steps, channels, side, side)) < 0.2
    driver = firefly.Driver(firefly.Device(parallelism, datapath=datapath))
    result, seconds = driver.run(image, spikes), []
    for _ in range(ROUNDS):
        start = time.process_time()
        driver.run(image, spikes)
        seconds.append(time.process_time() - start)
    operations = channels * channels * 9 * side * side * steps
    return {
        "P": parallelism,
        "datapath": datapath,
        "giga_operations": operations / min(seconds) / 1e9,
        "mega_cycles": result.cycles / min(seconds) / 1e6,
    }


def simulator(parallelism: int, datapath: str) -> float:
    """Synaptic operations a second of the whole array in Icarus Verilog, 1e9; start-up taken off."""
    rng = np.random.default_rng(1)
    weight = rng.integers(-20, 21, (parallelism, parallelism, 3, 3)).astype(np.int8)
    bias = np.zeros(parallelism, np.int16)
    spikes = rng.random((SIMULATED_STEPS, parallelism, 8, 8)) < 0.2
    vectors = firefly.column_vectors(weight, bias, spikes, 200, parallelism=parallelism, datapath=datapath)
    seconds = []
    for repeat in (1, 3):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            firefly.simulate_column(vectors, folder, lanes=parallelism, repeat=repeat, quiet=True)
            seconds.append(time.perf_counter() - start)
    operations = 2 * int(vectors.valid.sum()) * 9 * parallelism * parallelism
    return operations / (seconds[1] - seconds[0]) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="keep the table in this file")
    arguments = parser.parse_args()
    icarus = shutil.which("iverilog") is not None
    rows = []
    print(
        f"{platform.machine()}, one core; targets: >= {TARGET_RATE} Gop/s, >= {TARGET_RATIO} x Icarus Verilog"
    )
    print(f"{'P':>3}  {'data path':10}{'Gop/s':>8}{'Mcycle/s':>10}{'Icarus Gop/s':>14}{'ratio':>9}")
    for parallelism in (16, 32):
        for datapath in ("cascade", "tree"):
            row = model(parallelism, datapath)
            line = f"{parallelism:3}  {datapath:10}{row['giga_operations']:8.1f}{row['mega_cycles']:10.2f}"
            if icarus:
                row["icarus_giga_operations"] = simulator(parallelism, datapath)
                row["ratio"] = row["giga_operations"] / row["icarus_giga_operations"]
                line += f"{row['icarus_giga_operations']:14.6f}{row['ratio']:9.0f}"
            print(line if icarus else line + "  Icarus Verilog is not installed", flush=True)
            rows.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

"""Functional FireFly device. Run: python benchmarks/firefly/bench_functional.py [--json FILE] [--quick].

Layers: one CONV command, process CPU time on one thread. Frames: the whole driver run, host stem included, by
the clock and in process CPU time. Best of several runs.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lampyris import _native, firefly

os.environ.setdefault("OMP_NUM_THREADS", "1")

TIME_STEPS = 4
START, STATUS = 0xFC, 0x88
SECONDS = 1.0
"""Runs repeat for this long."""


def best(run: Callable[[], object], seconds: float, most: int = 1000) -> tuple[float, float]:
    """Least seconds of process CPU time and of the clock, after one run."""
    run()
    cpu, clock = [], []
    until = time.perf_counter() + seconds
    while not cpu or (time.perf_counter() < until and len(cpu) < most):
        start, used = time.perf_counter(), time.process_time()
        run()
        cpu.append(time.process_time() - used)
        clock.append(time.perf_counter() - start)
    return min(cpu), min(clock)


def layer(
    channels: int, side: int, density: float, outputs: int = 0, leak: str = "before"
) -> dict[str, object]:
    """One 3 x 3 CONV command with neurons on a map of random spikes."""
    outputs = outputs or channels
    rng = np.random.default_rng(0)
    program = firefly.Program(16, TIME_STEPS)
    x = program.input("x", channels=channels, height=side, width=side, steps=TIME_STEPS, kind="spikes")
    weight = rng.normal(0, 25, (outputs, channels, 3, 3)).clip(-127, 127).astype(np.int8)
    threshold = int(1.3 * 25 * np.sqrt(9 * channels * density))
    neuron = firefly.Neuron("s", threshold, leak)
    program.conv("c", x, weight, np.zeros(outputs, np.int16), neuron=neuron)
    device = firefly.Device(parallelism=16)
    spikes = rng.random((TIME_STEPS, channels, side, side)) < density
    result = firefly.Driver(device).run(program.build(), spikes)
    rate = float(result.spikes["s"].mean())

    def run() -> None:  # the registers still hold the command
        device.write32(START, 1)
        device.read32(STATUS)

    cpu, _ = best(run, SECONDS)
    synapses = TIME_STEPS * weight.size * side**2
    return {
        "case": f"{channels} -> {outputs} @ {side}",
        "density": density,
        "out_rate": rate,
        "milliseconds": 1e3 * cpu,
        "giga_synaptic_operations": synapses / cpu / 1e9,
    }


def frame(name: str, net, keep: str, threads: int) -> dict[str, object]:
    """One image through a network."""
    driver = firefly.Driver(firefly.Device(parallelism=16), keep=keep)
    picture = net.frame()
    rates = firefly.Driver(firefly.Device(parallelism=16)).run(net.image, picture).spikes
    rate = float(np.mean([rates[key].mean() for key in rates]))
    _native.set_threads(threads)
    cpu, clock = best(lambda: driver.run(net.image, picture), 3 * SECONDS)
    _native.set_threads(1)
    macs = TIME_STEPS * net.macs
    return {
        "case": name,
        "threads": threads,
        "giga_mac_a_step": net.macs / 1e9,
        "stem_giga_mac": net.stem_macs / 1e9,
        "spike_rate": rate,
        "milliseconds": 1e3 * clock,
        "cpu_milliseconds": 1e3 * cpu,
        "giga_synaptic_operations": macs / cpu / 1e9,
    }


def machine() -> str:
    name = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    return f"{name}, {os.cpu_count()} cores, isa {_native.isa()}, load {os.getloadavg()[0]:.1f}"


def show(title: str, rows: list[dict[str, object]]) -> None:
    print(f"\n{title}\n" + "".join(f"{key:>26}" for key in rows[0]))
    for row in rows:
        print("".join(f"{f'{v:.3f}' if isinstance(v, float) else v:>26}" for v in row.values()))


def main() -> None:
    from networks import ems_res34, tiny

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="keep the tables in this file")
    parser.add_argument("--quick", action="store_true", help="leave out the 640 x 640 frame")
    arguments = parser.parse_args()
    print(machine())
    _native.set_threads(1)
    shapes = [(64, 64), (128, 32), (256, 16), (512, 16)]
    layers = [layer(c, side, density) for c, side in shapes for density in (0.05, 0.1, 0.2, 0.3)]
    show("3 x 3 convolution and neurons, one core (synaptic operation: one weight of one step)", layers)
    frames = [frame("demo, 80 x 80", tiny(), "results", 1), frame("demo, 80 x 80", tiny(), "stored", 1)]
    if not arguments.quick:
        big = ems_res34()
        frames += [frame("EMS-Res34, 640 x 640", big, "results", n) for n in (1, 2)]
    show("frames", frames)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine(), "layers": layers, "frames": frames}, indent=1)
        )


if __name__ == "__main__":
    main()

"""Is training ever waiting for data? One epoch of Gen1-format windows, from events, shards and memory.

    python benchmarks/detection/bench_loader.py [--json FILE] [--samples N] [--steps N]

Windows of 250 ms in 5 steps, 256 x 320, about 167,000 events each (Gen1's mean rate), batches of 8. The step
beside it is one forward and backward of EMS-Res10 lite on the same batch; ``--steps 0`` leaves it out.
Process CPU time on one thread; with a worker wall-clock time, as the loading happens in another process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from bench_events import EVENTS_PER_US, SIZE, STEPS, WINDOW_US, events
from torch.utils.data import DataLoader

from lampyris import data
from lampyris.data.gen1_boxes import write_boxes

BATCH = 8
FRAME = (256, 320)


def recording(folder: Path, samples: int) -> Path:
    """A training split of one recording with a label at the end of each window."""
    (folder / "train").mkdir(parents=True)
    columns = events(int((samples + 1) * WINDOW_US * EVENTS_PER_US))
    data.write_dat(folder / "train" / "a_td.dat", *columns, SIZE)
    times = [WINDOW_US * (k + 1) for k in range(samples)]
    write_boxes(folder / "train" / "a_bbox.npy", times, [(100, 80, 60, 40)] * samples, [0] * samples)
    return folder


def epoch(loader: DataLoader, number: int) -> list[float]:
    """Seconds for each batch: CPU time, or with workers how long a consumer that does nothing waits."""
    clock = time.perf_counter if loader.num_workers else time.process_time
    loader.sampler.set_epoch(number)
    waits, start = [], clock()
    for _ in loader:
        waits.append(clock() - start)
        start = clock()
    return waits


def step_seconds(steps: int) -> float:
    """Median seconds of a forward and backward of EMS-Res10 lite on one batch."""
    from lampyris import models

    model = models.ems_yolo(10, "lite", num_classes=2, in_channels=2, time_steps=STEPS)
    frames = torch.randint(0, 3, (STEPS, BATCH, 2, *FRAME), dtype=torch.uint8).float()
    seconds = []
    for _ in range(steps):
        start = time.process_time()
        output = model(frames)
        maps = output if isinstance(output, tuple) else (output,)
        sum(m.square().mean() for m in maps).backward()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="keep the table in this file")
    parser.add_argument("--samples", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    arguments, _ = parser.parse_known_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = recording(Path(folder) / "set", arguments.samples)
        common = {"time_steps": STEPS, "window_us": WINDOW_US, "image_size": FRAME, "batch_size": BATCH}
        flip = {"horizontal_flip": 0.5, "cache_folder": f"{folder}/cache"}
        augment = data.EventAugment(drop=0.1, jitter_us=500, noise=0.5, zoom=(0.8, 1.25))
        cases = {
            "events, no cache": {"cache": "none"},
            "events, no cache, all augmentation": {"cache": "none", "augment": augment},
            "shards": {"cache": "shards"},
            "shards, zoom": {"cache": "shards", "augment": data.EventAugment(zoom=(0.8, 1.25))},
            "shards, 1 worker": {"cache": "shards", "num_workers": 1},
            "memory": {"cache": "memory"},
        }
        for name, options in cases.items():
            module = data.Gen1Detection(root, **common, **flip, **options)
            start = time.perf_counter()
            module.dataset("train")
            prepared = time.perf_counter() - start
            loader = module.train_dataloader()
            epoch(loader, 0)
            waits = [w for k in range(arguments.epochs) for w in epoch(loader, k + 1)[1:]]
            row = {"from": name, "ms": 1e3 * statistics.median(waits), "prepared_s": prepared}
            row |= {"low": 1e3 * np.quantile(waits, 0.25), "high": 1e3 * np.quantile(waits, 0.75)}
            row["samples_per_s"] = BATCH / statistics.mean(waits)
            rows.append(row)
            print(
                f"{name:<36}{row['ms']:8.2f} ms a batch (quartiles {row['low']:.2f}-{row['high']:.2f}), "
                f"{row['samples_per_s']:7.0f} samples/s, prepared in {prepared:.1f} s",
                flush=True,
            )
        shards = Path(folder) / "cache"
        size = sum(path.stat().st_size for path in shards.rglob("*.safetensors"))
        raw = arguments.samples * STEPS * 2 * FRAME[0] * FRAME[1]
        print(f"shards: {size / arguments.samples / 1e3:.0f} kB a sample, {size / raw:.0%} of the frames")
    if arguments.steps:
        step = step_seconds(arguments.steps)
        worst = max(row["ms"] for row in rows if row["from"] in ("shards", "shards, zoom"))
        print(
            f"EMS-Res10 lite, batch {BATCH}: {step:.2f} s a step; "
            f"loading from shards is {worst / step / 10:.2f} % of it"
        )
        rows.append({"from": "step", "ms": 1e3 * step})
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

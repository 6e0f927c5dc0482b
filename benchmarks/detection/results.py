"""The results page: detectors trained on this machine, their ANN twins, energy, and conversion, with seeds.

``python -m benchmarks.detection.results [--seeds 3] [--quick] [--out docs/results.md] [--json FILE]``
Finished runs are kept in ``--folder`` and not repeated: the command may be interrupted and run again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEPS = (4, 16, 64, 256, 512)
CONVERSION_IMAGES = 100
ENERGY_IMAGES = 100
PAPER_RATIO = 5.83


@dataclass(frozen=True)
class Study:
    """One data set with the recipe of its detector."""

    title: str
    data: Callable[..., Any]
    model: Callable[..., Any]
    epochs: int
    task: dict[str, Any]


def studies(quick: bool) -> dict[str, Study]:
    from functools import partial

    from lampyris import data, models

    small = {"train": 64, "val": 16, "test": 16} if quick else {}
    digits = {"batch_size": 16, "train": 16000, **small}
    return {
        "digits": Study(
            "digits over photographs, 80 x 80, EMS-YOLO `tiny`",
            partial(data.DigitsDetection, **digits),
            partial(models.ems_yolo, num_classes=10, family="tiny", time_steps=4),
            1 if quick else 15,
            {"lr": 0.012, "train_time_steps": 1, "eval_time_steps": 4},
        ),
        "events": Study(
            "order of events, 64 x 64, EMS-YOLO `tiny_events`",
            partial(data.OrderEventsDetection, **small),
            partial(models.ems_yolo, num_classes=2, family="tiny_events", time_steps=4),
            1 if quick else 4,
            {"lr": 0.01, "weight_decay": 0.0, "box_weight": 2.0, "train_time_steps": 4, "eval_time_steps": 4},
        ),
    }


def one_run(study: Study, kind: str, seed: int) -> dict[str, Any]:
    """Train one network and measure it on the test split; kind is "spiking" or "twin"."""
    import torch

    from lampyris import memory, nn, report
    from lampyris.tasks import detection

    memory.reuse_pages()
    torch.manual_seed(seed)
    model, options, data = study.model(), dict(study.task), study.data()
    if kind == "twin":
        steps = data.time_steps  # an ANN sees every step of a sequence by itself
        model = nn.ann_twin(model, steps)
        options |= {"train_time_steps": steps, "eval_time_steps": steps}
    start = time.monotonic()
    detection.train_detector(
        model, data, epochs=study.epochs, seed=seed, validate_every=0, progress=False, **options
    )
    seconds = time.monotonic() - start
    steps = options["eval_time_steps"]
    figures = detection.evaluate(model, data.test_dataloader(), steps)
    counted = report.count_operations(
        model, data.test_dataloader(), time_steps=steps, limit=-(-ENERGY_IMAGES // data.batch_size)
    )
    row = {
        "kind": kind,
        "seed": seed,
        "T": steps,
        "ap": figures["ap"],
        "ap50": figures["ap50"],
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        "rate": counted.firing_rate,
        "ac": counted.ac,
        "mac": counted.mac,
        "mj": counted.millijoule,
        "dense_mj": counted.dense_millijoule,
        "papers_mj": counted.papers_millijoule,
    }
    if kind == "twin" and data.time_steps == 1:
        row["conversion"] = conversion(model, data)
    return row


def conversion(twin: Any, data: Any) -> dict[str, dict[str, float]]:
    """AP of the converted twin at every T, on the first test images; thresholds from training images."""
    from lampyris import nn, report
    from lampyris.tasks import detection

    network = nn.convert_twin(twin, data.train_dataloader(), time_steps=4, limit=16)
    batches = []
    for images, targets in data.test_dataloader():
        for index in range(len(targets)):
            batches.append((images[index : index + 1], targets[index : index + 1]))
    batches = batches[:CONVERSION_IMAGES]
    result = {"twin": detection.evaluate(twin, batches, 1)}
    for steps in STEPS:
        figures = detection.evaluate(network, batches, steps)
        counted = report.count_operations(network, batches, time_steps=steps, limit=4)
        result[str(steps)] = figures | {"mj": counted.millijoule, "rate": counted.firing_rate}
    return {
        name: {key: value for key, value in row.items() if key != "per_class"} for name, row in result.items()
    }


def text(values: list[float], form: str = ".3f") -> str:
    """Mean and, of several, the sample standard deviation."""
    mean = format(statistics.fmean(values), form)
    return f"{mean} ± {format(statistics.stdev(values), form)}" if len(values) > 1 else mean


def page(rows: dict[str, dict[str, list[dict[str, Any]]]], titles: dict[str, str], machine: str) -> str:
    """The page as Markdown."""
    lines = ["# Results", "", f"Made by `python -m benchmarks.detection.results` on {machine}.", ""]
    lines += [
        "Mean and sample standard deviation over seeds, test split, last checkpoint (none chosen on test).",
        "mJ: arithmetic at 45 nm, 0.9 pJ an addition and 4.6 pJ a multiply-accumulate, operand types counted",
        "at run time; the ANN in brackets when zeros are multiplied too, which is what the ratio uses.",
        "",
    ]
    for name, kinds in rows.items():
        lines += [f"## {titles[name]}", ""]
        lines += [
            "| network | T | AP | AP50 | minutes | rate | additions | MACs | mJ | papers' formula, mJ |"
        ]
        lines += ["|---|---|---|---|---|---|---|---|---|---|"]
        for kind, runs in kinds.items():
            get = {key: [run[key] for run in runs] for key in runs[0] if key != "conversion"}
            spent = text(get["mj"], ".4f")
            if kind == "twin":
                spent += f" ({text(get['dense_mj'], '.4f')})"
            label = "EMS-YOLO" if kind == "spiking" else "ANN twin (ReLU)"
            minutes = text([s / 60 for s in get["seconds"]], ".1f")
            rate = "-" if kind == "twin" else text([100 * r for r in get["rate"]], ".1f") + " %"
            formula = "-" if kind == "twin" else text(get["papers_mj"], ".4f")
            counts = [text([v / 1e6 for v in get[key]], ".2f") + " M" for key in ("ac", "mac")]
            cells = [
                label,
                get["T"][0],
                text(get["ap"]),
                text(get["ap50"]),
                minutes,
                rate,
                *counts,
                spent,
                formula,
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        seeds, threads = len(runs), runs[0]["threads"]
        lines += ["", f"Seeds: {seeds}; threads: {threads}."]
        if {"spiking", "twin"} <= kinds.keys():
            ratios = [
                twin["dense_mj"] / spiking["mj"]
                for spiking, twin in zip(kinds["spiking"], kinds["twin"], strict=False)
            ]
            lines += [
                f"Energy of the ANN over the spiking network: {text(ratios, '.2f')} "
                f"(the paper's figure, other networks and data: {PAPER_RATIO})."
            ]
        if "conversion" in kinds.get("twin", [{}])[0]:
            lines += [
                "",
                f"The twin converted (soft reset, thresholds balanced), {CONVERSION_IMAGES} images:",
                "",
            ]
            lines += ["| | AP | AP50 | mJ |", "|---|---|---|---|"]
            tables = [run["conversion"] for run in kinds["twin"]]
            for key in tables[0]:
                label = "ANN twin" if key == "twin" else f"T = {key}"
                cells = [text([t[key][name] for t in tables]) for name in ("ap", "ap50")]
                spent = "" if key == "twin" else text([t[key]["mj"] for t in tables], ".4f")
                lines.append(f"| {label} | {cells[0]} | {cells[1]} | {spent} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", default="digits,events", help="comma-separated")
    parser.add_argument("--kinds", default="spiking,twin", help="comma-separated")
    parser.add_argument("--folder", default="runs/results", help="where finished runs are kept")
    parser.add_argument("--out", metavar="FILE", help="write the page")
    parser.add_argument("--quick", action="store_true", help="one epoch on a few samples")
    arguments = parser.parse_args()

    import torch

    from lampyris.files import atomic_write

    chosen = studies(arguments.quick)
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for seed in range(arguments.seeds):
        for name in arguments.data.split(","):
            for kind in arguments.kinds.split(","):
                path = (
                    Path(arguments.folder) / f"{name}_{kind}_{seed}{'_quick' if arguments.quick else ''}.json"
                )
                if not path.exists():
                    run = one_run(chosen[name], kind, seed)
                    atomic_write(path, json.dumps(run, indent=1) + "\n")
                    print(
                        f"{path.stem}: AP {run['ap']:.3f}, AP50 {run['ap50']:.3f}, {run['seconds']:.0f} s",
                        flush=True,
                    )
                rows.setdefault(name, {}).setdefault(kind, []).append(json.loads(path.read_text()))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    content = page(rows, {name: study.title for name, study in chosen.items()}, machine)
    print(content)
    if arguments.out:
        atomic_write(arguments.out, content)


if __name__ == "__main__":
    main()

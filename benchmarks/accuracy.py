"""The demo's recipe over several seeds: AP, AP50, differences and seconds, with medians.

``python -m benchmarks.accuracy [--target ems|v1] [--data digits|events] [--seeds 3] [--json FILE]``
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", choices=["digits", "events"])
    parser.add_argument("--target", default="ems", choices=["ems", "v1"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()

    import torch

    from lampyris import memory
    from lampyris.cli.demo import run_demo
    from lampyris.cli.pipeline import RECIPES
    from lampyris.files import atomic_write

    memory.reuse_pages()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    runs = []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            recipe = RECIPES[arguments.data, arguments.target]
            run = run_demo(recipe, Path(folder), seed, arguments.images, progress=False)
        runs.append(run.summary.to_json())
    print(f"{recipe.title}, test split, seeds 0..{arguments.seeds - 1}: median (each)")
    print(f"{'network':8} {'AP':>24} {'AP50':>24}")
    for index, stage in enumerate(runs[0]["stages"]):
        columns = []
        for key in ("ap", "ap50"):
            values = [run["stages"][index][key] for run in runs]
            columns.append(f"{statistics.median(values):.3f} ({', '.join(f'{v:.3f}' for v in values)})")
        print(f"{stage['name']:8} {columns[0]:>24} {columns[1]:>24}")
    for run in runs:
        print(*run["proofs"], f"{sum(run['seconds'].values()):.0f} s", sep="\n")
    if arguments.json:
        atomic_write(arguments.json, json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The chain on the published networks: compress, export to `ems`, verify at 320 and 640 pixels.

    python benchmarks/detection/bench_chain.py --sizes 320 640
    python benchmarks/detection/bench_chain.py --networks lite-10 wide-34 --sizes 640

Each row compares every spike, current, membrane and head integer of the training forward, the numpy reference
and the device model, once with calibrated random weights and once with weights scaled until more than 1 % of
the currents clamp. The exit status is 1 if one value differs.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

from random_detectors import NETWORKS, make_exact, make_loud, prove, random_detector

from lampyris import memory

CLAMPED_SHARE = 0.01


def run(key: tuple[str, int, str | None], size: int, loud: bool, time_steps: int) -> dict:
    start = time.perf_counter()
    model, images = random_detector(key, size, time_steps=time_steps)
    make_exact(model, images)
    if loud:
        make_loud(model)
    prepared = time.perf_counter()
    report, clamped = prove(model, images)
    return {
        "network": f"{key[0]}-{key[1]}",
        "size": size,
        "weights": "loud" if loud else "calibrated",
        "values": report.values,
        "differences": report.differences,
        "ok": report.ok and (clamped > CLAMPED_SHARE) == loud,
        "clamped": clamped,
        "rates": (min(report.rates.values()), max(report.rates.values())),
        "compress_seconds": prepared - start,
        "verify_seconds": time.perf_counter() - prepared,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> int:
    names = [f"{family}-{depth}" for family, depth, _ in NETWORKS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=names, choices=names)
    parser.add_argument("--sizes", nargs="+", type=int, default=[320])
    parser.add_argument("--time-steps", type=int, default=4)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    memory.reuse_pages()
    print("network   size weights         values differences clamped   rates       compress  verify    peak")
    rows = []
    for size in arguments.sizes:
        for key in (key for key in NETWORKS if f"{key[0]}-{key[1]}" in arguments.networks):
            for loud in (False, True):
                row = run(key, size, loud, arguments.time_steps)
                rows.append(row)
                print(
                    f"{row['network']:<9} {size:>4} {row['weights']:<10} {row['values']:>11,} "
                    f"{row['differences']:>11} {row['clamped']:>7.2%} "
                    f"{row['rates'][0]:>6.3f}-{row['rates'][1]:.3f} {row['compress_seconds']:>8.1f} s "
                    f"{row['verify_seconds']:>6.1f} s {row['peak_gib']:>4.1f} GiB"
                    + ("" if row["ok"] else "  FAILED"),
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())

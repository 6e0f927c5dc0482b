"""``python -m benchmarks [NAME ...] [--json FILE] [--rounds N] [--threads N]``.

Files with ``cases()`` share one table; files that print their own are run after it.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path


def main() -> int:
    folder = Path(__file__).parent
    files = {p.stem.removeprefix("bench_"): p for p in sorted(folder.rglob("bench_*.py"))}
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(files)}; all when left out")
    parser.add_argument("--json", metavar="FILE", help="keep the figures in FILE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--default-malloc", action="store_true", help="do not keep pages")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in files]
    if unknown:
        print(f"benchmarks: names must be of {', '.join(files)}, got {', '.join(unknown)}", file=sys.stderr)
        return 1

    import torch

    from benchmarks.harness import measure, report

    torch.set_num_threads(arguments.threads)
    cases, scripts = [], []
    for name in arguments.names or files:
        if "def cases(" not in files[name].read_text():
            scripts.append(files[name])
            continue
        spec = importlib.util.spec_from_file_location(f"bench_{name}", files[name])
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases += module.cases()
    if cases:
        print(report(measure(cases, arguments.rounds, not arguments.default_malloc), arguments.json))
    status = 0
    for script in scripts:
        print(f"\n{script.relative_to(folder.parent)}", flush=True)
        status |= subprocess.run([sys.executable, str(script)], cwd=folder.parent).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())

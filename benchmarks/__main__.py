"""``python -m benchmarks [NAME ...] [--json FILE] [--markdown] [--rounds N] [--threads N] [--isa ISA]``.

Files with ``cases()`` share one table; files that print their own are run after it. Cases that ask for
both allocator settings run in two processes of their own: the setting holds for a whole process.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_FOLDER = Path(__file__).parent
# torch's own kernels and oneDNN are lowered with ours, so that the table is that of such a machine.
_CAPS = {
    "base": ("default", "SSE41"),
    "avx2": ("avx2", "AVX2"),
    "avx512": ("avx512", "AVX512_CORE_BF16"),
}


def _arguments(files: dict[str, Path]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(files)}; all when left out")
    parser.add_argument("--json", metavar="FILE", help="keep the figures in FILE")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="above 1: ours on 1 against N threads")
    parser.add_argument("--isa", choices=_CAPS, help="lower the instruction set, torch's included")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name contains TEXT")
    parser.add_argument("--peer", metavar="TEXT", default="", help="cases whose peer contains TEXT")
    parser.add_argument("--default-malloc", action="store_true", help="do not keep pages")
    parser.add_argument("--own-process", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _capped(isa: str) -> dict[str, str]:
    torch_isa, onednn = _CAPS[isa]
    return {"LAMPYRIS_ISA": isa, "ATEN_CPU_CAPABILITY": torch_isa, "ONEDNN_MAX_CPU_ISA": onednn}


def _load(names: list[str], files: dict[str, Path]):
    cases, skipped, scripts = [], [], []
    for name in names:
        if "def cases(" not in files[name].read_text():
            scripts.append(files[name])
            continue
        spec = importlib.util.spec_from_file_location(f"bench_{name}", files[name])
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases += module.cases()
        skipped += module.skipped() if hasattr(module, "skipped") else []
    return cases, skipped, scripts


def _both_allocators(arguments: argparse.Namespace):
    """The cases marked ``fresh_too``, measured by two other processes."""
    from benchmarks.tables import read_json

    results = []
    for setting in (["--default-malloc"], []):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "figures.json")
            options = ["--own-process", "--json", path, "--rounds", str(arguments.rounds)]
            options += [f"--only={arguments.only}", f"--peer={arguments.peer}"]
            command = [sys.executable, "-m", "benchmarks", *arguments.names, *options, *setting]
            subprocess.run(command, cwd=_FOLDER.parent, stdout=subprocess.DEVNULL, check=True)
            results += read_json(path)
    return results


def main() -> int:
    files = {p.stem.removeprefix("bench_"): p for p in sorted(_FOLDER.rglob("bench_*.py"))}
    arguments = _arguments(files)
    unknown = [name for name in arguments.names if name not in files]
    if unknown:
        print(f"benchmarks: names must be of {', '.join(files)}, got {', '.join(unknown)}", file=sys.stderr)
        return 1
    wanted = _capped(arguments.isa) if arguments.isa else {}
    if arguments.threads > 1:
        wanted["OMP_WAIT_POLICY"] = "passive"  # read when the process starts
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.environ.update(wanted)
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]])

    import torch

    from benchmarks.harness import measure
    from benchmarks.scaling import measure_scaling
    from benchmarks.tables import markdown, text, write_json

    torch.set_num_threads(1)
    cases, skipped, scripts = _load(arguments.names or list(files), files)
    cases = [c for c in cases if arguments.only in c.name and arguments.peer in c.peer_name]
    keep_pages = not arguments.default_malloc
    if arguments.threads > 1:
        results = measure_scaling(cases, arguments.threads, arguments.rounds, keep_pages)
    elif arguments.own_process or not keep_pages:
        cases = [c for c in cases if c.fresh_too or not arguments.own_process]
        results = measure(cases, arguments.rounds, keep_pages)
    else:
        results = measure([c for c in cases if not c.fresh_too], arguments.rounds)
        if any(c.fresh_too for c in cases):
            results += _both_allocators(arguments)
    if results:
        print((markdown if arguments.markdown else text)(results))
    for line in skipped:
        print(f"skipped: {line}")
    if arguments.json:
        write_json(arguments.json, results)
    status = 0
    for script in [] if arguments.own_process or arguments.only or arguments.peer else scripts:
        print(f"\n{script.relative_to(_FOLDER.parent)}", flush=True)
        status |= subprocess.run([sys.executable, str(script)], cwd=_FOLDER.parent).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())

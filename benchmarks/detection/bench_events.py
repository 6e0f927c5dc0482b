"""Event files: decoding and binning, in events per second of process CPU time.

    python benchmarks/detection/bench_events.py [--json FILE] [--rounds N] [--events N]

Gen1's sensor and rate: windows of 250 ms in 5 steps on 304 x 240 pixels, 670,000 events per second. Peers do
the same work: NumPy in its fastest form here (``bincount`` of cell numbers; ``np.add.at`` beside it), and
expelliarmus (C, reads Prophesee files; skipped where it is not installed), whose events NumPy then bins.
The files lie in the page cache; a first pass of each warms up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lampyris import _native, data

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "python" / "data"))
import evt_files

SIZE = (240, 304)
EVENTS_PER_US = 0.67
WINDOW_US, STEPS = 250_000, 5


def events(count: int) -> tuple[np.ndarray, ...]:
    """Sorted events whose pixels have very different rates, as a street scene: t, x, y, polarity."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, int(count / EVENTS_PER_US), count))
    rate = rng.pareto(1.2, SIZE[0] * SIZE[1]) + 0.02
    pixel = np.searchsorted(np.cumsum(rate) / rate.sum(), rng.random(count)).clip(max=rate.size - 1)
    return t, pixel % SIZE[1], pixel // SIZE[1], rng.integers(0, 2, count)


def windows(t_last: int) -> range:
    """Ends of the windows, one behind the other."""
    return range(WINDOW_US, t_last, WINDOW_US)


def numpy_decode(path: str) -> tuple[np.ndarray, ...]:
    with open(path, "rb") as file:
        while True:
            place = file.tell()
            if not file.readline().startswith(b"% "):
                break
        records = np.fromfile(path, "<u4", offset=place + 2).reshape(-1, 2)
    word = records[:, 1]
    return records[:, 0], word & 0x3FFF, word >> 14 & 0x3FFF, word >> 28 & 1


def numpy_bin(t, x, y, p, form: str) -> None:
    """Frames uint8 [5, 2, H, W] of every window, from decoded columns."""
    for end in windows(int(t[-1])):
        # Keys of the type of t: others make NumPy convert the whole column for each window.
        first, last = np.searchsorted(t, np.array([end - WINDOW_US, end], t.dtype))
        part = slice(first, last)
        step = (t[part].astype(np.int64) - (end - WINDOW_US)) // (WINDOW_US // STEPS)
        shape = (STEPS, 2, *SIZE)
        if form == "add.at":
            frames = np.zeros(shape, np.int64)
            np.add.at(frames, (step, p[part], y[part], x[part]), 1)
        else:
            cell = ((step * 2 + p[part]) * SIZE[0] + y[part]) * SIZE[1] + x[part]
            frames = np.bincount(cell, minlength=int(np.prod(shape)))
        np.minimum(frames, 255).astype(np.uint8).reshape(shape)


def ours(path: str, name: str) -> None:
    file = data.EventFile(path)
    chosen = data.representation(name)
    for end in windows(int(file.read(len(file) - 1)[0][0])):
        file.frames(end, WINDOW_US, STEPS, SIZE, chosen)


def raw_index(path: str) -> None:
    """Decode all words once (the index)."""
    len(data.EventFile(path))


def measured(call: Callable[[], object], rounds: int) -> list[float]:
    call()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return seconds


def work(folder: Path, count: int) -> list[tuple[str, str, int, Callable[[], object]]]:
    """(what, who, number of events, call)."""
    columns = events(count)
    dat = data.write_dat(folder / "a_td.dat", *columns, SIZE)
    few = min(count, 2_000_000)  # the Python encoders are slow
    raw = {}
    for version in (2, 3):
        raw[version] = folder / f"evt{version}.raw"
        raw[version].write_bytes(evt_files.encode(version, *(c[:few] for c in columns), SIZE))
    names = ("counts", "histogram", "polarity", "voxel", "surface")
    rows = [(f".dat decode + bin, {name}", "lampyris", count, lambda n=name: ours(dat, n)) for name in names]
    for form in ("bincount", "add.at"):
        call = lambda f=form: numpy_bin(*numpy_decode(dat), f)  # noqa: E731
        rows.append((".dat decode + bin, counts", f"numpy {np.__version__} {form}", count, call))
    rows.append((".dat decode to columns", "lampyris", count, lambda: data.EventFile(dat).read()))
    rows.append((".dat decode to columns", f"numpy {np.__version__}", count, lambda: numpy_decode(dat)))
    for version in (2, 3):
        rows.append((f"EVT{version} decode", "lampyris", few, lambda v=version: raw_index(str(raw[v]))))
    try:
        from expelliarmus import Wizard
    except ImportError as error:
        print(f"skipped: expelliarmus ({error})")
        return rows

    def read(encoding: str, path) -> np.ndarray:
        return Wizard(encoding, fpath=str(path)).read()

    def read_and_bin() -> None:
        found = read("dat", dat)
        numpy_bin(found["t"], found["x"], found["y"], found["p"].astype(np.int64), "bincount")

    rows.append((".dat decode + bin, counts", "expelliarmus + numpy bincount", count, read_and_bin))
    rows.append((".dat decode to columns", "expelliarmus", count, lambda: read("dat", dat)))
    for version in (2, 3):
        rows.append((f"EVT{version} decode", "expelliarmus", few, lambda v=version: read(f"evt{v}", raw[v])))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="keep the table in this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=20_000_000)
    arguments, _ = parser.parse_known_args()
    table = []
    print(f"{'work':<34}{'by':<32}{'M events/s':>11}  (slowest-fastest)   instruction set {_native.isa()}")
    with tempfile.TemporaryDirectory() as folder:
        for what, who, count, call in work(Path(folder), arguments.events):
            rates = sorted(count / s / 1e6 for s in measured(call, arguments.rounds))
            row = {"work": what, "by": who, "m_events_per_s": statistics.median(rates), "all": rates}
            table.append(row)
            print(
                f"{what:<34}{who:<32}{row['m_events_per_s']:>11.1f}  ({rates[0]:.1f}-{rates[-1]:.1f})",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()

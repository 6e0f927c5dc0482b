"""One way to measure: interleaved runs, medians with spread, one table (design section 6).

A benchmark file has ``cases() -> list[Case]``. ``python -m benchmarks`` runs all files,
``python -m benchmarks lif pack_spikes`` some; ``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import ctypes
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Case", "Result", "measure", "report"]

_BACK_TO_BACK = 3


@dataclass(frozen=True)
class Case:
    """Ours against a named peer on one input.

    Args:
        name: operator and shape, e.g. "lif 16x262144 f32 fwd+bwd".
        ours: a call without arguments.
        peer: the same work done by the peer.
        peer_name: what the peer is.
        density: share of ones among spikes, or None.
    """

    name: str
    ours: Callable[[], object]
    peer: Callable[[], object]
    peer_name: str
    density: float | None = None


@dataclass(frozen=True)
class Result:
    """Medians in milliseconds of process CPU time; ratio = peer / ours per round with its quartiles."""

    name: str
    ours_ms: float
    peer_name: str
    peer_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    ours_peak_mb: float
    peer_peak_mb: float
    density: float | None
    isa: str
    allocator: str
    threads: int


def _sample(call: Callable[[], object]) -> float:
    """The best of a few runs in a row, in milliseconds of process CPU time."""
    best = float("inf")
    for _ in range(_BACK_TO_BACK):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best * 1e3


def _peak_mb(call: Callable[[], object]) -> float:
    """Growth of the resident peak during one call, in MiB; only meaningful before pages are kept."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        call()
        return max(0, _status("VmHWM") - before) / 1024
    except (OSError, AttributeError):
        return float("nan")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise OSError(field)


def measure(cases: Iterable[Case], rounds: int = 7, keep_pages: bool = True) -> list[Result]:
    """Measure every case: peaks first, then ``rounds`` rounds in which ours and peer take turns."""
    import torch

    from lampyris import _library, memory

    cases = list(cases)
    for case in cases:
        case.ours()
        case.peer()
    peaks = [(_peak_mb(case.ours), _peak_mb(case.peer)) for case in cases]
    if keep_pages:
        memory.reuse_pages()
    results = []
    for case, (ours_peak, peer_peak) in zip(cases, peaks, strict=True):
        ours, peer = [], []
        for k in range(rounds + 1):
            for mine in (True, False) if k % 2 else (False, True):
                (ours if mine else peer).append(_sample(case.ours if mine else case.peer))
        ours, peer = ours[1:], peer[1:]  # the first round warms up
        ratios = sorted(p / max(o, 1e-6) for o, p in zip(ours, peer, strict=True))
        results.append(
            Result(
                case.name,
                statistics.median(ours),
                case.peer_name,
                statistics.median(peer),
                statistics.median(ratios),
                ratios[len(ratios) // 4],
                ratios[-1 - len(ratios) // 4],
                ours_peak,
                peer_peak,
                case.density,
                _library.isa(),
                memory.allocator(),
                torch.get_num_threads(),
            )
        )
    return results


def report(results: list[Result], json_path: str | None = None) -> str:
    """The table as text; with ``json_path`` the figures are written there too."""
    import torch

    head = ["case", "ours ms", "peer ms", "peer", "ratio", "spread", "peak MB", "peer MB", "density"]
    rows = [
        [
            r.name,
            f"{r.ours_ms:.3f}",
            f"{r.peer_ms:.3f}",
            r.peer_name,
            f"{r.ratio:.2f}x",
            f"{r.ratio_low:.2f}-{r.ratio_high:.2f}",
            f"{r.ours_peak_mb:.1f}",
            f"{r.peer_peak_mb:.1f}",
            "-" if r.density is None else f"{r.density:.2f}",
        ]
        for r in results
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    if results:
        r = results[0]
        lines.append(f"isa {r.isa}, allocator {r.allocator}, threads {r.threads}, torch {torch.__version__}")
    if json_path is not None:
        from lampyris.files import atomic_write

        document = {"machine": platform.platform(), "results": [asdict(r) for r in results]}
        atomic_write(json_path, json.dumps(document, indent=2) + "\n")
    return "\n".join(lines)

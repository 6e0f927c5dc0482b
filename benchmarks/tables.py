"""The figures as text, as Markdown for benchmarks/README.md, and as JSON."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness import Result
from benchmarks.scaling import Scaling

__all__ = ["markdown", "read_json", "text", "write_json"]

_HEAD = ["case", "ours ms", "peer", "peer ms", "ratio", "quartiles", "saved B", "peer saved B",
         "peak MB", "peer MB", "density", "isa", "torch isa", "allocator", "threads"]  # fmt: skip
_SCALING_HEAD = ["case", "1 thread ms", "threads", "ms", "scaling", "quartiles", "busiest thread ms",
                 "scaling by it", "isa", "allocator"]  # fmt: skip


def _optional(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _row(r: Result) -> list[str]:
    return [
        r.name,
        f"{r.ours_ms:.3f}",
        r.peer_name,
        f"{r.peer_ms:.3f}",
        f"{r.ratio:.2f}x",
        f"{r.ratio_low:.2f}-{r.ratio_high:.2f}",
        _optional(r.ours_saved, 2),
        _optional(r.peer_saved, 2),
        _optional(r.ours_peak_mb, 1),
        _optional(r.peer_peak_mb, 1),
        _optional(r.density, 2),
        r.isa,
        r.torch_isa,
        r.allocator,
        str(r.threads),
    ]


def _scaling_row(s: Scaling) -> list[str]:
    return [
        s.name,
        f"{s.one_ms:.3f}",
        str(s.threads),
        f"{s.many_ms:.3f}",
        f"{s.ratio:.2f}x",
        f"{s.ratio_low:.2f}-{s.ratio_high:.2f}",
        f"{s.many_busiest_ms:.3f}",
        f"{s.busiest_ratio:.2f}x",
        s.isa,
        s.allocator,
    ]


def _rows(results: list[Result] | list[Scaling]) -> list[list[str]]:
    if results and isinstance(results[0], Scaling):
        return [_SCALING_HEAD, *map(_scaling_row, results)]
    return [_HEAD, *map(_row, results)]


def text(results: list[Result] | list[Scaling]) -> str:
    """Aligned columns."""
    import torch

    rows = _rows(results)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"torch {torch.__version__}"])


def markdown(results: list[Result] | list[Scaling]) -> str:
    """A Markdown table; columns without a single figure are left out."""
    rows = _rows(results)
    used = [i for i in range(len(rows[0])) if any(row[i] != "-" for row in rows[1:])]
    lines = ["| " + " | ".join(row[i] for i in used) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(used), *lines[1:]])


def write_json(path: str, results: list[Result] | list[Scaling]) -> None:
    """Keep the figures with the machine's name."""
    from lampyris.files import atomic_write

    document = {"machine": platform.platform(), "results": [asdict(r) for r in results]}
    atomic_write(path, json.dumps(document, indent=2) + "\n")


def read_json(path: str) -> list[Result]:
    """The figures of another process."""
    return [Result(**r) for r in json.loads(Path(path).read_text())["results"]]

"""Weight images: checksum and load throughput. Run: python benchmarks/bench_io.py [--json FILE]."""

from __future__ import annotations

import argparse
import json
import statistics
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load as safetensors_load

from lampyris import _native
from lampyris.firefly.crc32c import crc32c
from lampyris.firefly.image import Image, read_image

ROUNDS = 9
MEGABYTE = 1 << 20


def example(layers: int, weights: int, preset: str | None = None) -> bytes:
    """An image of `layers` layers with `weights` bytes of weights each, perhaps with check words."""
    rng = np.random.default_rng(0)
    tensors = {}
    for n in range(layers):
        tensors[f"layer.{n:03}.registers"] = np.zeros(64, np.uint32)
        tensors[f"layer.{n:03}.weights"] = rng.integers(0, 256, weights, dtype=np.uint8)
        tensors[f"layer.{n:03}.bias"] = rng.integers(0, 256, 512, dtype=np.uint8)
    return Image({"target": "ems"}, tensors).protect(preset).to_bytes()


def measure(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Seconds of interleaved runs, after one run of each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    ours(), peer()
    for _ in range(ROUNDS):
        for run, column in ((ours, seconds[0]), (peer, seconds[1])):
            start = time.perf_counter()
            run()
            column.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="keep the table in this file")
    arguments = parser.parse_args()
    block = np.random.default_rng(1).integers(0, 256, 16 * MEGABYTE, dtype=np.uint8).tobytes()
    large, small = example(40, 512 * 1024), example(10, 8 * 1024)
    cases = [
        ("crc32c, C++", "zlib.crc32", block, _native.io.crc32c, zlib.crc32),
        ("crc32c, numpy", "zlib.crc32", block, crc32c, zlib.crc32),
        ("read, C++", "safetensors (no checks)", large, _native.io.read_image, safetensors_load),
        ("read, numpy", "safetensors (no checks)", large, read_image, safetensors_load),
        ("read, C++", "safetensors (no checks)", small, _native.io.read_image, safetensors_load),
        ("read, numpy", "safetensors (no checks)", small, read_image, safetensors_load),
    ]
    for preset in ("page", "row", "line", "strong", "bram"):
        guarded = example(40, 512 * 1024, preset)
        peer = f"without check words, +{len(guarded) / len(large) - 1:.1%}"
        for name, read in (("C++", _native.io.read_image), ("numpy", read_image)):
            cases.append((f"{preset}, {name}", peer, guarded, read, lambda _, read=read: read(large)))
    rows = []
    for name, peer_name, data, ours, peer in cases:
        a, b = measure(lambda f=ours, d=data: f(d), lambda f=peer, d=data: f(d))
        row = {
            "case": name,
            "bytes": len(data),
            "ours_ms": 1e3 * statistics.median(a),
            "ours_spread_ms": 1e3 * (max(a) - min(a)),
            "ours_mb_per_s": len(data) / MEGABYTE / statistics.median(a),
            "peer": peer_name,
            "peer_ms": 1e3 * statistics.median(b),
            "peer_spread_ms": 1e3 * (max(b) - min(b)),
            "ratio": statistics.median(b) / statistics.median(a),
        }
        rows.append(row)
        print(
            f"{name:14} {len(data) / MEGABYTE:6.2f} MB  {row['ours_ms']:8.2f} ms (spread"
            f" {row['ours_spread_ms']:.2f}, {row['ours_mb_per_s']:.0f} MB/s)   {peer_name}"
            f" {row['peer_ms']:.2f} ms (spread {row['peer_spread_ms']:.2f})   ratio {row['ratio']:.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

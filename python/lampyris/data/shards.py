"""Cached samples of a source in shards: made once, by several processes and hosts, then read at random."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lampyris.data.detection_set import Source, Target
from lampyris.data.generated import cache_folder
from lampyris.data.shard_file import CACHE_FILE, Shard, write_shard
from lampyris.files import atomic_write

__all__ = ["Estimate", "ShardedSamples", "check_cache"]

FORMAT = 2
SHARD_BYTES = 128 << 20  # of samples before coding
PROBES = 8


@dataclass(frozen=True)
class Estimate:
    """What making the missing shards will take."""

    samples: int
    shards: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        size = f"{self.bytes / 2**30:.1f} GiB" if self.bytes >= 2**30 else f"{self.bytes / 2**20:.1f} MiB"
        duration = f"{self.seconds / 60:.0f} min" if self.seconds >= 120 else f"{self.seconds:.0f} s"
        return f"{self.samples} samples in {self.shards} shards, about {size} and {duration}"


class ShardedSamples:
    """The samples of one source in a folder of shards.

    The folder is named by everything the samples depend on (``source.recipe()``), so a cache is never read
    for other data; a shard is written whole or not at all, so any number of processes and hosts may write.

    Args:
        source: the reader of the samples.
        root: where caches are kept; None: ``cache_folder()``.

    Example:
        >>> import tempfile
        >>> from lampyris import data
        >>> source = data.OrderEventsDetection().source("val")
        >>> cached = ShardedSamples(source, tempfile.mkdtemp())
        >>> cached.write(quiet=True).samples, cached.missing()
        (200, [])
        >>> torch.equal(cached.read(7)[0], source.load(7)[0])
        True
    """

    def __init__(self, source: Source, root: str | os.PathLike | None = None) -> None:
        recipe = json.loads(json.dumps({"format": FORMAT, **source.recipe()}))
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
        self.source = source
        self.folder = Path(root or cache_folder()) / f"samples-{digest}"
        self.per_shard = max(1, SHARD_BYTES // int(np.prod(source.sample_shape)))
        self.shards = math.ceil(len(source) / self.per_shard)
        self._recipe = recipe
        self._open: dict[int, Shard] = {}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_open": {}}

    def path(self, number: int) -> Path:
        """File of shard ``number``."""
        return self.folder / f"{number:05d}-of-{self.shards:05d}.safetensors"

    def missing(self, part: tuple[int, int] = (0, 1)) -> list[int]:
        """Shards not written yet; of those only every n-th from i on for ``part`` = (i, n)."""
        return [number for number in range(part[0], self.shards, part[1]) if not self.path(number).is_file()]

    def estimate(self, missing: list[int], workers: int = 1) -> Estimate:
        """Size and time of the missing shards, from a few samples made now."""
        count = sum(len(self._members(number)) for number in missing)
        if not count:
            return Estimate(0, 0, 0, 0.0)
        chosen = np.unique(np.linspace(0, len(self.source) - 1, min(PROBES, len(self.source))).astype(int))
        probe = self.folder / f".probe.{os.getpid()}"
        started = time.perf_counter()
        try:
            size = write_shard(probe, [self.source.load(int(i)) for i in chosen], self.source.background)
        finally:
            probe.unlink(missing_ok=True)
        seconds = (time.perf_counter() - started) / len(chosen) * count
        return Estimate(count, len(missing), size * count // len(chosen), seconds / max(workers, 1))

    def write(self, part: tuple[int, int] = (0, 1), workers: int = 0, quiet: bool = False) -> Estimate:
        """Make the missing shards of ``part``, with ``workers`` processes (0, 1: in this one).

        Prints what it will take before it starts.

        Raises:
            ValueError: a source file is broken, or the part is not 0 <= i < n.
            OSError: no space, no permission.
        """
        if not 0 <= part[0] < part[1]:
            raise ValueError(f"frame cache: shard must be i/n with 0 <= i < n, got {part[0]}/{part[1]}")
        missing = self.missing(part)
        self.folder.mkdir(parents=True, exist_ok=True)
        description = {"recipe": self._recipe, "shards": self.shards, "samples": len(self.source)}
        description |= {"sample_shape": list(self.source.sample_shape), "background": self.source.background}
        atomic_write(self.folder / CACHE_FILE, json.dumps(description, indent=1) + "\n")
        estimate = self.estimate(missing, workers)
        if missing and not quiet:
            print(f"frame cache {self.folder}: {estimate}", flush=True)
        if workers <= 1:
            for number in missing:
                self.make(number)
            return estimate
        with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(self,)) as pool:
            try:
                for done in as_completed([pool.submit(_make_in_worker, number) for number in missing]):
                    done.result()
            except BrokenProcessPool:
                left = len(self.missing(part))
                raise OSError(
                    f"frame cache: a process was killed (memory?), {left} shards are left"
                ) from None
        return estimate

    def make(self, number: int) -> None:
        """Write one shard."""
        samples = [self.source.load(index) for index in self._members(number)]
        write_shard(self.path(number), samples, self.source.background)

    def _members(self, number: int) -> range:
        return range(number * self.per_shard, min((number + 1) * self.per_shard, len(self.source)))

    def read(self, index: int) -> tuple[torch.Tensor, Target]:
        """Sample and target ``index`` of the source."""
        number, place = divmod(index, self.per_shard)
        shard = self._open.get(number)
        if shard is None:
            shard = Shard(self.path(number), tuple(self.source.sample_shape), self.source.background)
            self._open[number] = shard
        return shard.read(place)


_worker: ShardedSamples | None = None


def _start_worker(samples: ShardedSamples) -> None:
    global _worker
    torch.set_num_threads(1)
    _worker = samples


def _make_in_worker(number: int) -> None:
    assert _worker is not None
    _worker.make(number)


def check_cache(folder: str | os.PathLike, checksums: bool = True) -> tuple[int, list[str]]:
    """Open every shard of a cache folder: number of samples found, and a line for each defect.

    Args:
        folder: a folder ``samples-...`` of ShardedSamples.
        checksums: False: the samples themselves are not read.

    Raises:
        ValueError: the folder's description is broken.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / CACHE_FILE).read_bytes())
        shards, shape = int(about["shards"]), tuple(about["sample_shape"])
        expected, background = int(about["samples"]), int(about["background"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"frame cache: {folder / CACHE_FILE} must describe a cache, got: {error}") from None
    problems, found = [], 0
    for number in range(shards):
        path = folder / f"{number:05d}-of-{shards:05d}.safetensors"
        try:
            shard = Shard(path, shape, background)
            found += shard.samples
            if checksums and not shard.is_whole():
                problems.append(f"{path} must have its checksum, got other data: damaged")
        except FileNotFoundError:
            problems.append(f"{path} must exist, got no such file")
        except ValueError as error:
            problems.append(str(error).removeprefix("frame cache: "))
    if not problems and found != expected:
        problems.append(f"{folder} must hold {expected} samples, got {found}")
    return found, problems

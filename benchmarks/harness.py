"""One way to measure: interleaved runs, medians with spread, one table (design section 6).

A benchmark file has ``cases() -> list[Case]`` and may have ``skipped() -> list[str]``, the cases that
cannot run here and why. ``python -m benchmarks`` runs all files, ``python -m benchmarks lif
pack_spikes`` some. Printing is in benchmarks/tables.py, scaling over threads in benchmarks/scaling.py.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Case", "Result", "measure", "saved_bytes"]

_BACK_TO_BACK = 3
_LONG_SECONDS = 0.2  # a call this long is not repeated within a round


@dataclass(frozen=True)
class Case:
    """Ours against a named peer on one input.

    Args:
        name: operator and shape, e.g. "lif 16x262144 f32 fwd+bwd".
        ours: a call without arguments.
        peer: the same work done by the peer.
        peer_name: what the peer is.
        density: share of ones among spikes, or None.
        neuron_steps: T x neurons of one call; when given, the bytes that autograd saves are measured
            and divided by it.
        held: tensors that the caller keeps anyway, as weights: not counted among the saved bytes.
        fresh_too: measure in processes of its own, with glibc as it comes and with kept pages.
    """

    name: str
    ours: Callable[[], object]
    peer: Callable[[], object]
    peer_name: str
    density: float | None = None
    neuron_steps: int | None = None
    held: tuple = ()
    fresh_too: bool = False


@dataclass(frozen=True)
class Result:
    """Medians in milliseconds of process CPU time; ratio = peer / ours per round with its quartiles.

    ``ours_saved`` and ``peer_saved`` are bytes kept for the backward per neuron-step; ``torch_isa`` is
    what torch's own kernels use.
    """

    name: str
    ours_ms: float
    peer_name: str
    peer_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    ours_peak_mb: float
    peer_peak_mb: float
    ours_saved: float | None
    peer_saved: float | None
    density: float | None
    isa: str
    torch_isa: str
    allocator: str
    threads: int


def _sample(call: Callable[[], object]) -> float:
    """The best of a few runs in a row, in milliseconds of process CPU time."""
    best = float("inf")
    for _ in range(_BACK_TO_BACK):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
        if best > _LONG_SECONDS:
            break
    return best * 1e3


def saved_bytes(call: Callable[[], object], held: tuple = ()) -> int:
    """Bytes of all storages that autograd saves during ``call``, each once, without those of ``held``.

    An input counts when an operator saves it; a view counts with its whole storage.

    Example:
        >>> import torch
        >>> x = torch.ones(4, requires_grad=True)
        >>> saved_bytes(lambda: x.exp()), saved_bytes(lambda: x + 1)
        (16, 0)
    """
    import torch

    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage  # held, so that no other storage gets its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call()
    for tensor in held:
        kept.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(storage.nbytes() for storage in kept.values())


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
    """Measure every case: peaks and saved bytes first, then ``rounds`` rounds in which ours and peer
    take turns."""
    import torch

    from lampyris import _library, memory

    cases = list(cases)
    for case in cases:
        case.ours()
        case.peer()
    before = [
        (_peak_mb(case.ours), _peak_mb(case.peer), _saved(case, case.ours), _saved(case, case.peer))
        for case in cases
    ]
    if keep_pages:
        memory.reuse_pages()
    setting = (
        _library.isa(),
        torch.backends.cpu.get_cpu_capability(),
        memory.allocator(),
        torch.get_num_threads(),
    )
    results = []
    for case, figures in zip(cases, before, strict=True):
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
                *figures,
                case.density,
                *setting,
            )
        )
    return results


def _saved(case: Case, call: Callable[[], object]) -> float | None:
    if case.neuron_steps is None:
        return None
    return saved_bytes(call, case.held) / case.neuron_steps

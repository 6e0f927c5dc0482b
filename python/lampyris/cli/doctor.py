"""``lampyris doctor``: what this machine offers, what was chosen, what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil

_LIBRARIES = {
    "torch": "operators and training",
    "torchvision": "transforms, boxes, NMS",
    "lightning": "fit, validate, predict",
    "jsonargparse": "command line and configs",
    "torchmetrics": "average precision",
    "faster-coco-eval": "average precision",
    "tensorboard": "logs",
    "matplotlib": "pictures",
    "safetensors": "checks of image files",
    "scikit-learn": "digits and photographs",
}
_TOOLS = {"cmake": "build", "ninja": "build", "ccache": "fast rebuilds", "nvcc": "CUDA kernels"}


def command(strict: bool = False) -> int:
    """Print versions, instruction sets, CUDA, allocator, build ids, and what is missing.

    Args:
        strict: exit with status 1 when something is missing or stale.
    """
    from rich.table import Table

    from lampyris.console import console

    rows: list[tuple[str, str, str]] = []
    missing: list[str] = []
    rows += _machine()
    rows += _libraries(missing)
    rows += _native(missing)
    table = Table(box=None, pad_edge=False)
    for column in ("what", "found", "remark"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    screen = console()
    screen.print(table)
    _print_kernels(screen, missing)
    if missing:
        screen.print("\n[bold]missing[/bold]")
        for line in missing:
            screen.print(f"  {line}", highlight=False)
    else:
        screen.print("\nnothing is missing")
    return int(strict and bool(missing))


def _print_kernels(screen, missing: list[str]) -> None:
    """What each operator runs on this processor, with the densities of spikes where it changes."""
    from rich.table import Table

    if any("operators" in line for line in missing) or importlib.util.find_spec("torch") is None:
        return
    from lampyris.ops.kernel_table import kernel_table

    table = Table(box=None, pad_edge=False)
    for column in ("operator", "case", "kernel, up to which density of spikes"):
        table.add_column(column)
    for choice in kernel_table():
        table.add_row(choice.operator, choice.case, choice.text())
    screen.print()
    screen.print(table, highlight=False)
    screen.print("lampyris.ops.record_kernels() tells which of them a network runs", highlight=False)


def _machine() -> list[tuple[str, str, str]]:
    from lampyris import __version__

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ("lampyris", __version__, ""),
        ("python", platform.python_version(), platform.platform()),
        ("machine", f"{os.cpu_count()} cores, {memory:.0f} GiB", platform.machine()),
    ]


def _libraries(missing: list[str]) -> list[tuple[str, str, str]]:
    rows = []
    for name, use in _LIBRARIES.items():
        try:
            rows.append((name, importlib.metadata.version(name), use))
        except importlib.metadata.PackageNotFoundError:
            rows.append((name, "-", use))
            missing.append(f"{name} ({use}): pip install {name}")
    for name, use in _TOOLS.items():
        found = shutil.which(name)
        rows.append((name, "yes" if found else "-", use))
        if not found and name != "nvcc":
            missing.append(f"{name} ({use}): apt-get install {name.replace('ninja', 'ninja-build')}")
    return rows


def _native(missing: list[str]) -> list[tuple[str, str, str]]:
    rows = []
    try:
        from lampyris import _native

        rows.append(("_native build id", _native.build_id, "hardware model, images, events"))
    except ImportError as error:
        rows.append(("_native", "-", str(error)))
        missing.append("lampyris._native: run `make build`")
    if importlib.util.find_spec("torch") is None:
        return rows
    import torch

    try:
        from lampyris import _library, memory

        rows += [
            ("_ops build id", _library.build_id(), "operators"),
            ("isa", _library.isa(), f"available: {_library.isa_available()}; LAMPYRIS_ISA lowers it"),
            ("features", _library.cpu_features() or "-", "beyond the isa, used by kernels"),
            ("allocator", memory.allocator(), "lampyris.memory.reuse_pages() keeps pages"),
        ]
        cuda = "loaded" if _library.cuda_loaded() else "not loaded"
    except (ImportError, OSError, RuntimeError) as error:
        rows.append(("_ops", "-", str(error).splitlines()[0]))
        missing.append("lampyris operators: run `make build`")
        cuda = "not loaded"
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    rows.append(("cuda", f"torch {torch.version.cuda or '-'}, _ops_cuda {cuda}", f"{devices} devices"))
    return rows

"""A run kept as a folder of .npy files, as ``firefly-sim --out`` writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

__all__ = ["FolderTrace", "save_trace"]

KINDS = ("spikes", "streams", "membranes", "outputs")


class _Files(Mapping[str, np.ndarray]):
    """Arrays of one kind by name, read at each access."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> np.ndarray:
        path = self._folder / _file_name(name)
        if not path.exists():
            raise KeyError(name)
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"trace: {path} must be a readable .npy file: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(unquote(path.stem) for path in self._folder.glob("*.npy")))

    def __len__(self) -> int:
        return len(list(self._folder.glob("*.npy")))


class FolderTrace:
    """Maps of a run by name.

    Attributes:
        spikes: bool [T, C, H, W]; streams: int16 [T or 1, C, H, W]; membranes: int32 [T, C, H, W];
        outputs: int32 [1, C, H, W]; input: the frame, or None.

    Args:
        folder: written by `save_trace` or ``firefly-sim --out``.

    Raises:
        FileNotFoundError: no such folder.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        path = Path(folder)
        if not path.is_dir():
            raise FileNotFoundError(f"trace: folder {path} does not exist")
        self.spikes, self.streams, self.membranes, self.outputs = (_Files(path / kind) for kind in KINDS)
        frame = path / "input.npy"
        self.input = np.load(frame, allow_pickle=False) if frame.exists() else None


def save_trace(folder: str | os.PathLike, run: Any, inputs: np.ndarray | None = None) -> None:
    """Write every map of a run.

    Args:
        folder: made if missing.
        run: a ``Result``, or anything with mappings ``spikes``, ``streams``, ``membranes``, ``outputs``.
        inputs: the frame; without it nothing can be said about the operands of a host stem.

    Example:
        >>> import tempfile
        >>> from lampyris import firefly
        >>> program = firefly.Program(time_steps=1)
        >>> x = program.input("x", channels=1, height=1, width=1)
        >>> s = program.neuron("lif/1", x, threshold=0)
        >>> run = firefly.Driver(firefly.Device()).run(program.build(), np.ones((1, 1, 1, 1), np.int16))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_trace(folder, run)
        ...     list(FolderTrace(folder).spikes)
        ['lif/1']
    """
    for kind in KINDS:
        for name, array in getattr(run, kind).items():
            path = Path(folder) / kind / _file_name(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array if array.ndim == 4 else array[None])
    if inputs is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        np.save(Path(folder) / "input.npy", inputs if inputs.ndim == 4 else inputs[None])


def _file_name(name: str) -> str:
    return quote(name, safe="").replace("~", "%7E") + ".npy"

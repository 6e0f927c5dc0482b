"""Prophesee event files: reading .dat and raw EVT2, EVT3 (memory-mapped, in C++), writing .dat."""

from __future__ import annotations

import os

import numpy as np

from lampyris import _native
from lampyris.data.representations import Representation, repeated, request
from lampyris.files import atomic_write

__all__ = ["EventFile", "write_dat"]

MAX_SIDE = 1 << 14


class EventFile:
    """A recording: events sorted by time, read on demand.

    A ``.dat`` file is its own index (records of 8 bytes); a ``.raw`` one (EVT2, EVT3) is decoded once on
    first use, and the state of the decoder kept every 16,384 words, so that any window is random access too.

    Args:
        path: a ``*_td.dat`` or ``*.raw`` file.

    Raises:
        FileNotFoundError, OSError: the file cannot be opened.
        ValueError: the header is broken, or the file does not hold whole events of a known kind.

    Example:
        >>> import tempfile, numpy as np
        >>> path = tempfile.mkdtemp() + "/a_td.dat"
        >>> _ = write_dat(path, t=[10, 60_000], x=[1, 2], y=[0, 3], polarity=[1, 0], size=(4, 4))
        >>> frames = EventFile(path).frames(end_us=100_000, window_us=100_000, time_steps=2, size=(4, 4))
        >>> frames.shape, frames[0, 1, 0, 1], frames[1, 0, 3, 2]
        ((2, 2, 4, 4), np.uint8(1), np.uint8(1))
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        kind = _native.events.EvtFile if self.path.endswith(".raw") else _native.events.DatFile
        self._file = kind(os.fsencode(self.path))

    def __reduce__(self):
        return EventFile, (self.path,)

    def __len__(self) -> int:
        return len(self._file)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the sensor, when the header states both."""
        height, width = self._file.height, self._file.width
        return (height, width) if height and width else None

    def read(self, first: int = 0, last: int | None = None) -> tuple[np.ndarray, ...]:
        """Events first..last-1 as t (us; uint32, of raw files int64), x, y uint16, polarity uint8, each [n].

        Raises:
            IndexError: the range is not within the file.
        """
        return self._file.read(first, len(self) if last is None else last)

    def lower_bound(self, t: int) -> int:
        """Number of events before time ``t`` (us)."""
        return self._file.lower_bound(t)

    def window(self, start_us: int, end_us: int) -> tuple[np.ndarray, ...]:
        """The events in [start_us, end_us), columns as of ``read``."""
        return self._file.read(self.lower_bound(start_us), self.lower_bound(end_us))

    def frames(
        self,
        end_us: int,
        window_us: int,
        time_steps: int,
        size: tuple[int, int],
        representation: Representation | None = None,
    ) -> np.ndarray:
        """Frames of the events in [end_us - window_us, end_us), in ``time_steps`` equal steps.

        Args:
            end_us: end of the window, exclusive: nothing at or after it is seen.
            window_us: length, a multiple of ``time_steps``. What lies before time 0 stays empty.
            time_steps: number of steps T.
            size: height and width of the sensor.
            representation: see ``data.representation``; None: counts.

        Returns:
            uint8 [T, C, H, W]; counts: darker then brighter events, each saturating at 255.

        Raises:
            ValueError: an argument out of range, an event of the window outside the sensor or out of order.
        """
        chosen = representation or Representation()
        wanted = request(end_us, window_us, time_steps, size, chosen)
        return repeated(self._file.frames(wanted), chosen)

    def problems(self, size: tuple[int, int]) -> list[str]:
        """Read every event; one line for each kind of defect (order, position)."""
        found = []
        if not len(self):
            found.append("a recording must hold events, got none")
        check = self._file.check(*size)
        if check.unsorted:
            found.append(
                f"event times must not decrease, got {check.unsorted} that do, "
                f"first at event {check.first_unsorted}"
            )
        if check.outside:
            found.append(
                f"events must lie within {size[0]} x {size[1]} pixels, got {check.outside} outside, "
                f"first event {check.first_outside}"
            )
        skipped = getattr(self._file, "skipped", 0)
        if skipped:
            found.append(f"events must follow a time and a row, got {skipped} without")
        return found


def write_dat(path: str | os.PathLike, t, x, y, polarity, size: tuple[int, int] | None = None) -> str:
    """Write a version 2 .dat file of 2-D events.

    Args:
        path: target; written whole or not at all.
        t: times [n] in us, not decreasing, below 2^32.
        x, y: pixel positions [n], 0..16383, inside ``size``.
        polarity: [n], 1 brighter, 0 darker.
        size: height and width for the header; None leaves them out, as old files do.

    Returns:
        The path.

    Raises:
        ValueError: lengths differ or a value does not fit.
        OSError: the file cannot be written.
    """
    t, x, y, polarity = (np.asarray(column, np.int64).reshape(-1) for column in (t, x, y, polarity))
    if not t.size == x.size == y.size == polarity.size:
        raise ValueError(
            f"write_dat: columns must have one length, got {t.size}, {x.size}, {y.size}, {polarity.size}"
        )
    height, width = size or (MAX_SIDE, MAX_SIDE)
    limits = {"t": (t, 1 << 32), "x": (x, width), "y": (y, height), "polarity": (polarity, 2)}
    for name, (column, limit) in limits.items():
        if column.size and not 0 <= column.min() <= column.max() < limit:
            raise ValueError(f"write_dat: {name} must be 0..{limit - 1}, got {column.min()}..{column.max()}")
    if (np.diff(t) < 0).any():
        raise ValueError("write_dat: t must not decrease")
    lines = ["Data file containing Event2D events.", "Version 2", "Date 2020-01-01 00:00:00"]
    if size is not None:
        lines += [f"Height {height}", f"Width {width}"]
    header = "".join(f"% {line}\n" for line in lines).encode() + bytes([0, 8])
    records = np.empty((t.size, 2), "<u4")
    records[:, 0] = t
    records[:, 1] = x | (y << 14) | (polarity << 28)
    atomic_write(path, header + records.tobytes())
    return os.fspath(path)

"""What a window of events becomes: the kinds of frames, all uint8 [T, C, H, W], computed in C++."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lampyris import _native

__all__ = ["REPRESENTATIONS", "Representation", "bin_events", "representation", "request"]

REPRESENTATIONS = ("counts", "histogram", "polarity", "paper", "surface", "voxel")
NO_EVENT = 127
VOXEL_EXPONENT = 5  # voxel grids count in units of 1/32 event


@dataclass(frozen=True)
class Representation:
    """How the events of a window become frames; made by ``representation``.

    Attributes:
        name: one of REPRESENTATIONS. parts: S (counts, histogram). cutoff: largest count, 1..255.
        tau_us: time constant of surfaces.
    """

    name: str = "counts"
    parts: int = 1
    cutoff: int = 255
    tau_us: float = 50_000.0

    @property
    def channels(self) -> int:
        """Channels C of a frame."""
        if self.name in ("counts", "histogram"):
            return 2 * self.parts
        return {"polarity": 1, "paper": 3}.get(self.name, 2)

    @property
    def background(self) -> int:
        """Value of a pixel without events."""
        return NO_EVENT if self.name in ("polarity", "paper") else 0

    @property
    def input_exponent(self) -> int:
        """p: the real value of an input is ``value * 2**-p``."""
        return {"polarity": 8, "paper": 8, "surface": 8, "voxel": VOXEL_EXPONENT}.get(self.name, 0)

    @property
    def kind(self) -> str:
        """The computation in C++: "paper" repeats the channel of "polarity"."""
        return "polarity" if self.name == "paper" else self.name


def representation(
    name: str | Representation = "counts",
    parts: int | None = None,
    cutoff: int | None = None,
    tau_us: float | None = None,
) -> Representation:
    """A representation by name, with its usual parameters.

    - "counts": events per polarity, saturating at 255. Two channels: darker, brighter.
    - "histogram": stacked histograms (Gehrig and Scaramuzza's RVT): each step in ``parts`` = 10 parts, counts
      up to ``cutoff`` = 10; channel = polarity * parts + part.
    - "polarity": 127 without an event, 255 where the last one was brighter, 0 where it was darker; "paper"
      repeats it to three channels, as EMS-YOLO's Gen1 loader does (and checkpoints of it expect).
    - "surface": 255 exp(-age / tau_us) of the last event of pixel and polarity at the end of each step.
    - "voxel": voxel grid (Zhu et al., 2019) with one channel per polarity, in units of 1/32 event: an event
      is shared between the two nearest steps. Their difference is the signed grid.

    Args:
        name: one of REPRESENTATIONS, or a Representation, returned as it is.
        parts, cutoff, tau_us: parameters; None: the usual value.

    Raises:
        ValueError: a name that is not known, or a parameter that this representation does not have.

    Example:
        >>> representation("histogram").channels, representation("paper").background
        (20, 127)
    """
    if isinstance(name, Representation):
        return name
    if name not in REPRESENTATIONS:
        raise ValueError(f"data: representation must be one of {', '.join(REPRESENTATIONS)}, got {name!r}")
    given = {"parts": parts, "cutoff": cutoff, "tau_us": tau_us}
    known = {"counts": ("cutoff",), "histogram": ("parts", "cutoff"), "surface": ("tau_us",)}.get(name, ())
    for key, value in given.items():
        if value is not None and key not in known:
            raise ValueError(f"data: representation {name!r} has no {key}, got {value}")
    usual = {"parts": 10, "cutoff": 10} if name == "histogram" else {}
    chosen = Representation(name, **usual | {key: value for key, value in given.items() if value is not None})
    if not 1 <= chosen.cutoff <= 255:
        raise ValueError(f"data: cutoff must be 1..255, got {chosen.cutoff}")
    if chosen.parts < 1:
        raise ValueError(f"data: parts must be at least 1, got {chosen.parts}")
    if not chosen.tau_us > 0:
        raise ValueError(f"data: tau_us must be positive, got {chosen.tau_us}")
    return chosen


def request(
    end_us: int, window_us: int, time_steps: int, size: tuple[int, int], chosen: Representation
) -> tuple:
    """The arguments of the C++ call; checks what it cannot see.

    Raises:
        ValueError: the window is no positive multiple of time_steps.
    """
    if time_steps < 1 or window_us < 1 or window_us % time_steps:
        raise ValueError(
            "bin_events: window must be a positive multiple of time_steps, "
            f"got {window_us} us, {time_steps} steps"
        )
    sizes = (end_us, window_us // time_steps, time_steps, *size)
    return (*sizes, chosen.kind, chosen.parts, chosen.cutoff, float(chosen.tau_us))


def bin_events(
    t,
    x,
    y,
    polarity,
    *,
    end_us: int,
    window_us: int,
    time_steps: int,
    size: tuple[int, int],
    representation: Representation | None = None,
    name: str = "events",
) -> np.ndarray:
    """Frames of the events in [end_us - window_us, end_us), from arrays sorted by time.

    Args:
        t: times [n], us. x, y: pixels [n]. polarity: [n], not 0: brighter.
        end_us, window_us, time_steps, size: as in EventFile.frames.
        representation: None: counts.
        name: begins error messages.

    Returns:
        uint8 [T, C, H, W].

    Raises:
        ValueError: lengths differ, an event of the window lies outside or before the one before it.

    Example:
        >>> bin_events([5, 6, 15], [0, 0, 1], [0, 0, 0], [1, 1, 0],
        ...            end_us=20, window_us=20, time_steps=2, size=(1, 2))[:, :, 0].tolist()
        [[[0, 0], [2, 0]], [[0, 1], [0, 0]]]
    """
    chosen = representation or Representation()
    columns = [np.asarray(t, np.int64), np.asarray(x), np.asarray(y)]
    for label, column in zip("xy", columns[1:], strict=True):
        if column.size and not 0 <= column.min() <= column.max() < 1 << 16:
            raise ValueError(f"bin_events: {label} must be 0..65535, got {column.min()}..{column.max()}")
    x, y = (column.astype(np.uint16) for column in columns[1:])
    wanted = request(end_us, window_us, time_steps, size, chosen)
    frames = _native.events.frames(
        columns[0], x, y, (np.asarray(polarity) > 0).astype(np.uint8), wanted, name
    )
    return repeated(frames, chosen)


def repeated(frames: np.ndarray, chosen: Representation) -> np.ndarray:
    """The three equal channels of "paper"; other frames as they are."""
    return np.repeat(frames, 3, axis=1) if chosen.name == "paper" else frames

"""Box files of Gen1 and its successors (``*_bbox.npy``), both published record layouts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lampyris.files import atomic_write

__all__ = ["GEN1_DTYPE", "MEGAPIXEL_DTYPE", "Boxes", "boxes_of", "read_boxes", "write_boxes"]

# Packed, 33 bytes: the original Gen1 release.
GEN1_DTYPE = np.dtype(
    [
        ("ts", "<u8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("w", "<f4"),
        ("h", "<f4"),
        ("class_id", "u1"),
        ("confidence", "<f4"),
        ("track_id", "<u4"),
    ]
)
# 40 bytes, the last 4 unused: the 1 megapixel release and the current toolbox.
MEGAPIXEL_DTYPE = np.dtype(
    [
        ("t", "<i8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("w", "<f4"),
        ("h", "<f4"),
        ("class_id", "<u4"),
        ("track_id", "<u4"),
        ("class_confidence", "<f4"),
    ],
    align=True,
)

MAX_TIME = 1 << 40  # us
MAX_COORDINATE = 1e6


@dataclass
class Boxes:
    """Rows sorted by time: t int64 [n] (us), xywh float32 [n, 4] (pixels, top-left), class_id int64 [n]."""

    t: np.ndarray
    xywh: np.ndarray
    class_id: np.ndarray

    def clamped(self, size: tuple[int, int]) -> np.ndarray:
        """Boxes as xyxy float32 [n, 4] cut to the frame ``size`` (height, width); empty ones stay, empty."""
        x0, y0 = self.xywh[:, 0], self.xywh[:, 1]
        corners = np.stack([x0, y0, x0 + self.xywh[:, 2], y0 + self.xywh[:, 3]], 1)
        limit = np.array([size[1], size[0]] * 2, np.float32)
        return np.clip(corners, 0, limit)


def read_boxes(path: str | os.PathLike, classes: int, report: Callable[[str], None] | None = None) -> Boxes:
    """Read a box file of either layout.

    Args:
        path: the ``.npy`` file.
        classes: number of classes; ids must be below.
        report: called with each defect; defective rows are left out. None: the first one raises.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no box file, or (without ``report``) a row is broken; names file, row, reason.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/a_bbox.npy"
        >>> _ = write_boxes(path, t=[250_000], xywh=[[4, 5, 20, 10]], class_id=[1])
        >>> read_boxes(path, classes=2).clamped((12, 16)).tolist()
        [[4.0, 5.0, 16.0, 12.0]]
    """
    return boxes_of(_load(path), path, classes, report)


def boxes_of(
    rows: np.ndarray,
    path: str | os.PathLike,
    classes: int,
    report: Callable[[str], None] | None = None,
) -> Boxes:
    """The boxes of records in either layout; arguments and errors as of ``read_boxes``."""
    _check_fields(rows, path)
    t = rows["ts" if "ts" in rows.dtype.names else "t"]
    xywh = np.stack([rows[name].astype(np.float32) for name in "xywh"], 1)
    class_id = rows["class_id"]
    with np.errstate(invalid="ignore"):
        tests = {
            f"time must be 0..{MAX_TIME} us": (t, ~((t >= 0) & (t <= MAX_TIME))),
            "x, y, w, h must be finite": (
                xywh,
                ~(np.isfinite(xywh) & (np.abs(xywh) <= MAX_COORDINATE)).all(1),
            ),
            "w and h must not be negative": (xywh[:, 2:], (xywh[:, 2:] < 0).any(1)),
            f"class_id must be below {classes}": (class_id, ~((class_id >= 0) & (class_id < classes))),
        }
    bad = np.zeros(len(rows), bool)
    for contract, (column, wrong) in tests.items():
        for row in np.flatnonzero(wrong & ~bad):
            problem = f"{path}: box {row}: {contract}, got {column[row].tolist()}"
            if report is None:
                raise ValueError(f"gen1: {problem}")
            report(problem)
        bad |= wrong
    order = np.argsort(t[~bad], kind="stable")
    good = [column[~bad][order] for column in (t, xywh, class_id)]
    return Boxes(good[0].astype(np.int64), good[1], good[2].astype(np.int64))


def _load(path: str | os.PathLike) -> np.ndarray:
    try:
        rows = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"gen1: box file {path} must exist, got no such file") from None
    except Exception as error:  # broken .npy headers raise many types
        raise ValueError(f"gen1: {path} must be a NumPy array of boxes, got: {error}") from None
    return rows


def _check_fields(rows: np.ndarray, path: str | os.PathLike) -> None:
    names = getattr(getattr(rows, "dtype", None), "names", None)
    needed = {"x", "y", "w", "h", "class_id"}
    if not names or rows.ndim != 1 or not needed <= {*names} or not {"ts", "t"} & {*names}:
        got = f"{rows.dtype} {list(rows.shape)}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise ValueError(
            f"gen1: {path} must hold records [n] with fields ts (or t), x, y, w, h, class_id, got {got}"
        )
    for name in (*needed, "ts" if "ts" in names else "t"):
        if rows.dtype[name].kind not in "iuf" or rows.dtype[name].shape:
            raise ValueError(f"gen1: {path}: field {name} must be a number, got {rows.dtype[name]}")


def write_boxes(path: str | os.PathLike, t, xywh, class_id, track_id=None) -> str:
    """Write a box file in the original Gen1 layout (33 packed bytes a row), confidence 1.

    Args:
        path: target; written whole or not at all.
        t: times [n] in us. xywh: [n, 4] pixels, top-left corner. class_id: [n]. track_id: [n]; None: 0..n-1.
    """
    t = np.asarray(t)
    rows = np.zeros(len(t), GEN1_DTYPE)
    rows["ts"], rows["class_id"], rows["confidence"] = t, class_id, 1.0
    rows["track_id"] = np.arange(len(t)) if track_id is None else track_id
    for name, column in zip("xywh", np.asarray(xywh, np.float32).reshape(-1, 4).T, strict=True):
        rows[name] = column
    atomic_write(path, lambda file: np.save(file, rows))
    return os.fspath(path)

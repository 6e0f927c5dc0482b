"""Pickles of the Planetoid sets without running anything in them.

The unpickler hands out recorders of its own instead of the classes that a file names: an array becomes the
bytes, type and shape that the file states, checked afterwards; any name beside the few known is refused.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["SparseRows", "read_pickle"]

_TYPES = "?bBhHiIlLqQefd"
_ENTRIES = 1 << 31  # of a dense matrix: 8 GiB of float32


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix by rows as a file states it; `dense` and `pairs` check it."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    shape: tuple[int, int]

    @staticmethod
    def of(arrays: dict[str, np.ndarray], prefix: str, path: Path) -> SparseRows:
        """From ``<prefix>data`` (ones when missing), ``indices``, ``indptr`` and ``shape``."""
        try:
            indices, indptr = arrays[prefix + "indices"], arrays[prefix + "indptr"]
            shape = tuple(int(v) for v in np.asarray(arrays[prefix + "shape"]).ravel())
            data = arrays.get(prefix + "data", np.ones(indices.shape, np.float32))
            return SparseRows(data, indices, indptr, shape)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"graph files: {path} must have a sparse matrix {prefix}..., got {error}"
            ) from None

    def pairs(self, path: Path) -> np.ndarray:
        """[2, E] (row, column) of the stored entries.

        Raises:
            ValueError: pointers or indices do not fit.
        """
        parts = (self.data, self.indices, self.indptr)
        sound = (
            all(isinstance(a, np.ndarray) and a.ndim == 1 for a in parts)
            and self.data.dtype.kind in "fiub"
            and all(a.dtype.kind in "iu" for a in parts[1:])
            and len(self.shape) == 2
            and min(self.shape) >= 0
            and len(self.indptr) == self.shape[0] + 1
            and len(self.data) == len(self.indices)
        )
        if sound:
            pointer, column = self.indptr.astype(np.int64), self.indices.astype(np.int64)
            sound = pointer[0] == 0 and pointer[-1] == len(column) and (np.diff(pointer) >= 0).all()
            sound = sound and (not len(column) or (column.min() >= 0 and column.max() < self.shape[1]))
        if not sound:
            raise ValueError(f"graph files: {path} must have sound sparse rows, got shape {self.shape}")
        return np.stack([np.repeat(np.arange(self.shape[0]), np.diff(pointer)), column])

    def dense(self, path: Path) -> np.ndarray:
        """float32 of `shape`; entries named twice are added.

        Raises:
            ValueError: as `pairs`; an entry is not finite; the matrix has more than 2^31 entries.
        """
        row, column = self.pairs(path)
        if self.shape[0] * self.shape[1] > _ENTRIES:
            raise ValueError(f"graph files: {path} must have at most 2^31 features, got {self.shape}")
        values = self.data.astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"graph files: {path} must have finite features, got inf or nan")
        result = np.zeros(self.shape, np.float32)
        np.add.at(result, (row, column), values)
        return result


def _recorders() -> dict[tuple[str, str], Any]:
    """Fresh stand-ins for one file, so that nothing a file does to them outlives it."""

    class Type:
        def __init__(self, text: str = "", *unused: Any) -> None:
            self.text, self.order = text, "|"

        def __setstate__(self, state: tuple) -> None:
            self.order = state[1]

    class Array:
        def __init__(self, *unused: Any) -> None:
            self.state: Any = None

        def __setstate__(self, state: tuple) -> None:
            self.state = state

        def value(self) -> np.ndarray:
            _, shape, kind, fortran, raw = self.state
            if not isinstance(kind, Type) or not isinstance(kind.text, str):
                raise ValueError("an array without a type")
            dtype = np.dtype(kind.text).newbyteorder(kind.order if kind.order in "<>" else "=")
            if dtype.char not in _TYPES:
                raise ValueError(f"an array of {dtype}")
            raw = raw.encode("latin1") if isinstance(raw, str) else raw
            flat = np.frombuffer(raw, dtype)
            return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))

    class Sparse:
        def __setstate__(self, state: dict) -> None:
            self.state = state

        def value(self) -> SparseRows:
            arrays = {name: plain(part) for name, part in self.state.items()}
            return SparseRows.of({n.lstrip("_"): a for n, a in arrays.items()}, "", Path("pickle"))

    def buffered(raw: bytes, kind: Any, shape: tuple, order: str) -> Array:
        array = Array()
        array.state = 1, shape, kind, order == "F", bytes(raw)
        return array

    def plain(part: Any) -> Any:
        return part.value() if isinstance(part, (Array, Sparse)) else part

    def reconstruct(kind: Any, *unused: Any) -> Any:
        if kind not in (Array, Sparse):
            raise ValueError("an object of no known kind")
        return kind()

    def dictionary(*unused: Any) -> dict:
        return {}

    def encoded(text: str, *unused: Any) -> bytes:
        return text.encode("latin1")

    known: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): Type,
        ("collections", "defaultdict"): dictionary,
        ("_codecs", "encode"): encoded,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[module, "_reconstruct"] = reconstruct
    for module in ("numpy.core.numeric", "numpy._core.numeric"):
        known[module, "_frombuffer"] = buffered
    for module in ("copy_reg", "copyreg"):
        known[module, "_reconstructor"] = reconstruct
    for module in ("__builtin__", "builtins"):
        known[module, "list"] = list
        known[module, "object"] = object
    for module in ("scipy.sparse.csr", "scipy.sparse._csr"):
        known[module, "csr_matrix"] = Sparse
    known["", "plain"] = plain
    return known


class _Unpickler(pickle._Unpickler):  # the one in Python: the C one lets a file choose how much it allocates
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin1")
        self.known = _recorders()

    def find_class(self, module: str, name: str) -> Any:
        if not module or (module, name) not in self.known:
            raise ValueError(f"the name {module}.{name}"[:120])
        return self.known[module, name]

    def get_extension(self, code: int) -> None:
        raise ValueError("an extension code")


def read_pickle(path: str | Path) -> Any:
    """A number, list, dictionary, array or sparse matrix (`SparseRows`) from a pickle; no code of it runs.

    Args:
        path: the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: anything else in it, or broken bytes.

    Example:
        >>> import pickle, tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "graph"
        >>> _ = path.write_bytes(pickle.dumps({0: [1], 1: [0]}))
        >>> read_pickle(path)
        {0: [1], 1: [0]}
    """
    content = Path(path).read_bytes()
    try:
        reader = _Unpickler(io.BytesIO(content))
        return reader.known["", "plain"](reader.load())
    except Exception as error:  # broken bytes raise whatever the instruction they hit raises
        text = str(error) or type(error).__name__
        raise ValueError(f"graph files: {path} must be a pickle of arrays and lists, got {text}") from None

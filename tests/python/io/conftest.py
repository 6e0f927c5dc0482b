"""Hand-made image files: built field by field, without the writer under test."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from lampyris import _native
from lampyris.firefly.crc32c import crc32c
from lampyris.firefly.image_reader import read_protected
from lampyris.firefly.protected_reader import TensorRepair


class Craft:
    """An image file whose every field can be set wrong; checksums are made right at the end."""

    def __init__(self) -> None:
        self.content = {
            "layer.000.registers": ("U32", struct.pack("<4I", 0xA8, 7, 0xFC, 1)),
            "layer.000.weights": ("U8", bytes(range(144))),
            "layer.000.bias": ("U8", b"\x01\xff" * 16),
            "layer.001.registers": ("U32", struct.pack("<4I", 0xAC | 1 << 16, 64, 0xC4 | 2 << 16, 0)),
            "host.stem.bias": ("U32", struct.pack("<3i", 5, -6, 7)),
            "ecc.none": ("U8", b""),
            "integrity": ("U8", bytes(64)),
        }
        self.plan = {"target": "ems", "T": 4, "names": ["é", "\x7f"], "step": "0x1.8p-3", "tensors": {}}
        self.data, self.header = b"", {}
        for name, (dtype, content) in self.content.items():
            self.add(name, dtype, content)
        self.metadata = {"format": "lampyris.firefly", "version": "1.0"}

    def add(self, name: str, dtype: str, content: bytes) -> None:
        stored = content + bytes(-len(content) % 64)
        size = {"U8": 1, "U32": 4}[dtype]
        offsets = [len(self.data), len(self.data) + len(stored)]
        self.header[name] = {"data_offsets": offsets, "dtype": dtype, "shape": [len(stored) // size]}
        if name != "integrity":
            self.plan["tensors"][name] = {"bytes": len(content), "crc32c": crc32c(stored)}
        self.data += stored

    def text(self) -> bytes:
        metadata = {"plan": canonical(self.plan).decode(), **self.metadata}
        return canonical({**self.header, "__metadata__": metadata})

    def file(self) -> bytes:
        return seal(self.text(), self.data[:-64])


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def seal(text: bytes, data: bytes, padding: bytes | None = None) -> bytes:
    """A file with this header text and these tensors before the footer; all checksums are right."""
    text += b" " * (-(8 + len(text)) % 64) if padding is None else padding
    head = struct.pack("<Q", len(text)) + text
    footer = struct.pack("<8sIIQ36x", b"LAMPFOOT", len(head), crc32c(head), len(head) + len(data) + 64)
    return head + data + footer + struct.pack("<I", crc32c(footer))


def verdict(data: bytes, **options) -> tuple:
    """What both readers say, which must be the same: the values or the reason.

    ("read", plan, tensors), with a row for each protected tensor behind it where there are any.
    """
    said = []
    for reader in (_read_native, read_protected):
        try:
            plan, tensors, rows = reader(data, **options)
            stored = {name: (a.dtype.str, a.tobytes()) for name, a in tensors.items()}
            said.append(("read", plan, stored, *([rows] if rows else [])))
        except ValueError as error:
            said.append(("refused", str(error)))
    assert said[0] == said[1]
    if said[0][0] == "refused":
        assert said[0][1].startswith("weight image: ")
        assert ", expected " in said[0][1]
    return said[0]


def _read_native(data: bytes, **options) -> tuple[dict, dict[str, np.ndarray], list[TensorRepair]]:
    plan, tensors, rows = _native.io.read_protected(data, **options)
    dtypes = {"U8": np.uint8, "U32": np.uint32}
    arrays = {name: np.frombuffer(raw, dtypes[dtype]) for name, dtype, raw in tensors}
    return json.loads(plan), arrays, [TensorRepair(*row) for row in rows]


@pytest.fixture
def craft() -> Craft:
    return Craft()


@pytest.fixture(name="seal", scope="session")
def _seal():
    return seal


@pytest.fixture(name="canonical", scope="session")
def _canonical():
    return canonical


@pytest.fixture(name="verdict", scope="session")
def _verdict():
    return verdict

"""The strict reader of weight images in numpy and json: the twin of csrc/firefly/image.cpp.

Both accept and refuse the same files for the same reasons; neither calls the other.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from lampyris.firefly.canonical_json import parse_canonical, refuse, show
from lampyris.firefly.crc32c import crc32c
from lampyris.firefly.protected_reader import PARITY, TensorRepair, read_protection, repair_tensors

__all__ = ["read_image", "read_protected"]

FORMAT = "lampyris.firefly"
MAGIC = b"LAMPFOOT"
ALIGN = 64  # bytes: start of the data, length of every tensor
FOOTER = 64  # bytes
MAX_HEADER = 16 << 20  # bytes, with the 8 of the length
MAX_TENSORS = 65536
MAX_RELOCATION = 2  # 0 literal, 1 + image base, 2 + arena base
ITEM_BYTES = {"U8": 1, "U32": 4}
LAYER_PARTS = ("registers", "weights", "bias")


@dataclass(frozen=True)
class _Entry:
    """One tensor of the header; begin and end count bytes from the start of the data."""

    name: str
    dtype: str
    begin: int
    end: int


def read_image(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a weight image and check everything but the agreement of registers and plan.

    Args:
        data: the bytes of the file.

    Returns:
        The plan, and the tensors in file order without padding: uint8 [n] or uint32 [n], read-only.

    Raises:
        ValueError: `weight image: <what>, expected ..., got ...`.

    Example:
        >>> read_image(b"")
        Traceback (most recent call last):
        ValueError: weight image: file length, expected a multiple of 64 of at least 128 bytes, got 0
    """
    return read_protected(data)[:2]


def read_protected(
    data: bytes, strict: bool = False, on_uncorrectable: str = "refuse"
) -> tuple[dict[str, Any], dict[str, np.ndarray], list[TensorRepair]]:
    """Read a weight image as ``read_image`` does, and say what was repaired.

    Args:
        data: the bytes of the file.
        strict: refuse what would have to be repaired.
        on_uncorrectable: for pages of weights with more wrong bits than their code corrects: "refuse",
            "zero_page", or "zero_weights" for those alone that are larger than any of their section was.

    Returns:
        Plan, tensors, and a row for each protected tensor.

    Raises:
        ValueError: `weight image: <what>, expected ..., got ...`.
    """
    if on_uncorrectable not in ("refuse", "zero_page", "zero_weights"):
        refuse("on_uncorrectable", "refuse, zero_page or zero_weights", on_uncorrectable)
    data = bytes(data)
    head_bytes = _check_footer(data)
    header = _parse_header(data[:head_bytes])
    metadata = header.pop("__metadata__")
    entries = [_parse_entry(name, value) for name, value in header.items()]
    plan_text = _check_metadata(metadata)
    content = memoryview(data)[head_bytes:]
    entries = _order(entries, len(content))
    plan = parse_canonical(plan_text.encode(), "plan")
    guards = _check_plan(plan, entries)
    protection = read_protection(plan, entries, guards)
    for entry in entries:
        _check_extent(entry, PARITY if protection else "")
    replaced, zeroed, rows = repair_tensors(protection, entries, content, strict, on_uncorrectable)
    tensors = {}
    for entry in entries[:-1]:
        stored = content[entry.begin : entry.end]
        if entry.name in replaced:
            stored = memoryview(replaced[entry.name].tobytes())
        tensors[entry.name] = _check_content(entry, guards[entry.name], stored, entry.name in zeroed)
    return plan, tensors, rows


def _check_footer(data: bytes) -> int:
    size = len(data)
    if size < ALIGN + FOOTER or size % ALIGN:
        refuse("file length", f"a multiple of {ALIGN} of at least {ALIGN + FOOTER} bytes", size)
    footer = data[-FOOTER:]
    magic, head_bytes, head_crc, file_bytes, reserved, own = struct.unpack("<8sIIQ36sI", footer)
    if magic != MAGIC:
        refuse("footer", f"{MAGIC.decode()} 64 bytes before the end", f"0x{magic.hex()}")
    if (crc := crc32c(footer[:-4])) != own:
        refuse("footer CRC-32C", f"0x{own:08x}", f"0x{crc:08x}")
    for i, byte in enumerate(reserved, start=24):
        if byte:
            refuse(f"footer byte {i}", "zero", f"0x{byte:02x}")
    if file_bytes != size:
        refuse("file length", f"{file_bytes} as the footer says", size)
    most = min(MAX_HEADER, size - FOOTER)
    if not ALIGN <= head_bytes <= most or head_bytes % ALIGN:
        refuse("header bytes in the footer", f"a multiple of {ALIGN} up to {most}", head_bytes)
    if (crc := crc32c(data[:head_bytes])) != head_crc:
        refuse("header CRC-32C", f"0x{head_crc:08x}", f"0x{crc:08x}")
    return head_bytes


def _parse_header(head: bytes) -> dict[str, Any]:
    (length,) = struct.unpack_from("<Q", head)
    if length != len(head) - 8:
        refuse("header length", len(head) - 8, length)
    text = head[8:].rstrip(b" ")
    header = parse_canonical(text, "header")
    if not isinstance(header, dict):
        refuse("header", "an object", show(header))
    if (needed := -(-(8 + len(text)) // ALIGN) * ALIGN) != len(head):
        refuse("header padding", f"spaces up to byte {needed}", len(head))
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict):
        refuse("__metadata__", "an object", show(metadata) if "__metadata__" in header else "none")
    for key, value in metadata.items():
        if not isinstance(value, str):
            refuse(f"__metadata__ {show(key)}", "a text", show(value))
    if len(header) - 1 > MAX_TENSORS:
        refuse("tensors", f"at most {MAX_TENSORS}", len(header) - 1)
    return header


def _check_metadata(metadata: dict[str, str]) -> str:
    if set(metadata) != {"format", "plan", "version"}:
        keys = ", ".join(show(key) for key in metadata)
        refuse("__metadata__", "format, plan and version", keys or "none")
    if metadata["format"] != FORMAT:
        refuse("format", f'"{FORMAT}"', show(metadata["format"]))
    if not re.fullmatch(r"1\.(0|[1-9][0-9]{0,3})", metadata["version"]):
        refuse("version", '"1.x"', show(metadata["version"]))
    return metadata["plan"]


def _is_lengths(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(type(v) is int and v >= 0 for v in value)


def _parse_entry(name: str, value: Any) -> _Entry:
    if not re.fullmatch(r"[a-z0-9_.]{1,64}", name):
        refuse("tensor name", "[a-z0-9_.]{1,64}", show(name))
    if not isinstance(value, dict) or set(value) != {"data_offsets", "dtype", "shape"}:
        refuse(f"tensor {name}", "data_offsets, dtype and shape", show(value))
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        refuse(f"dtype of tensor {name}", "U8 or U32", show(dtype))
    if not _is_lengths(shape, 1):
        refuse(f"shape of tensor {name}", "one length", show(shape))
    if not _is_lengths(offsets, 2):
        refuse(f"data_offsets of tensor {name}", "[begin, end]", show(offsets))
    begin, end = offsets
    if (length := shape[0] * ITEM_BYTES[dtype]) != end - begin:
        refuse(f"data_offsets of tensor {name}", f"{length} bytes", end - begin)
    if length % ALIGN:
        refuse(f"length of tensor {name}", f"a multiple of {ALIGN} bytes", length)
    return _Entry(name, dtype, begin, end)


def _order_key(entry: _Entry) -> tuple:
    """Position in the file; refuses a name or a type that an image cannot have."""
    name, free = entry.name, False
    if layer := re.fullmatch(r"layer\.([0-9]{3})\.(registers|weights|bias)", name):
        key: tuple = (0, layer[1], LAYER_PARTS.index(layer[2]))
    elif re.fullmatch(r"host\..+", name):
        key, free = (1, name), True
    elif re.fullmatch(r"ecc\..+", name):
        key = (2, name)
    elif name == "integrity":
        key = (3,)
    else:
        known = "layer.NNN.registers, .weights or .bias, host.*, ecc.* or integrity"
        refuse("tensor name", known, name)
    wanted = "U32" if key[0] == 0 and key[2] == 0 else "U8"
    if not free and entry.dtype != wanted:
        refuse(f"dtype of tensor {name}", wanted, entry.dtype)
    return key


def _order(entries: list[_Entry], data_bytes: int) -> list[_Entry]:
    """Entries in file order; they must fill the data, ``integrity`` last."""
    keyed = sorted(((_order_key(entry), entry) for entry in entries), key=lambda pair: pair[0])
    layers = -1
    for key, entry in keyed:
        if key[0] == 0 and not (int(key[1]) == layers and key[2] > 0):
            layers += 1
            if (expected := f"layer.{layers:03}.registers") != entry.name:
                refuse("layers", f"tensor {expected}", entry.name)
    entries = [entry for _, entry in keyed]
    if not entries or entries[-1].name != "integrity":
        refuse("tensor integrity", "at the end", "none")
    end = 0
    for entry in entries:
        if entry.begin != end:
            refuse(f"start of tensor {entry.name}", end, entry.begin)
        end = entry.end
    if (length := entries[-1].end - entries[-1].begin) != FOOTER:
        refuse("length of tensor integrity", FOOTER, length)
    if end != data_bytes:
        refuse("end of the tensors", data_bytes, end)
    return entries


def _check_plan(plan: Any, entries: list[_Entry]) -> dict[str, dict[str, int]]:
    if not isinstance(plan, dict):
        refuse("plan", "an object", show(plan))
    guards = plan.get("tensors")
    if not isinstance(guards, dict):
        refuse("tensors of the plan", "an object", show(guards) if "tensors" in plan else "none")
    names = set()
    for entry in entries[:-1]:
        if entry.name not in guards:
            refuse("tensors of the plan", f"an entry for {entry.name}", "none")
        _check_guard(entry, guards[entry.name])
        names.add(entry.name)
    for name in guards:
        if name not in names:
            refuse("tensors of the plan", "tensors of this file", show(name))
    return guards


def _check_guard(entry: _Entry, guard: Any) -> None:
    if not isinstance(guard, dict) or set(guard) != {"bytes", "crc32c"}:
        refuse(f"plan of tensor {entry.name}", "bytes and crc32c", show(guard))
    size, crc = guard["bytes"], guard["crc32c"]
    most = entry.end - entry.begin
    least = max(0, most - ALIGN + 1)
    if type(size) is not int or not least <= size <= most or size % ITEM_BYTES[entry.dtype]:
        refuse(f"true length of tensor {entry.name}", f"{least} to {most} bytes, whole words", show(size))
    if type(crc) is not int or not 0 <= crc <= 0xFFFFFFFF:
        refuse(f"crc32c of tensor {entry.name}", "32 bits", show(crc))


def _check_extent(entry: _Entry, parity: str) -> None:
    length = entry.end - entry.begin
    ecc = entry.name.startswith("ecc.")
    if ecc and length and entry.name != parity:
        refuse(f"tensor {entry.name}", "no bytes, for the plan's ecc does not use it", length)
    if not ecc and not length:
        refuse(f"tensor {entry.name}", "at least 1 byte", length)


def _check_content(entry: _Entry, guard: dict[str, int], stored: memoryview, partly_zero: bool) -> np.ndarray:
    name, size = entry.name, guard["bytes"]
    if (crc := crc32c(stored)) != guard["crc32c"] and not partly_zero:
        refuse(f"CRC-32C of tensor {name}", f"0x{guard['crc32c']:08x}", f"0x{crc:08x}")
    for i, byte in enumerate(stored[size:], start=size):
        if byte:
            refuse(f"padding of tensor {name}", "zero", f"0x{byte:02x} at byte {i}")
    values = np.frombuffer(stored[:size], dtype="<u4" if entry.dtype == "U32" else np.uint8)
    if name.startswith("layer.") and name.endswith(".registers"):
        _check_pairs(name, values)
    return values


def _check_pairs(name: str, words: np.ndarray) -> None:
    if len(words) % 2:
        refuse(f"tensor {name}", "pairs of words (8 bytes each)", f"{4 * len(words)} bytes")
    heads = words[::2]
    wrong = np.flatnonzero((heads >> 16 > MAX_RELOCATION) | (heads % 4 != 0))
    if len(wrong):
        expected = f"an offset divisible by 4 and relocation 0 to {MAX_RELOCATION} in pair {wrong[0]}"
        refuse(f"tensor {name}", expected, f"0x{heads[wrong[0]]:08x}")

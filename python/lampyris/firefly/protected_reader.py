"""Error correction of an image in plain Python: the twin of csrc/firefly/image_{protection,repair}.cpp.

Both accept, repair and refuse the same files for the same reasons; neither calls the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lampyris.firefly.canonical_json import dump_canonical, refuse, show
from lampyris.firefly.crc32c import crc32c_eights, crc32c_sections
from lampyris.firefly.page_codes import PRESETS, PageCode, Repaired

__all__ = ["PARITY", "Protection", "TensorRepair", "read_protection", "repair_tensors"]

PARITY = "ecc.parity"
SECTION = 4096  # bytes under one CRC-32C


@dataclass(frozen=True)
class TensorRepair:
    """What was found in one protected tensor.

    Attributes:
        tensor, preset: names.
        pages: of the tensor.
        corrected_pages, corrected_bits: what was set right, check words included.
        uncorrectable_pages: with more wrong bits than the code corrects, under a policy that goes on.
        zeroed_weights: by that policy.
    """

    tensor: str
    preset: str
    pages: int
    corrected_pages: int = 0
    corrected_bits: int = 0
    uncorrectable_pages: int = 0
    zeroed_weights: int = 0


@dataclass(frozen=True)
class Protection:
    """Error correction of one tensor; ``begin`` and ``words`` count bytes in ``ecc.parity``."""

    code: PageCode
    size: int
    begin: int
    words: int
    sections: list[int]
    limits: list[int] = field(default_factory=list)


def is_weights(name: str) -> bool:
    """Whether a tensor's pages may be set to zero."""
    layer = name.startswith("layer.") and name.endswith(".weights")
    return layer or (name.startswith("host.") and name.endswith(".weight"))


def section_sums(data: np.ndarray, place: int) -> list[int]:
    """Checksums of the sections of a tensor that lies ``place`` bytes behind the image base."""
    places = place + SECTION * np.arange(-(-len(data) // SECTION))
    return crc32c_sections(data, SECTION, crc32c_eights(places)).tolist()


def section_limits(data: np.ndarray) -> list[int]:
    """The largest |int8| of each section."""
    sizes = np.abs(data.view(np.int8).astype(np.int16))
    return np.maximum.reduceat(sizes, np.arange(0, len(data), SECTION)).tolist()


def _is_list(value: Any, count: int, most: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(type(item) is int and 0 <= item <= most for item in value)
    )


def _has(value: Any, names: set[str]) -> bool:
    return isinstance(value, dict) and set(value) == names


def read_protection(plan: dict, entries: Sequence[Any], guards: dict) -> dict[str, Protection]:
    """The plan's member ``ecc``, checked against the header's tensors in file order."""
    ecc = plan.get("ecc", {})
    if ecc == {} and isinstance(ecc, dict):
        return {}
    if not _has(ecc, {"codes", "section", "tensors"}):
        refuse("ecc of the plan", "codes, section and tensors", show(ecc))
    if type(ecc["section"]) is not int or ecc["section"] != SECTION:
        refuse("ecc section of the plan", SECTION, show(ecc["section"]))
    tensors = ecc["tensors"]
    if not isinstance(tensors, dict) or not tensors:
        refuse("ecc tensors of the plan", "an object with entries", show(tensors))
    for name in tensors:
        if name not in guards or not name.startswith(("layer.", "host.")):
            refuse("ecc tensors of the plan", "layer.* and host.* of this file", show(name))
    protection: dict[str, Protection] = {}
    words = 0
    for entry in entries:
        if entry.name in tensors:
            length = entry.end - entry.begin
            tensor = _read_tensor(entry.name, length, guards[entry.name]["bytes"], tensors[entry.name], words)
            protection[entry.name] = tensor
            words += tensor.words
    codes = {tensor.code.name: tensor.code.plan for tensor in protection.values()}
    if dump_canonical(codes) != dump_canonical(ecc["codes"]):
        refuse("ecc codes of the plan", show(codes), show(ecc["codes"]))
    size = guards[PARITY]["bytes"] if PARITY in guards else "none"
    if size != words:
        refuse(f"true length of tensor {PARITY}", words, size)
    return protection


def _read_tensor(name: str, length: int, size: int, value: Any, begin: int) -> Protection:
    limits = ["limits"] if is_weights(name) else []
    members = ["begin", *limits, "preset", "sections"]
    if not _has(value, set(members)):
        expected = f"{', '.join(members[:-1])} and sections"
        refuse(f"ecc of tensor {name}", expected, show(value))
    preset = value["preset"]
    if not isinstance(preset, str) or preset not in PRESETS:
        *others, last = PRESETS
        refuse(f"ecc preset of tensor {name}", f"{', '.join(others)} or {last}", show(preset))
    code, count = PRESETS[preset], -(-length // SECTION)
    for member, most in (("sections", 0xFFFFFFFF), ("limits", 128)):
        if member in members and not _is_list(value[member], count, most):
            expected = f"{count} integers within 0..{most}"
            refuse(f"ecc {member} of tensor {name}", expected, show(value[member]))
    if type(value["begin"]) is not int or value["begin"] != begin:
        refuse(f"ecc begin of tensor {name}", begin, show(value["begin"]))
    words = code.pages(length) * code.word_bytes
    return Protection(code, size, begin, words, value["sections"], value.get("limits", []))


def repair_tensors(
    protection: dict[str, Protection],
    entries: Sequence[Any],
    content: memoryview,
    strict: bool,
    on_uncorrectable: str,
) -> tuple[dict[str, np.ndarray], set[str], list[TensorRepair]]:
    """Repair protected tensors.

    Returns:
        Replacements by name, names of the tensors in which pages were set to zero (their checksum over
        the whole cannot hold), and a row for each protected tensor.
    """
    replaced: dict[str, np.ndarray] = {}
    zeroed: set[str] = set()
    rows: list[TensorRepair] = []
    if not protection:
        return replaced, zeroed, rows
    place = {entry.name: entry for entry in entries}
    parity = np.frombuffer(content[place[PARITY].begin : place[PARITY].end], np.uint8)
    end = 0
    for entry in entries:
        if (tensor := protection.get(entry.name)) is None:
            continue
        begin, end = tensor.begin, tensor.begin + tensor.words
        data = np.frombuffer(content[entry.begin : entry.end], np.uint8)
        row = {"pages": tensor.code.pages(len(data))}
        repaired = tensor.code.repair(data, tensor.code.from_bytes(parity[begin:end]))
        found = repaired or Repaired(data, tensor.code.from_bytes(parity[begin:end]), {}, [])
        zeroes = on_uncorrectable != "refuse" and not strict and is_weights(entry.name)
        if found.lost and not zeroes:
            expected = f"at most {tensor.code.t} wrong bits"
            refuse(f"page {found.lost[0]} of tensor {entry.name}", expected, "more")
        bad = _check_sections(entry, tensor, found, zeroes)
        row["corrected_pages"], row["corrected_bits"] = len(found.bits), sum(found.bits.values())
        if repaired or bad:
            found = Repaired(found.data.copy(), found.words.copy(), found.bits, found.lost)
            zero = _zeroer(tensor, found.data, on_uncorrectable == "zero_weights")
            pages = list(found.lost)
            weights = sum(zero(page) for page in pages)
            for section in bad:
                start, stop = section * SECTION, min((section + 1) * SECTION, len(data))
                here = range(start // tensor.code.page_bytes, tensor.code.pages(stop))
                doubtful = [page for page in found.bits if page in here]
                weights += sum(zero(page, not doubtful) for page in doubtful or here)
                pages.extend(doubtful or here)
                row["corrected_pages"] -= len(doubtful)
                row["corrected_bits"] -= sum(found.bits[page] for page in doubtful)
            row["uncorrectable_pages"], row["zeroed_weights"] = len(pages), weights
            if pages:
                found.words[pages] = tensor.code.encode(found.data)[pages]
                zeroed |= {entry.name, PARITY}
            replaced[entry.name] = found.data
            replaced.setdefault(PARITY, parity.copy())
            replaced[PARITY][begin:end] = np.frombuffer(tensor.code.to_bytes(found.words), np.uint8)
        rows.append(TensorRepair(entry.name, tensor.code.name, **row))
    if parity[end:].any():
        replaced.setdefault(PARITY, parity.copy())[end:] = 0
        rows.append(TensorRepair(PARITY, "", 1, 1, int(np.unpackbits(parity[end:]).sum())))
    if strict:
        for row in rows:
            if row.corrected_pages:
                got = f"{row.corrected_bits} on {row.corrected_pages} pages"
                refuse(f"tensor {row.tensor}", "no wrong bits", got)
    return replaced, zeroed, rows


def _check_sections(entry: Any, tensor: Protection, found: Repaired, zeroes: bool) -> list[int]:
    """Sections without lost pages whose checksum fails; refuses them where nothing may be zeroed."""
    lost = {page * tensor.code.page_bytes // SECTION for page in found.lost}
    limits = section_limits(found.data) if tensor.limits else []
    bad = []
    for section, crc in enumerate(section_sums(found.data, entry.begin)):
        if section in lost:
            continue
        if crc != (expected := tensor.sections[section]):
            if not zeroes:
                what = f"CRC-32C of section {section} of tensor {entry.name}"
                refuse(what, f"0x{expected:08x}", f"0x{crc:08x}")
            bad.append(section)
        elif limits and limits[section] != tensor.limits[section]:
            what = f"ecc limit of section {section} of tensor {entry.name}"
            refuse(what, limits[section], tensor.limits[section])
    return bad


def _zeroer(tensor: Protection, data: np.ndarray, by_limit: bool) -> Callable[..., int]:
    """A function that zeroes a page, or what is too large in it, and counts the weights it changed."""

    def zero(page: int, all_of_it: bool = False) -> int:
        begin = page * tensor.code.page_bytes
        weights = data[begin : begin + tensor.code.page_bytes]
        wrong = weights != 0
        if by_limit and not all_of_it:
            padding = np.arange(begin, begin + len(weights)) >= tensor.size
            large = np.abs(weights.view(np.int8).astype(np.int16)) > tensor.limits[begin // SECTION]
            wrong &= large | padding
        weights[wrong] = 0
        return int(wrong.sum())

    return zero

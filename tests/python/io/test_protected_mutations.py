"""Damaged images with check words: both readers repair, refuse and zero exactly alike.

`verdict` (conftest) asserts that the C++ and the Python reader give the same values, the same rows of
repairs or the same reason.
"""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from lampyris.firefly.image import Image
from lampyris.firefly.page_codes import PRESETS

POLICIES = ("refuse", "zero_page", "zero_weights")


def protected_image(preset: str, size: int = 300, **classes) -> bytes:
    rng = np.random.default_rng(2)
    tensors = {
        "layer.000.registers": np.array([0xB8 | 1 << 16, 64, 0xFC, 1], np.uint32),
        "layer.000.weights": rng.integers(0, 60, size, dtype=np.uint8),
        "host.stem.bias": np.array([3, 4], np.uint32),
    }
    return Image({"target": "ems", "T": 2}, tensors).protect(preset, **classes).to_bytes()


def head_bytes(data: bytes) -> int:
    return 8 + struct.unpack_from("<Q", data)[0]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_changed_byte(preset, verdict):
    """One wrong bit behind the header is repaired; a byte of wrong bits is, or is refused; never read."""
    data = protected_image(preset, host="strong")
    clean = verdict(data)
    assert clean[0] == "read"
    damaged = bytearray(data)
    begin, end = head_bytes(data), len(data) - 64
    for i, byte in enumerate(data):
        inside = begin <= i < end
        if i % (2 if inside else 13):
            continue
        for value in {byte ^ 1 << i // 2 % 8} | ({byte ^ 0xFF} if i % 16 == 0 else set()):
            damaged[i] = value
            said = verdict(bytes(damaged))
            wrong = (byte ^ value).bit_count()
            if not inside:
                assert said[0] == "refused"
            elif said[0] == "read":
                assert said[:3] == clean[:3]
                assert sum(row.corrected_bits for row in said[3]) == wrong
                assert i % 16 or verdict(bytes(damaged), strict=True)[0] == "refused"
            else:
                assert wrong > PRESETS[preset].t
        damaged[i] = byte


def test_truncated_and_moved(verdict):
    data = protected_image("line")
    clean = verdict(data)
    blocks = [data[i : i + 64] for i in range(0, len(data), 64)]
    for i in range(len(blocks)):
        assert verdict(b"".join(blocks[:i] + blocks[i + 1 :]))[0] == "refused"
        said = verdict(b"".join([*blocks[:i], bytes(64), *blocks[i + 1 :]]))
        assert said[0] == "refused" or said[:3] == clean[:3]
    for i in range(len(blocks) - 1):
        swapped = [*blocks[:i], blocks[i + 1], blocks[i], *blocks[i + 2 :]]
        if blocks[i] != blocks[i + 1]:
            assert verdict(b"".join(swapped))[0] == "refused", i


@pytest.mark.parametrize("rate", [3e-4, 2e-3, 1e-2, 0.2])
@pytest.mark.parametrize("preset", PRESETS)
def test_random_bit_errors(preset, rate, verdict):
    """At any rate and under any policy: the same values and counts, or the same refusal."""
    data = protected_image(preset, 5000, host="strong", registers="strong")
    clean = verdict(data)
    begin, end = head_bytes(data), len(data) - 64
    bits = np.unpackbits(np.frombuffer(data[begin:end], np.uint8), bitorder="little")
    outcomes = set()
    for seed in range(4):
        wrong = np.random.default_rng(seed).random(len(bits)) < rate
        stored = np.packbits(bits ^ wrong, bitorder="little").tobytes()
        damaged = data[:begin] + stored + data[end:]
        for policy in POLICIES:
            said = verdict(damaged, on_uncorrectable=policy)
            outcomes.add(said[0])
            if policy == "refuse" and said[0] == "read":
                assert said[:3] == clean[:3]
    if rate == 3e-4 and preset != "bram":
        assert "read" in outcomes


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_zeroed_tensors_keep_what_was_proven(rate, verdict):
    """A tensor with lost pages: every byte is as written, or zero, or on a page that cannot be proven."""
    data = protected_image("line", 3 * 4096, host=None, registers=None)
    name = "layer.000.weights"
    clean = np.frombuffer(verdict(data)[2][name][1], np.uint8)
    begin = head_bytes(data) + 64
    damaged = bytearray(data)
    rng = np.random.default_rng(7)
    wrong = rng.random((4096, 8)) < rate
    part = np.frombuffer(bytes(damaged[begin : begin + 4096]), np.uint8)
    damaged[begin : begin + 4096] = (part ^ np.packbits(wrong, axis=1)[:, 0]).tobytes()
    said = verdict(bytes(damaged), on_uncorrectable="zero_page")
    got = np.frombuffer(said[2][name][1], np.uint8)
    assert np.array_equal(got[4096:], clean[4096:])  # sections without lost pages carry their checksum
    pages = got[:4096].reshape(-1, 64)
    whole = (pages == clean[:4096].reshape(-1, 64)).all(1)
    assert (whole | ~pages.any(1)).mean() > 0.97  # the rest: miscorrected, in a section that is reported
    assert said[3][0].uncorrectable_pages > 10


MARK = "@here@"
TOKENS = ["0", "-1", "1", "true", "null", '"row"', '"bram"', '""', "[]", "{}", "[1,2]", "1.0", "4096", "2e3",
          "9007199254740993", '{"layer.000.weights":{}}', '"0xb4"', "4294967296"]  # fmt: skip


def test_every_value_of_the_protection_replaced(verdict, seal, canonical):
    data = protected_image("bram", bias="row", registers="line")
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    plan = json.loads(header["__metadata__"]["plan"])
    reasons = set()

    def walk(value, path=()):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in list(items):
            yield value, key, (*path, key)
            if isinstance(child, (dict, list)) and len(path) < 4:
                yield from walk(child, (*path, key))

    for table, key, _ in list(walk({"ecc": plan["ecc"]})) + list(walk(plan["tensors"])):
        if isinstance(table, list) and key > 2:
            continue
        owner = plan if key == "ecc" else table
        kept = owner[key]
        owner[key] = MARK
        text = canonical(plan).decode()
        owner[key] = kept
        for token in TOKENS:
            header["__metadata__"]["plan"] = text.replace(f'"{MARK}"', token)
            said = verdict(seal(canonical(header), data[8 + size : -64]))
            reasons.add(said[0] if said[0] == "read" else said[1].split(", expected")[0])
    assert "read" in reasons  # where the token is what was there
    assert len(reasons) > 20

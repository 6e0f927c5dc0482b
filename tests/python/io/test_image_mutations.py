"""Damaged files: both readers refuse every changed byte, and agree on every other damage.

`verdict` (conftest) asserts that the C++ and the Python reader give the same values or the same
reason. Header mutations carry right checksums, so that they reach the checks behind them.
"""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.firefly.crc32c import crc32c
from lampyris.firefly.image import Image

LETTERS = '{}[]",:0123456789-.eE\\u tfnarls'  # what JSON is made of
REPEATABLE = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def small_image() -> bytes:
    tensors = {
        "layer.000.registers": np.array([0xB8 | 1 << 16, 64, 0xFC, 1], np.uint32),
        "layer.000.weights": np.arange(70, dtype=np.uint8),
        "host.stem.bias": np.array([3, 4], np.uint32),
        "ecc.none": np.zeros(0, np.uint8),
    }
    return Image({"target": "ems", "T": 2}, tensors).to_bytes()


def test_every_changed_byte_is_refused(verdict):
    data = small_image()
    assert verdict(data)[0] == "read"
    damaged = bytearray(data)
    for i, byte in enumerate(data):
        for value in {byte ^ 1, byte ^ 0x80, byte ^ 0xFF, 0, ord(" ")} - {byte}:
            damaged[i] = value
            assert verdict(bytes(damaged))[0] == "refused", (i, value)
        damaged[i] = byte


def test_every_truncation_is_refused(verdict):
    data = small_image()
    for size in range(len(data)):
        assert verdict(data[:size])[0] == "refused", size
    for extra in (b"\0", bytes(64), data[-64:], data):
        assert verdict(data + extra)[0] == "refused"


def test_moved_blocks_are_refused(verdict):
    data = small_image()
    blocks = [data[i : i + 64] for i in range(0, len(data), 64)]
    for i in range(len(blocks) - 1):
        swapped = [*blocks[:i], blocks[i + 1], blocks[i], *blocks[i + 2 :]]
        if swapped != blocks:
            assert verdict(b"".join(swapped))[0] == "refused", i
        assert verdict(b"".join(blocks[:i] + blocks[i + 1 :]))[0] == "refused", i


def test_random_bytes_are_refused(verdict):
    rng = np.random.default_rng(11)
    for size in (0, 1, 63, 64, 127, 128, 192, 640):
        for _ in range(20):
            noise = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
            assert verdict(noise)[0] == "refused"
            assert verdict(sealed_footer(noise))[0] == "refused"


def sealed_footer(data: bytes) -> bytes:
    """Noise with a right footer: the header checks have to refuse it."""
    data = data[: len(data) // 64 * 64]
    if not data:
        return data
    head = data[:64]
    footer = struct.pack("<8sIIQ36x", b"LAMPFOOT", 64, crc32c(head), len(data) + 64)
    return data + footer + struct.pack("<I", crc32c(footer))


def test_every_changed_header_byte_with_right_checksums(craft, verdict, seal):
    """Only changes of values that the program owns (plan text) can pass, and both readers agree."""
    text, data = craft.text(), craft.data[:-64]
    plan = range(text.index(b'"plan":"'), text.index(b'","version"'))
    passed = 0
    for i, byte in enumerate(text):
        for value in {byte ^ 1, byte ^ 4, ord(","), ord("0"), ord('"'), ord("\\"), ord("[")} - {byte}:
            changed = text[:i] + bytes([value]) + text[i + 1 :]
            kind = verdict(seal(changed, data))[0]
            minor_version = text[:i].endswith(b'"version":"1.')
            assert kind == "refused" or i in plan or minor_version, (i, value)
            passed += kind == "read"
    assert passed > 20  # letters of "target", the digit of T and others: nothing to hold against them


TOKENS = [
    "0", "-0", "1", "-1", "64", "1.0", "1e2", "1e999", "-1e-999", "9007199254740992", "-9007199254740992",
    "9007199254740993", "18446744073709551615", "18446744073709551616", "1" + "0" * 400, "01", "-", "+1",
    "NaN", "Infinity", "true", "false", "null", "nul", '""', '"U8"', '"U32"', '"\\u0000"', '"\\u007f"',
    '"\x7f"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\ude00\\ud83d"', '"\\u00e9"', '"\\u00E9"', '"é"', '"\\x"',
    '"', "'a'", "[]", "{}", "[[]]", "[0,64]", "[64]", '{"a":1,"a":1}', '{"b":1,"a":2}', "[1,]", "{,}",
    "/**/1",
    "[" * 28 + "]" * 28, "[" * 40 + "]" * 40, "[" * 5000, " 1", "\t1", "1 ",
]  # fmt: skip


def positions(value: object, path: tuple = ()) -> list[tuple]:
    """Paths of all members and items, without the root."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return []
    return [p for key, child in items for p in [(*path, key), *positions(child, (*path, key))]]


def replace(value: object, path: tuple, new: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def remove(value: object, path: tuple) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]


MARK = "@here@"


def test_every_value_replaced_by_every_token(craft, verdict, seal, canonical):
    """Header and plan: each value in turn becomes each token, in place, as raw JSON text."""
    reasons = set()
    for table in (craft.header, craft.plan):
        for path in positions(table):
            kept = _value(table, path)
            replace(table, path, MARK)
            text = craft.text()
            for token in TOKENS:
                if table is craft.plan:
                    # The plan is a text inside the header: replace in it, then quote it again.
                    plan = canonical(craft.plan).decode().replace(f'"{MARK}"', token)
                    craft.metadata["plan"] = plan
                    changed = craft.text()
                    del craft.metadata["plan"]
                else:
                    changed = text.replace(f'"{MARK}"'.encode(), token.encode())
                said = verdict(seal(changed, craft.data[:-64]))
                reasons.add(said[0] if said[0] == "read" else said[1].split(", expected")[0])
            replace(table, path, kept)
    assert "read" in reasons
    assert len(reasons) > 30


def _value(table: object, path: tuple) -> object:
    for key in path:
        table = table[key]
    return table


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.floats() | st.text(max_size=8)
    | st.sampled_from([0, 64, 128, 448, 512, "U8", "U32", "integrity", "layer.000.bias"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
names = st.sampled_from(
    ["layer.000.registers", "layer.000.bias", "layer.001.bias", "layer.002.registers", "host.a", "ecc.a",
     "integrity", "__metadata__", "other", "layer.999.weights", "host.", "ECC.a", "a" * 65]
)  # fmt: skip


@REPEATABLE
@given(draw=st.data())
def test_structured_mutations(draw, craft, verdict, seal, canonical):
    """Up to four edits of header and plan (remove, replace, add, rename), checksums right."""
    craft = type(craft)()
    header = {**craft.header, "__metadata__": dict(craft.metadata)}
    for _ in range(draw.draw(st.integers(1, 4))):
        table = draw.draw(st.sampled_from([header, craft.plan]))
        paths = positions(table)
        if not paths:
            continue
        path = draw.draw(st.sampled_from(paths))
        edit = draw.draw(st.sampled_from(["remove", "replace", "add", "rename"]))
        if edit == "remove":
            remove(table, path)
        elif edit == "replace":
            replace(table, path, draw.draw(json_values))
        elif edit == "add":
            table[draw.draw(names)] = draw.draw(json_values)
        else:
            kept = _value(table, path)
            remove(table, path)
            table[draw.draw(names)] = kept
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"].setdefault("plan", canonical(craft.plan).decode())
    verdict(seal(canonical(header), craft.data[:-64]))


@REPEATABLE
@given(text=st.binary(max_size=200) | st.text(LETTERS, max_size=120).map(str.encode))
def test_any_header_text(text, verdict, seal):
    assert verdict(seal(text, b""))[0] == "refused"


@REPEATABLE
@given(text=st.text(LETTERS, max_size=60) | json_values.map(repr) | st.text())
def test_any_plan_text(text, craft, verdict):
    craft.metadata["plan"] = text
    assert verdict(craft.file())[0] == "refused"


@REPEATABLE
@given(value=json_values)
def test_any_plan_member(value, verdict, craft):
    """A member that the image does not own is read exactly when it is canonical."""
    craft.plan["member"] = value
    kind, *rest = verdict(craft.file())
    assert (kind == "read") == (_allowed(value))
    if kind == "read":
        assert rest[0]["member"] == value


def _allowed(value: object) -> bool:
    if isinstance(value, dict):
        return all(_allowed(key) and _allowed(child) for key, child in value.items())
    if isinstance(value, list):
        return all(_allowed(child) for child in value)
    return not isinstance(value, float) and (not isinstance(value, int) or abs(value) <= 2**53)

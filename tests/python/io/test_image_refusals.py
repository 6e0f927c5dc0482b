"""Each rule of contract section 6, broken alone in a file whose checksums are right."""

from __future__ import annotations

import struct

import pytest

from lampyris.firefly.crc32c import crc32c


def refused(verdict, data: bytes, reason: str) -> None:
    kind, message = verdict(data)
    assert kind == "refused"
    assert reason in message


def test_footer(craft, verdict):
    data = craft.file()

    def with_footer(at: int, value: bytes) -> bytes:
        footer = bytearray(data[-64:])
        footer[at : at + len(value)] = value
        footer[60:] = struct.pack("<I", crc32c(bytes(footer[:60])))
        return data[:-64] + bytes(footer)

    refused(verdict, b"", "file length, expected a multiple of 64 of at least 128 bytes, got 0")
    refused(verdict, data + b"\0", "file length, expected a multiple of 64")
    refused(verdict, data + bytes(64), "footer, expected LAMPFOOT 64 bytes before the end, got 0x0000")
    refused(verdict, with_footer(0, b"L\0MPFOOT"), "footer, expected LAMPFOOT")
    refused(verdict, data[:-1] + b"\0", "footer CRC-32C, expected 0x")
    refused(verdict, with_footer(24, b"\1"), "footer byte 24, expected zero, got 0x01")
    refused(verdict, with_footer(59, b"\1"), "footer byte 59, expected zero, got 0x01")
    refused(verdict, with_footer(16, struct.pack("<Q", 2**64 - 1)), "expected 18446744073709551615 as the")
    for size in (0, 63, 65, 2**32 - 64, len(data)):
        refused(verdict, with_footer(8, struct.pack("<I", size)), "header bytes in the footer, expected")
    refused(verdict, with_footer(8, struct.pack("<I", 64)), "header CRC-32C, expected 0x")
    longer = bytearray(with_footer(16, struct.pack("<Q", len(data) + 64)))
    longer[len(data) - 64 : len(data) - 64] = bytes(64)
    refused(verdict, bytes(longer), "end of the tensors, expected ")


def test_header_length(craft, verdict, seal):
    data = bytearray(craft.file())
    (size,) = struct.unpack_from("<I", data, len(data) - 56)
    for value in (0, size, 2**63, 2**64 - 1):
        struct.pack_into("<Q", data, 0, value)
        struct.pack_into("<I", data, len(data) - 52, crc32c(bytes(data[:size])))
        struct.pack_into("<I", data, len(data) - 4, crc32c(bytes(data[-64:-4])))
        refused(verdict, bytes(data), f"header length, expected {size - 8}, got {value}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "header, expected JSON, got other text"),
        (b"{", "header, expected JSON, got other text"),
        (b"[]", "header, expected an object, got []"),
        (b"\xef\xbb\xbf{}", "header, expected printable ASCII, got 0xef at byte 0"),
        (b"{}\n", "header, expected printable ASCII, got 0x0a at byte 2"),
        (b"{}\0", "header, expected printable ASCII, got 0x00 at byte 2"),
        (b'{"a":"\xc3\xa9"}', "header, expected printable ASCII, got 0xc3 at byte 6"),
        (b'{"a": 1}', "header, expected canonical JSON, got another form at byte 5"),
        (b'{"b":1,"a":1}', "header, expected canonical JSON, got another form at byte 2"),
        (b'{"a":1,"a":1}', "header, expected canonical JSON, got another form at byte 6"),
        (b'{"a":-0}', "header, expected canonical JSON, got another form at byte 5"),
        (b'{"a":"\\u0041"}', "header, expected canonical JSON, got another form at byte 6"),
        (b'{"a":"\\/"}', "header, expected canonical JSON, got another form at byte 6"),
        (b'{"a":"\\u00E9"}', "header, expected canonical JSON, got another form at byte 10"),
        (b'{"a":1.5}', 'header, expected integers within +-2^53, got another value at "/a"'),
        (b'{"a":1e2}', 'header, expected integers within +-2^53, got another value at "/a"'),
        (b'{"a":[0,9007199254740993]}', 'integers within +-2^53, got another value at "/a/1"'),
        (b'{"a":-9007199254740993}', 'integers within +-2^53, got another value at "/a"'),
        (b'{"a":18446744073709551616}', 'integers within +-2^53, got another value at "/a"'),
        (b'{"a":' + b"9" * 5000 + b"}", "header, expected JSON, got other text"),
        (b'{"a":1e999}', "header, expected JSON, got other text"),
        (b'{"a":NaN}', "header, expected JSON, got other text"),
        (b'{"a":-Infinity}', "header, expected JSON, got other text"),
        (b'{"a":"\\ud800"}', "header, expected JSON, got other text"),
        (b'{"a":"\\udc00\\ud800"}', "header, expected JSON, got other text"),
        (b'{"a":01}', "header, expected JSON, got other text"),
        (b'{"a":1,}', "header, expected JSON, got other text"),
        (b'{"a":1}x', "header, expected JSON, got other text"),
        (b"[" * 33 + b"]" * 33, "header, expected at most 32 levels of nesting, got more"),
        (b"[" * 1_000_000, "header, expected at most 32 levels of nesting, got more"),
        (b'{"a":' * 200_000, "header, expected at most 32 levels of nesting, got more"),
        (b"[" * 32 + b"]" * 32, "header, expected an object, got [[["),
        (b'"' + b"[" * 100 + b'"', 'header, expected an object, got "[[['),
        (b"{}", "__metadata__, expected an object, got none"),
        (b'{"__metadata__":null}', "__metadata__, expected an object, got null"),
        (b'{"__metadata__":{"a":1}}', '__metadata__ "a", expected a text, got 1'),
        (b'{"__metadata__":{}}', "__metadata__, expected format, plan and version, got none"),
    ],
)
def test_header_text(text, reason, verdict, seal):
    refused(verdict, seal(text, b""), reason)


@pytest.mark.parametrize("spaces", [64, 128])
def test_header_padding(spaces, craft, verdict, seal):
    text = craft.text()
    refused(verdict, seal(text + b" " * spaces, craft.data[:-64]), "header padding, expected spaces up to")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "lampyris"}, 'format, expected "lampyris.firefly", got "lampyris"'),
        ({"version": "2.0"}, 'version, expected "1.x", got "2.0"'),
        ({"version": "1"}, 'version, expected "1.x", got "1"'),
        ({"version": "1.00"}, 'version, expected "1.x", got "1.00"'),
        ({"version": "1.0\n"}, 'version, expected "1.x", got "1.0\\n"'),
        ({"version": "1.١"}, 'version, expected "1.x", got "1.\\u0661"'),
        ({"more": ""}, '__metadata__, expected format, plan and version, got "format", "more", "plan"'),
    ],
)
def test_metadata(changes, reason, craft, verdict):
    craft.metadata.update(changes)
    refused(verdict, craft.file(), reason)


@pytest.mark.parametrize("version", ["1.0", "1.7", "1.9999"])
def test_minor_versions_are_read(version, craft, verdict):
    craft.metadata["version"] = version
    assert verdict(craft.file())[0] == "read"


HUGE = 2**53


@pytest.mark.parametrize(
    ("name", "entry", "reason"),
    [
        ("layer.000.bias", 3, "tensor layer.000.bias, expected data_offsets, dtype and shape, got 3"),
        ("layer.000.bias", {"shape": [1]}, "expected data_offsets, dtype and shape, got {"),
        ("layer.000.bias", {"dtype": "I8"}, 'dtype of tensor layer.000.bias, expected U8 or U32, got "I8"'),
        ("layer.000.bias", {"dtype": ["U8"]}, 'dtype of tensor layer.000.bias, expected U8 or U32, got ["U8'),
        ("layer.000.bias", {"shape": 64}, "shape of tensor layer.000.bias, expected one length, got 64"),
        ("layer.000.bias", {"shape": [8, 8]}, "expected one length, got [8,8]"),
        ("layer.000.bias", {"shape": []}, "expected one length, got []"),
        ("layer.000.bias", {"shape": [True]}, "expected one length, got [true]"),
        ("layer.000.bias", {"shape": [-64]}, "expected one length, got [-64]"),
        ("layer.000.bias", {"shape": [HUGE]}, f"expected {HUGE} bytes, got 64"),
        ("host.stem.bias", {"shape": [HUGE]}, f"expected {4 * HUGE} bytes, got 64"),
        ("layer.000.bias", {"data_offsets": [0]}, "of tensor layer.000.bias, expected [begin, end]"),
        ("layer.000.bias", {"data_offsets": [64, 0]}, "expected 64 bytes, got -64"),
        ("layer.000.bias", {"data_offsets": [0, HUGE]}, f"expected 64 bytes, got {HUGE}"),
        ("layer.000.bias", {"data_offsets": [HUGE - 64, HUGE]}, "start of tensor layer.000.bias, expected 2"),
        ("layer.000.bias", {"data_offsets": [256, 319], "shape": [63]}, "a multiple of 64 bytes, got 63"),
        ("layer.000.bias", {"dtype": "U32", "shape": [16]}, "of tensor layer.000.bias, expected U8, got U32"),
        ("ecc.none", {"dtype": "U32"}, "dtype of tensor ecc.none, expected U8, got U32"),
        ("integrity", {"dtype": "U32", "shape": [16]}, "dtype of tensor integrity, expected U8, got U32"),
        ("layer.000.bias", {"data_offsets": [192, 256]}, "of tensor layer.000.bias, expected 256, got 192"),
        ("layer.000.bias", {"data_offsets": [320, 384]}, "of tensor layer.000.bias, expected 256, got 320"),
        ("integrity", {"data_offsets": [448, 448], "shape": [0]}, "of tensor integrity, expected 64, got 0"),
        ("integrity", {"data_offsets": [448, 576], "shape": [128]}, "of tensor integrity, expected 64"),
    ],
)
def test_entries(name, entry, reason, craft, verdict):
    if not isinstance(entry, dict) or (len(entry) == 1 and reason.startswith("expected data_offsets")):
        craft.header[name] = entry
    else:
        craft.header[name].update(entry)
    refused(verdict, craft.file(), reason)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("layer.001.registers", "layer.002.registers", "expected tensor layer.001.registers, got layer.002"),
        ("layer.000.registers", "layer.000.register", "tensor name, expected layer.NNN.registers"),
        ("layer.000.bias", "layer.001.bias", "start of tensor layer.001.registers, expected 256, got 320"),
        ("layer.000.weights", "layer.0000.weights", "tensor name, expected layer.NNN.registers"),
        ("layer.000.bias", "layer.000.BIAS", 'tensor name, expected [a-z0-9_.]{1,64}, got "layer.000.BIAS"'),
        ("layer.000.bias", "", 'tensor name, expected [a-z0-9_.]{1,64}, got ""'),
        ("host.stem.bias", "host." + "a" * 60, 'tensor name, expected [a-z0-9_.]{1,64}, got "host.aaa'),
        ("host.stem.bias", "host.a\n", 'tensor name, expected [a-z0-9_.]{1,64}, got "host.a\\n"'),
        ("host.stem.bias", "host.٣", 'tensor name, expected [a-z0-9_.]{1,64}, got "host.\\u0663"'),
        ("host.stem.bias", "host.", "tensor name, expected layer.NNN.registers"),
        ("host.stem.bias", "guest.bias", "tensor name, expected layer.NNN.registers"),
        ("integrity", "ecc.last", "tensor integrity, expected at the end, got none"),
        ("ecc.none", "host.none", "start of tensor host.none, expected 384, got 448"),
    ],
)
def test_names_and_order(old, new, reason, craft, verdict):
    for table in (craft.header, craft.plan["tensors"]):
        if old in table:
            table[new] = table.pop(old)
    refused(verdict, craft.file(), reason)


def test_empty_and_ecc_tensors(craft, verdict):
    craft.header["ecc.none"] = {"data_offsets": [448, 512], "dtype": "U8", "shape": [64]}
    craft.header["integrity"]["data_offsets"] = [512, 576]
    craft.plan["tensors"]["ecc.none"] = {"bytes": 64, "crc32c": crc32c(bytes(64))}
    craft.data = craft.data[:-64] + bytes(128)
    reason = "tensor ecc.none, expected no bytes, for the plan's ecc does not use it, got 64"
    refused(verdict, craft.file(), reason)


def test_other_empty_tensors(craft, verdict):
    craft.header["host.a"] = {"data_offsets": [384, 384], "dtype": "U8", "shape": [0]}
    craft.plan["tensors"]["host.a"] = {"bytes": 0, "crc32c": 0}
    refused(verdict, craft.file(), "tensor host.a, expected at least 1 byte, got 0")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tensors": None}, "tensors of the plan, expected an object, got null"),
        ({"ecc": {"code": "bch"}}, "ecc of the plan, expected codes, section and tensors, got {"),
        ({"ecc": None}, "ecc of the plan, expected codes, section and tensors, got null"),
        ({"step": 0.5}, 'plan, expected integers within +-2^53, got another value at "/step"'),
    ],
)
def test_plan(changes, reason, craft, verdict):
    craft.plan.update(changes)
    refused(verdict, craft.file(), reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "plan, expected JSON, got other text"),
        ("[]", "plan, expected an object, got []"),
        ("{}", "tensors of the plan, expected an object, got none"),
        ('{"a":1} ', "plan, expected canonical JSON, got another form at byte 7"),
        ('{"é":1}', "plan, expected printable ASCII, got 0xc3 at byte 2"),
        ("[" * 33 + "]" * 33, "plan, expected at most 32 levels of nesting, got more"),
    ],
)
def test_plan_text(text, reason, craft, verdict):
    craft.metadata["plan"] = text
    refused(verdict, craft.file(), reason)


@pytest.mark.parametrize(
    ("name", "guard", "reason"),
    [
        ("layer.000.bias", 7, "plan of tensor layer.000.bias, expected bytes and crc32c, got 7"),
        ("layer.000.bias", {"bytes": 32}, 'expected bytes and crc32c, got {"bytes":32}'),
        ("layer.000.bias", {"bytes": 0, "crc32c": 0}, "length of tensor layer.000.bias, expected 1 to 64"),
        ("layer.000.bias", {"bytes": 65, "crc32c": 0}, "expected 1 to 64 bytes, whole words, got 65"),
        ("layer.000.bias", {"bytes": "32", "crc32c": 0}, 'expected 1 to 64 bytes, whole words, got "32"'),
        ("host.stem.bias", {"bytes": 11, "crc32c": 0}, "expected 1 to 64 bytes, whole words, got 11"),
        ("layer.000.bias", {"bytes": 32, "crc32c": 2**32}, "of tensor layer.000.bias, expected 32 bits"),
        ("layer.000.bias", {"bytes": 32, "crc32c": True}, "expected 32 bits, got true"),
        ("layer.000.bias", {"bytes": 32, "crc32c": 0}, "of tensor layer.000.bias, expected 0x00000000"),
        ("host.extra", {"bytes": 0, "crc32c": 0}, 'expected tensors of this file, got "host.extra"'),
        ("integrity", {"bytes": 64, "crc32c": 0}, 'expected tensors of this file, got "integrity"'),
    ],
)
def test_guards(name, guard, reason, craft, verdict):
    craft.plan["tensors"][name] = guard
    refused(verdict, craft.file(), reason)


def test_missing_guard(craft, verdict):
    del craft.plan["tensors"]["host.stem.bias"]
    refused(verdict, craft.file(), "tensors of the plan, expected an entry for host.stem.bias, got none")


@pytest.mark.parametrize(
    ("name", "position", "value", "reason"),
    [
        ("layer.000.bias", 32, 1, "padding of tensor layer.000.bias, expected zero, got 0x01 at byte 32"),
        ("host.stem.bias", 63, 255, "padding of tensor host.stem.bias, expected zero, got 0xff at byte 63"),
        ("layer.000.registers", 2, 3, "relocation 0 to 2 in pair 0, got 0x000300a8"),
        ("layer.000.registers", 8, 0xFD, "relocation 0 to 2 in pair 1, got 0x000000fd"),
    ],
)
def test_content(name, position, value, reason, craft, verdict):
    begin, end = craft.header[name]["data_offsets"]
    data = bytearray(craft.data)
    data[begin + position] = value
    craft.data = bytes(data)
    craft.plan["tensors"][name]["crc32c"] = crc32c(craft.data[begin:end])
    refused(verdict, craft.file(), reason)


def test_odd_registers(craft, verdict):
    craft.plan["tensors"]["layer.000.registers"]["bytes"] = 12
    begin, end = craft.header["layer.000.registers"]["data_offsets"]
    craft.data = craft.data[: begin + 12] + bytes(52) + craft.data[end:]
    craft.plan["tensors"]["layer.000.registers"]["crc32c"] = crc32c(craft.data[begin:end])
    refused(verdict, craft.file(), "expected pairs of words (8 bytes each), got 12 bytes")

"""Images with check words: repaired and reported, refused when strict, never accepted wrong."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from lampyris import _native, firefly
from lampyris.firefly.crc32c import crc32c
from lampyris.firefly.image import Image, describe_repairs, load, scrub
from lampyris.firefly.page_codes import PRESETS
from lampyris.firefly.protected_reader import TensorRepair

NAMES = tuple(PRESETS)


def protected(preset: str = "row", size: int = 9000, **classes) -> bytes:
    rng = np.random.default_rng(5)
    weights = rng.normal(0, 20, size).round().clip(-127, 127).astype(np.int8).view(np.uint8)
    tensors = {
        "layer.000.registers": np.array([0xB8 | 1 << 16, 64, 0xFC, 1] * 9, np.uint32),
        "layer.000.weights": weights,
        "layer.000.bias": rng.integers(0, 256, 200, dtype=np.uint8),
        "host.stem.weight": rng.integers(0, 256, 27, dtype=np.uint8),
        "ecc.a": np.zeros(0, np.uint8),
    }
    return Image({"target": "ems", "T": 2}, tensors).protect(preset, **classes).to_bytes()


def spans(data: bytes) -> dict[str, tuple[int, int]]:
    """Place of every tensor in the file."""
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__")
    return {name: tuple(8 + size + at for at in entry["data_offsets"]) for name, entry in header.items()}


def flip(data: bytes, *places: tuple[int, int]) -> bytes:
    changed = bytearray(data)
    for at, bit in places:
        changed[at] ^= 1 << bit
    return bytes(changed)


def rows_of(said: tuple) -> dict[str, TensorRepair]:
    assert said[0] == "read"
    return {row.tensor: row for row in said[3]}


@pytest.mark.parametrize("preset", NAMES)
def test_clean_files(preset, verdict):
    data = protected(preset)
    said = verdict(data)
    assert {row.corrected_bits for row in said[3]} == {0}
    assert [row.tensor for row in said[3]] == [
        "layer.000.registers", "layer.000.weights", "layer.000.bias", "host.stem.weight"
    ]  # fmt: skip
    assert verdict(data, strict=True) == said
    assert Image.from_bytes(data).to_bytes() == data
    assert b'"version":"1.1"' in data


def test_clean_protection_changes_no_address(verdict):
    data = protected("strong")
    plain = Image.from_bytes(data)
    plain.plan.pop("ecc")
    plain.tensors.pop("ecc.parity")
    bare = plain.to_bytes()
    assert b'"version":"1.0"' in bare
    old, new = spans(bare), spans(data)
    base = {name: place[0] - old["layer.000.registers"][0] for name, place in old.items() if name[0] in "lh"}
    assert base == {name: new[name][0] - new["layer.000.registers"][0] for name in base}
    assert verdict(bare)[2] == {k: v for k, v in verdict(data)[2].items() if k != "ecc.parity"}


@pytest.mark.parametrize("preset", NAMES)
def test_each_preset_corrects_t_bits_of_a_page(preset, verdict):
    data = protected(preset)
    code, where, clean = PRESETS[preset], spans(data), verdict(data)
    rng = np.random.default_rng(1)
    for name in ("layer.000.registers", "layer.000.weights", "layer.000.bias", "host.stem.weight"):
        begin, end = where[name]
        for _ in range(4):
            page = int(rng.integers(code.pages(end - begin)))
            start = begin + page * code.page_bytes
            bits = 8 * min(code.page_bytes, end - start)
            chosen = rng.choice(bits, code.t + 1, replace=False)
            places = [(start + int(b) // 8, int(b) % 8) for b in chosen]
            said = verdict(flip(data, *places[:-1]))
            assert said[:3] == clean[:3]
            row = rows_of(said)[name]
            assert (row.corrected_pages, row.corrected_bits) == (1, code.t)
            kind, reason = verdict(flip(data, *places[:-1]), strict=True)
            assert kind == "refused"
            assert f"tensor {name}, expected no wrong bits, got {code.t} on 1 pages" in reason
            kind, reason = verdict(flip(data, *places))
            assert kind == "refused"
            expected = f"page {page} of tensor {name}, expected at most {code.t} wrong bits, got more"
            assert expected in reason


def test_each_class_has_its_preset(verdict):
    data = protected("page", bias="strong", registers="line", host=None)
    presets = {row.tensor: row.preset for row in verdict(data)[3]}
    assert presets == {
        "layer.000.registers": "line", "layer.000.weights": "page", "layer.000.bias": "strong"
    }  # fmt: skip
    begin, _ = spans(data)["host.stem.weight"]
    kind, reason = verdict(flip(data, (begin, 0)))
    assert kind == "refused"
    assert "CRC-32C of tensor host.stem.weight" in reason


def test_wrong_check_words_and_their_padding(verdict):
    data = protected("row")
    begin, end = spans(data)["ecc.parity"]
    clean = verdict(data)
    for at in range(begin, end, 5):
        for bit in (at % 8, 7):
            said = verdict(flip(data, (at, bit)))
            assert said[:3] == clean[:3]
            assert sum(row.corrected_bits for row in said[3]) == 1
    assert rows_of(verdict(flip(data, (end - 1, 3))))["ecc.parity"].corrected_bits == 1
    kind, reason = verdict(flip(data, (end - 1, 3)), strict=True)
    assert kind == "refused"
    assert "tensor ecc.parity, expected no wrong bits, got 1 on 1 pages" in reason


def seal_again(data: bytes) -> bytes:
    """The file with the checksum of its header made right."""
    head = struct.unpack_from("<I", data, len(data) - 56)[0]
    changed = bytearray(data)
    struct.pack_into("<I", changed, len(data) - 52, crc32c(data[:head]))
    struct.pack_into("<I", changed, len(data) - 4, crc32c(bytes(changed[-64:-4])))
    return bytes(changed)


def test_a_corrected_section_whose_checksum_fails_is_refused(verdict):
    """Pages that decode to a code word which was not written: wrong data with their own check words."""
    data = protected("line")
    begin, end = spans(data)["layer.000.weights"]
    other = bytearray(data)
    other[begin] ^= 0xFF
    code = PRESETS["line"]
    words = code.to_bytes(code.encode(np.frombuffer(bytes(other[begin:end]), np.uint8)))
    parity = spans(data)["ecc.parity"][0] + len(
        code.to_bytes(code.encode(np.frombuffer(data[slice(*spans(data)["layer.000.registers"])], np.uint8)))
    )
    other[parity : parity + len(words)] = words
    for wrong in (bytes(other), flip(bytes(other), (begin + 100, 0))):
        kind, reason = verdict(wrong)
        assert kind == "refused"
        assert "CRC-32C of section 0 of tensor layer.000.weights" in reason
    # A policy that goes on gives up the pages of the section that were corrected.
    corrected = flip(bytes(other), (begin + 100, 0))
    said = verdict(corrected, on_uncorrectable="zero_page")
    expected = bytearray(other[begin : begin + 9000])
    expected[64:128] = bytes(64)
    assert said[2]["layer.000.weights"][1] == expected
    row = rows_of(said)["layer.000.weights"]
    assert (row.corrected_pages, row.corrected_bits, row.uncorrectable_pages) == (0, 0, 1)
    said = verdict(corrected, on_uncorrectable="zero_weights")
    assert said[2]["layer.000.weights"][1] == bytes(other[begin : begin + 9000])  # nothing was too large
    # Without one, the whole section.
    for policy in ("zero_page", "zero_weights"):
        said = verdict(bytes(other), on_uncorrectable=policy)
        assert said[2]["layer.000.weights"][1] == bytes(4096) + data[begin + 4096 : begin + 9000]
        assert rows_of(said)["layer.000.weights"].uncorrectable_pages == 4096 // 64


def test_moved_sections_with_their_check_words(verdict):
    data = protected("row", size=3 * 4096)
    begin, _ = spans(data)["layer.000.weights"]
    parity = spans(data)["ecc.parity"][0] + 8  # behind that of the registers
    moved = bytearray(data)
    # 16 pages with their check words: masks repeat after 64.
    moved[begin : begin + 4096], moved[begin + 4096 : begin + 8192] = (
        data[begin + 4096 : begin + 8192], data[begin : begin + 4096]
    )  # fmt: skip
    moved[parity : parity + 128], moved[parity + 128 : parity + 256] = (
        data[parity + 128 : parity + 256], data[parity : parity + 128]
    )  # fmt: skip
    kind, reason = verdict(bytes(moved))
    assert kind == "refused"
    assert "page 0 of tensor layer.000.weights, expected at most 5 wrong bits" in reason


@pytest.mark.parametrize("preset", NAMES)
def test_policies(preset, verdict):
    data = protected(preset)
    code, (begin, _) = PRESETS[preset], spans(data)["layer.000.weights"]
    clean = np.frombuffer(data[begin : begin + 9000], np.uint8)
    page = 4096 // code.page_bytes  # the first of section 1
    start = page * code.page_bytes
    # Sign bits of the smallest weights of the page, and one low bit.
    weights = clean[start : start + code.page_bytes].view(np.int8)
    order = np.argsort(np.abs(weights), kind="stable")
    chosen = order[: code.t] if code.t > 1 else order[:1]
    places = [(begin + start + int(i), 7) for i in chosen] + [(begin + start + int(order[-1]), 0)]
    bad = flip(data, *places)
    assert verdict(bad)[0] == "refused"
    assert verdict(bad, strict=True, on_uncorrectable="zero_page")[0] == "refused"
    said = verdict(bad, on_uncorrectable="zero_page")
    expected = clean.copy()
    expected[start : start + code.page_bytes] = 0
    assert said[2]["layer.000.weights"][1] == expected.tobytes()
    assert rows_of(said)["layer.000.weights"].uncorrectable_pages == 1
    said = verdict(bad, on_uncorrectable="zero_weights")
    got = np.frombuffer(said[2]["layer.000.weights"][1], np.uint8)
    limit = np.abs(clean[4096:8192].view(np.int8).astype(int)).max()
    read = np.frombuffer(bad[begin : begin + 9000], np.uint8)
    flagged = np.abs(read.view(np.int8).astype(int)) > limit
    assert flagged[start : start + code.page_bytes].sum() == flagged.sum() == len(chosen)
    assert np.array_equal(got, np.where(flagged, 0, read))
    assert rows_of(said)["layer.000.weights"].zeroed_weights == len(chosen)
    # What is not a weight is refused under every policy.
    bias = spans(data)["layer.000.bias"][0]
    bad = flip(data, *((bias + i, 2) for i in range(code.t + 1)))
    assert {verdict(bad, on_uncorrectable=policy)[0] for policy in ("zero_page", "zero_weights")} == {
        "refused"
    }


def test_padding_is_zero_under_every_policy(verdict):
    data = protected("bram")
    begin, end = spans(data)["host.stem.weight"]
    assert end - begin == 64
    said = verdict(flip(data, (begin + 62, 0), (begin + 62, 1)), on_uncorrectable="zero_weights")
    assert said[2]["host.stem.weight"][1] == data[begin : begin + 27]
    assert rows_of(said)["host.stem.weight"].zeroed_weights == 1


def small_program(**classes) -> Image:
    program = firefly.Program(parallelism=16, time_steps=2, preset="zcu104")
    stream = program.input("stem", channels=16, height=4, width=4, steps=1)
    spikes = program.neuron("lif", stream, threshold=20)
    program.output("head", spikes, np.ones((3, 16, 1, 1), np.int8), np.zeros(3, np.int16))
    return program.build().protect("row", **classes)


def test_load_repairs_and_reports(tmp_path, recwarn):
    image = small_program(bias="strong")
    path = image.save(tmp_path / "image.safetensors")
    data = path.read_bytes()
    assert load(path).to_bytes() == data
    assert not recwarn
    begin, _ = spans(data)["layer.001.weights"]
    path.write_bytes(flip(data, (begin, 1), (begin + 1, 1)))
    line = "corrected 2 bits on 1 page of layer.001.weights"
    with pytest.warns(firefly.RepairWarning, match=rf"^weight image .*image\.safetensors: {line}$"):
        again = load(path)
    assert describe_repairs(again.repairs) == line
    assert again.to_bytes() == data
    with pytest.raises(ValueError, match=r"\.safetensors: tensor layer\.001\.weights, expected no wrong"):
        load(path, strict=True)
    assert sum(row.corrected_bits for row in scrub(path)) == 2
    assert path.read_bytes() == data
    assert sum(row.corrected_bits for row in scrub(path)) == 0


def test_scrub_leaves_what_it_cannot_correct(tmp_path):
    path = small_program().save(tmp_path / "image.safetensors")
    data = path.read_bytes()
    begin, _ = spans(data)["layer.001.weights"]
    bad = flip(data, *((begin + i, 0) for i in range(6)))
    path.write_bytes(bad)
    with pytest.raises(ValueError, match=r"image\.safetensors: page 0 of tensor layer\.001\.weights"):
        scrub(path)
    assert path.read_bytes() == bad
    with pytest.raises(FileNotFoundError):
        scrub(tmp_path / "missing")


def test_device_memory_is_scrubbed():
    image = small_program(weights="strong")
    device = firefly.Device(parallelism=16)
    driver = firefly.Driver(device)
    stream = np.full((1, 16, 4, 4), 30, np.int16)
    before = driver.run(image, stream).outputs["head"].copy()
    scrubber = firefly.scrubbers(image, device.memory)["layer.001.weights"]
    for _ in range(3):
        scrubber.data[[0, 1, 2, 16, 17]] ^= 0x40  # outputs 0, 1, 2 of inputs 0 and 1: one page
        assert not np.array_equal(driver.run(image, stream).outputs["head"], before)
        assert scrubber.step() == []
        assert np.array_equal(driver.run(image, stream).outputs["head"], before)
    assert scrubber.counters.corrected_bits == 15
    assert scrubber.repeated == {0: 3}
    image.plan.pop("ecc")
    with pytest.raises(ValueError, match="image must be protected"):
        firefly.scrubbers(image, device.memory)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda ecc: ecc.pop("codes"), "ecc of the plan, expected codes, section and tensors, got {"),
        (lambda ecc: ecc.update(more=1), "ecc of the plan, expected codes, section and tensors, got {"),
        (lambda ecc: ecc.update(section=512), "ecc section of the plan, expected 4096, got 512"),
        (lambda ecc: ecc.update(section=True), "ecc section of the plan, expected 4096, got true"),
        (lambda ecc: ecc.update(tensors={}), "ecc tensors of the plan, expected an object with entries"),
        (lambda ecc: ecc.update(tensors=[1]), "ecc tensors of the plan, expected an object with entries"),
        (lambda ecc: ecc["tensors"].update({"ecc.a": {}}), 'layer.* and host.* of this file, got "ecc.a"'),
        (lambda ecc: ecc["tensors"].update({"host.b": {}}), 'layer.* and host.* of this file, got "host.b"'),
        (lambda ecc: ecc["tensors"].pop("layer.000.bias"), "ecc begin of tensor host.stem.weight, expected"),
        (lambda ecc: ecc["tensors"].pop("host.stem.weight"), "true length of tensor ecc.parity, expected 3"),
        (lambda ecc: ecc["codes"].pop("row"), 'ecc codes of the plan, expected {"row":{"bits":2048'),
        (lambda ecc: ecc["codes"]["row"].update(t=4), "ecc codes of the plan, expected"),
        (lambda ecc: ecc["codes"]["row"].update(extended=1), "ecc codes of the plan, expected"),
        (lambda ecc: ecc["codes"]["row"]["masks"].reverse(), "ecc codes of the plan, expected"),
    ],
)
def test_wrong_plans(change, reason, verdict, canonical, seal):
    refused_with(lambda plan: change(plan["ecc"]), reason, verdict, canonical, seal)


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("preset", "column", "expected bram, line, page, row or strong, got \"column\""),
        ("preset", 3, "expected bram, line, page, row or strong, got 3"),
        ("begin", 24, "ecc begin of tensor layer.000.weights, expected 8, got 24"),
        ("begin", "24", 'ecc begin of tensor layer.000.weights, expected 8, got "24"'),
        ("sections", [1, 2], "ecc sections of tensor layer.000.weights, expected 3 integers within 0..429"),
        ("sections", [1, 2, 2**32], "expected 3 integers within 0..4294967295, got [1,2,4294967296]"),
        ("sections", [1, 2, True], "expected 3 integers within 0..4294967295, got [1,2,true]"),
        ("sections", None, "expected 3 integers within 0..4294967295, got null"),
        ("limits", [129, 0, 0], "ecc limits of tensor layer.000.weights, expected 3 integers within 0..128"),
        ("limits", [-1, 0, 0], "ecc limits of tensor layer.000.weights, expected 3 integers within 0..128"),
        ("limits", [1, 2, 3], "ecc limit of section 0 of tensor layer.000.weights, expected "),
        ("sections", [1, 2, 3], "CRC-32C of section 0 of tensor layer.000.weights, expected 0x00000001"),
        ("other", 1, "ecc of tensor layer.000.weights, expected begin, limits, preset and sections, got {"),
    ],
)  # fmt: skip
def test_wrong_entries(member, value, reason, verdict, canonical, seal):
    def change(plan):
        plan["ecc"]["tensors"]["layer.000.weights"][member] = value

    refused_with(change, reason, verdict, canonical, seal)


def refused_with(change, reason, verdict, canonical, seal):
    data = protected("row")
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    plan = json.loads(header["__metadata__"]["plan"])
    change(plan)
    header["__metadata__"]["plan"] = canonical(plan).decode()
    kind, message = verdict(seal(canonical(header), data[8 + size : -64]))
    assert kind == "refused"
    assert reason in message


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"ecc": {"tensors": {}}}, "ecc of the plan, expected tensors with a preset each"),
        ({"ecc": {"tensors": {"layer.000.registers": "row"}}}, 'preset of tensor "layer.000.registers"'),
        ({"ecc": {"tensors": {"layer.000.registers": {"preset": "r"}}}}, "expected bram, line, page, row"),
        ({"ecc": {"tensors": {"layer.001.bias": {"preset": "row"}}}}, 'of this image, got "layer.001.bias"'),
        ({"ecc": {"tensors": {"ecc.a": {"preset": "row"}}}}, 'host.* of this image, got "ecc.a"'),
    ],
)  # fmt: skip
def test_writer_refuses(plan, reason):
    tensors = [("layer.000.registers", "U32", struct.pack("<II", 0xFC, 1)), ("ecc.a", "U8", b"")]
    with pytest.raises(ValueError) as caught:
        _native.io.write_image(json.dumps(plan), tensors)
    assert reason in str(caught.value)


def test_bad_arguments(verdict):
    assert verdict(protected(), on_uncorrectable="zero")[0] == "refused"
    image = Image({}, {})
    with pytest.raises(ValueError, match="preset must be one of bram, line"):
        image.protect("column")
    with pytest.raises(ValueError, match="class of tensors must be one of weights, bias, registers, host"):
        image.protect("row", thresholds="strong")
    assert "ecc" not in image.protect(None).plan

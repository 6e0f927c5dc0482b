"""Presets against the facts they come from, and what they let through."""

from __future__ import annotations

import numpy as np
import pytest

from lampyris import _native, ecc
from lampyris.ecc.protection import miscorrection_ratio, uncorrectable
from lampyris.firefly import page_codes


def test_three_tables_of_presets_agree():
    native = {preset.pop("name"): preset for preset in _native.ecc.presets()}
    masks = {name: tuple(preset.pop("masks")) for name, preset in native.items()}
    twin = page_codes.PRESETS
    assert list(native) == list(twin) == list(ecc.PRESETS) == ["bram", "line", "page", "row", "strong"]
    for name, preset in native.items():
        for other in (ecc.PRESETS[name], twin[name]):
            assert {key: getattr(other, key) for key in preset} == preset
        assert masks[name] == twin[name].masks


@pytest.mark.parametrize(
    ("name", "page", "check_bits", "word", "overhead"),
    [
        ("line", 64, 31, 4, 0.0625),
        ("row", 256, 61, 8, 0.03125),
        ("page", 512, 53, 8, 0.015625),
        ("bram", 8, 8, 1, 0.125),
        ("strong", 32, 46, 8, 0.25),
    ],
)
def test_published_presets(name, page, check_bits, word, overhead):
    preset = ecc.PRESETS[name]
    assert (preset.page_bytes, preset.check_bits, preset.word_bytes) == (page, check_bits, word)
    assert preset.overhead == overhead
    assert check_bits <= 8 * word


@pytest.mark.parametrize("name", ecc.PRESETS)
def test_the_twin_encodes_and_corrects_as_the_native_code(name):
    code, rng = page_codes.PRESETS[name], np.random.default_rng(4)
    for size in (1, 64, 127, 700, 5000):
        data = rng.integers(0, 256, size, dtype=np.uint8)
        words = code.encode(data)
        assert code.to_bytes(words) == _native.ecc.encode_section(name, data)
        assert code.repair(data, words) is None
    size = 40 * code.page_bytes + code.page_bytes // 2
    data = rng.integers(0, 256, size, dtype=np.uint8)
    stored = np.frombuffer(_native.ecc.encode_section(name, data), np.uint8)
    for rate in (0.3 / code.page_bytes / 8, 1 / code.page_bytes / 8, code.t / code.page_bytes / 8, 0.1):
        bad = data ^ np.packbits(rng.random((size, 8)) < rate, axis=1)[:, 0]
        bad_words = stored ^ np.packbits(rng.random((len(stored), 8)) < rate, axis=1)[:, 0]
        found = code.repair(bad, code.from_bytes(bad_words))
        native, native_words = bad.copy(), bad_words.copy()
        corrected, lost = _native.ecc.repair_section(name, native, native_words)
        if found is None:
            assert not corrected
            assert not lost
            continue
        assert found.bits == dict(corrected)
        assert found.lost == lost
        assert np.array_equal(found.data, native)
        assert code.to_bytes(found.words) == native_words.tobytes()


@pytest.mark.parametrize("name", ecc.PRESETS)
def test_masks_are_far_from_every_code_word(name):
    """In the twin: no sum of masks is within t errors of a code word, nor is empty memory."""
    code = page_codes.PRESETS[name]
    sums = [0]
    for mask in code.masks:
        sums += [value ^ mask for value in sums]
    bits = 8 * code.page_bytes
    assert code.locate(0, bits) == ([], 0)
    assert all(code.locate(value, bits) is None for value in sums[1:])
    for value in (0, 255):
        data = np.full(65 * code.page_bytes, value, np.uint8)
        words = code.from_bytes(np.full(65 * code.word_bytes, value, np.uint8))
        assert code.repair(data, words).lost == list(range(65))


# Facts 5.3: K, t, miscorrection ratio, expected uncorrectable pages of 1 MiB at 1e-3, 1e-4, 1e-5, 1e-6.
PUBLISHED = [
    (64, 1, None, 3.2e2, 3.3, 3.4e-2, 3.4e-4),
    (256, 2, 0.144, 9.1e1, 1.1e-1, 1.1e-4, 1.1e-7),
    (256, 3, 2.8e-2, 6.9, 8.4e-4, 8.6e-8, 8.6e-12),
    (256, 5, 5.8e-4, 2.5e-2, 3.1e-8, 3.2e-14, 3.2e-20),
    (512, 1, 0.511, 1.6e3, 2.2e1, 2.2e-1, 2.2e-3),
    (512, 2, 0.135, 2.8e2, 3.9e-1, 4.1e-4, 4.1e-7),
    (512, 3, 2.5e-2, 3.8e1, 5.6e-3, 5.8e-7, 5.8e-11),
    (512, 5, 4.1e-4, 4.3e-1, 6.7e-7, 7.0e-13, 7.0e-19),
    (1024, 3, 2.3e-2, 1.9e2, 3.9e-2, 4.2e-6, 4.2e-10),
    (2048, 3, 2.2e-2, 6.5e2, 2.7e-1, 3.2e-5, 3.2e-9),
    (2048, 5, 3.0e-4, 8.5e1, 4.1e-4, 4.9e-10, 5.0e-16),
    (4096, 4, 2.7e-3, 8.2e2, 1.5e-1, 2.0e-6, 2.1e-11),
    (4096, 5, 2.8e-4, 4.9e2, 1.0e-2, 1.4e-8, 1.5e-14),
]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row[0]}-{row[1]}")
def test_published_table_of_uncorrectable_pages(row):
    bits, t, ratio, *expected = row
    r = 8 if ratio is None else ecc.BchCode(data_bits=bits, t=t, extended=False).parity_bits
    for rate, pages in zip((1e-3, 1e-4, 1e-5, 1e-6), expected, strict=True):
        found = (8 << 20) / bits * uncorrectable(bits + r, t, rate)
        assert found == pytest.approx(pages, rel=0.05)  # the facts round to two digits
    if ratio is not None:
        assert miscorrection_ratio(bits + r, r, t) == pytest.approx(ratio, rel=0.02)


def test_expected_faults_of_a_mixed_memory():
    mixed = ecc.expected_faults({"line": 6400, "none": 1000, "strong": 33}, 1e-3)
    parts = [
        ecc.expected_faults(6400, 1e-3, "line"),
        ecc.expected_faults(1000, 1e-3),
        ecc.expected_faults(33, 1e-3, "strong"),
    ]
    for name in ("pages", "wrong_bits", "uncorrectable", "silent"):
        assert getattr(mixed, name) == pytest.approx(sum(getattr(part, name) for part in parts))
    assert mixed.pages == 100 + 1000 + 2
    assert parts[1].uncorrectable == pytest.approx(1000 * (1 - 0.999**8))
    assert ecc.expected_faults(64, 0, "line").uncorrectable == 0
    assert ecc.expected_faults(64, 1, "line").uncorrectable == 1


@pytest.mark.parametrize("name", ecc.PRESETS)
def test_expected_faults_against_counting(name):
    """Monte Carlo: uncorrectable and silent pages within 4 sigma of what is expected."""
    code, native = ecc.PRESETS[name], _native.ecc
    pages = 6000
    rate = {"bram": 0.04, "line": 0.008, "row": 0.003, "page": 0.0012, "strong": 0.02}[name]
    rng = np.random.default_rng(9)
    data = np.zeros(pages * code.page_bytes, np.uint8)
    words = np.frombuffer(native.encode_section(name, data), np.uint8).copy()
    used = np.zeros(8 * code.word_bytes, bool)
    used[: code.check_bits] = True
    wrong = rng.random((pages, 8 * code.page_bytes + code.check_bits)) < rate
    data ^= np.packbits(wrong[:, : 8 * code.page_bytes].reshape(-1, 8), axis=1, bitorder="little")[:, 0]
    flips = np.zeros((pages, 8 * code.word_bytes), bool)
    flips[:, used] = wrong[:, 8 * code.page_bytes :]
    words ^= np.packbits(flips.reshape(-1, 8), axis=1, bitorder="little")[:, 0]
    _, lost = native.repair_section(name, data, words)
    detected = np.zeros(pages, bool)
    detected[lost] = True
    silent = data.reshape(pages, -1).any(1) & ~detected
    silent |= (wrong.sum(1) > code.t) & ~detected
    expected = ecc.expected_faults(len(data), rate, name)
    lost = detected.sum() + silent.sum()
    assert abs(lost - expected.uncorrectable) <= 4 * expected.uncorrectable**0.5
    assert abs(silent.sum() - expected.silent) <= 4 * max(expected.silent, 1) ** 0.5
    assert (wrong.sum(1) == code.t + 1).sum() > 50
    assert not (silent & (wrong.sum(1) == code.t + 1)).any()


@pytest.mark.parametrize(
    "text", ["", "row,", "bias=row", "row,bias", "row,bias=", "row,=line", "row,bias=line,bias=row"]
)
def test_wrong_protection(text):
    with pytest.raises(ValueError, match="ecc must be PRESET"):
        ecc.parse_protection(text)


def test_bad_arguments():
    assert ecc.parse_protection("none,bias=row,host=none") == (None, {"bias": "row", "host": None})
    with pytest.raises(ValueError, match="rate must be a probability, got 2"):
        ecc.expected_faults(10, 2, "row")
    with pytest.raises(ValueError, match="sizes must be >= 0, got -1"):
        ecc.expected_faults(-1, 0.1, "row")
    with pytest.raises(ValueError, match="preset must be one of bram, line, page, row, strong, got col"):
        ecc.expected_faults(1, 0.1, "col")
    with pytest.raises(ValueError, match=r"must be a BCH code, got SECDED\(72,64\)"):
        _ = ecc.PRESETS["bram"].code


def test_scrubber():
    rng = np.random.default_rng(0)
    memory = rng.integers(0, 256, 300 * 64 + 20, dtype=np.uint8)
    kept = memory.copy()
    scrubber = ecc.Scrubber(memory, preset="line")
    words = scrubber.words.copy()
    for page in (0, 70, 299, 300):
        memory[page * 64 + 3] ^= 0x11
    scrubber.words[5] ^= 1
    assert scrubber.step(128) == []
    assert (scrubber.counters.corrected_pages, scrubber.counters.corrected_bits) == (3, 5)
    scrubber.step(128)
    scrubber.step(128)
    assert scrubber.counters.passes == 1
    assert scrubber.counters.pages == 301
    assert np.array_equal(memory, kept)
    assert np.array_equal(scrubber.words, words)
    memory[200 * 64 : 200 * 64 + 4] ^= 1
    damaged = memory.copy()
    assert scrubber.run().uncorrectable_pages == 1
    assert scrubber.uncorrectable == {200}
    assert np.array_equal(memory, damaged)  # left as it is
    memory[200 * 64] ^= 1
    memory[64] ^= 1
    scrubber.run()
    assert scrubber.uncorrectable == set()
    assert scrubber.repeated == {0: 1, 1: 2, 70: 1, 299: 1, 300: 1, 200: 1}
    assert np.array_equal(memory, kept)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((np.zeros(8, np.uint8), None, "col"), "preset must be one of"),
        ((np.zeros(8, np.uint8), np.zeros(3, np.uint8), "line"), "words must have 4 bytes, got 3"),
        ((np.zeros(8, np.int16), np.zeros(4, np.uint8), "line"), "data must be a writable uint8 array"),
        ((np.frombuffer(bytes(8), np.uint8), None, "line"), "data must be a writable uint8 array"),
    ],
)
def test_scrubber_refuses(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        ecc.Scrubber(*arguments)
    with pytest.raises(ValueError, match="positive multiple of 64, got 100"):
        ecc.Scrubber(np.zeros(8, np.uint8)).step(100)


def test_native_sections_refuse():
    data = np.zeros(64, np.uint8)
    with pytest.raises(ValueError, match="preset must be bram, line, page, row or strong, got col"):
        _native.ecc.encode_section("col", data)
    with pytest.raises(ValueError, match="must have 4 bytes, got 5"):
        _native.ecc.check_section("line", data, bytes(5))
    with pytest.raises(ValueError, match="must be writable"):
        _native.ecc.repair_section("line", bytes(64), bytes(4))
    with pytest.raises(ValueError, match="contiguous uint8 array"):
        _native.ecc.encode_section("line", np.zeros(8, np.uint32))

"""Writing and reading weight images: a known layout, the round trip, each refusal by name."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from safetensors.numpy import load as safetensors_load

from lampyris import _native, firefly
from lampyris.firefly import image as firefly_image
from lampyris.firefly.crc32c import crc32c
from lampyris.firefly.image import Image, load, read_image

REGISTERS = np.array([0xA8, 7, 0xFC, 1], np.uint32)


@pytest.fixture
def image() -> Image:
    rng = np.random.default_rng(3)
    return Image(
        {"target": "ems", "P": 16, "names": ["plain", "é", "\U0001f600"], "limit": -(2**53), "none": None},
        {
            "host.stem.weight": rng.integers(0, 256, 27, dtype=np.uint8),
            "host.stem.bias": np.array([1, 2**32 - 1], np.uint32),
            "layer.001.registers": REGISTERS,
            "layer.000.bias": rng.integers(0, 256, 64, dtype=np.uint8),
            "layer.000.registers": REGISTERS[2:],
            "layer.000.weights": rng.integers(0, 256, 65, dtype=np.uint8),
            "ecc.layer.000.weights": np.zeros(0, np.uint8),
        },
    )


def test_layout_by_hand():
    """One layer of one register pair: every byte of the file is known."""
    data = Image({"T": 1}, {"layer.000.registers": np.array([0xFC, 1], np.uint32)}).to_bytes()
    registers = struct.pack("<II", 0xFC, 1) + bytes(56)
    crc = crc32c(registers)
    text = (
        '{"__metadata__":{"format":"lampyris.firefly","plan":"{\\"T\\":1,\\"tensors\\":'
        f'{{\\"layer.000.registers\\":{{\\"bytes\\":8,\\"crc32c\\":{crc}}}}}}}","version":"1.0"}},'
        '"integrity":{"data_offsets":[64,128],"dtype":"U8","shape":[64]},'
        '"layer.000.registers":{"data_offsets":[0,64],"dtype":"U32","shape":[16]}}'
    ).encode()
    text += b" " * (-(8 + len(text)) % 64)
    head = struct.pack("<Q", len(text)) + text
    footer = b"LAMPFOOT" + struct.pack("<IIQ", len(head), crc32c(head), len(head) + 128) + bytes(36)
    assert data == head + registers + footer + struct.pack("<I", crc32c(footer))


def test_round_trip(image, verdict):
    data = image.to_bytes()
    assert data == image.to_bytes()
    assert len(data) % 64 == 0
    kind, plan, tensors = verdict(data)
    assert kind == "read"
    assert list(tensors) == [
        "layer.000.registers",
        "layer.000.weights",
        "layer.000.bias",
        "layer.001.registers",
        "host.stem.bias",
        "host.stem.weight",
        "ecc.layer.000.weights",
    ]
    assert {key: plan[key] for key in image.plan} == image.plan
    again = Image.from_bytes(data)
    assert again.to_bytes() == data
    for name, array in image.tensors.items():
        assert again.tensors[name].dtype == array.dtype
        assert np.array_equal(again.tensors[name], array)


def test_layers_give_what_dma_sends(image):
    layers = Image.from_bytes(image.to_bytes()).layers
    assert len(layers) == 2
    assert layers[0].registers.tolist() == [[0xFC, 1]]
    assert layers[0].weight_stream == image.tensors["layer.000.weights"].tobytes()
    assert layers[0].bias_stream == image.tensors["layer.000.bias"].tobytes()
    assert layers[1].registers.tolist() == [[0xA8, 7], [0xFC, 1]]
    assert layers[1].weight_stream == b"" == layers[1].bias_stream


def test_the_safetensors_library_reads_it(image):
    data = image.to_bytes()
    tensors = safetensors_load(data)
    assert set(tensors) == {*image.tensors, "integrity"}
    for name, array in image.tensors.items():
        assert np.array_equal(tensors[name][: array.size], array)
        assert not tensors[name][array.size :].any()
    assert tensors["integrity"].tobytes() == data[-64:]


def test_hand_made_file_is_read(craft, verdict):
    kind, plan, tensors = verdict(craft.file())
    assert kind == "read"
    assert plan == craft.plan
    assert {name: raw for name, (_, raw) in tensors.items()} == {
        name: raw for name, (_, raw) in craft.content.items() if name != "integrity"
    }


def test_no_layers_and_free_names(verdict):
    empty = Image({}, {})
    assert verdict(empty.to_bytes()) == ("read", {"tensors": {}}, {})
    odd = Image({"ecc": {}}, {"host." + "a" * 59: np.ones(1, np.uint8), "host..": np.ones(1, np.uint32)})
    assert verdict(odd.to_bytes())[0] == "read"


def test_save(image, tmp_path):
    path = tmp_path / "new folder" / "image.safetensors"
    assert image.save(path) == path
    assert path.read_bytes() == image.to_bytes()
    image.plan["P"] = 8
    image.save(path)
    assert read_image(path.read_bytes())[0]["P"] == 8
    assert os.listdir(path.parent) == ["image.safetensors"]


def test_load_checks_the_program_too(image, tmp_path):
    path = image.save(tmp_path / "sound_file_without_program.safetensors")
    with pytest.raises(ValueError, match=r"^weight image .*without_program\.safetensors: "):
        load(path)


def test_a_built_program_is_loaded(tmp_path, verdict):
    program = firefly.Program(parallelism=16, time_steps=2, preset="zcu104")
    stream = program.input("stem", channels=16, height=4, width=4, steps=1)
    spikes = program.neuron("lif", stream, threshold=20)
    program.output("head", spikes, np.ones((3, 16, 1, 1), np.int8), np.zeros(3, np.int16))
    image = program.build()
    path = image.save(tmp_path / "image.safetensors")
    assert load(path).to_bytes() == path.read_bytes()
    assert verdict(path.read_bytes())[0] == "read"
    name = "layer.000.registers"
    image.tensors[name] = image.tensors[name].copy()
    image.tensors[name][1] ^= 1
    image.save(path)
    with pytest.raises(ValueError, match=r"^weight image .*image\.safetensors: layer 0 \"lif\""):
        load(path)


def test_numpy_integers_in_the_plan():
    data = Image({"theta": np.int64(-5)}, {}).to_bytes()
    assert read_image(data)[0]["theta"] == -5


def test_load_names_the_file(image, tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(image.to_bytes()[:-64])
    with pytest.raises(ValueError, match=r"^weight image .*broken\.safetensors: footer, expected LAMPFOOT"):
        load(path)
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        load(tmp_path / "missing.safetensors")


def test_failed_save_keeps_the_old_file(image, tmp_path):
    path = tmp_path / "image.safetensors"
    image.save(path)
    before = path.read_bytes()
    image.tensors["layer.000.bias"] = np.zeros(0, np.uint8)
    with pytest.raises(ValueError, match=r"tensor layer\.000\.bias, expected at least 1 byte, got 0"):
        image.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["image.safetensors"]


U8 = np.ones(1, np.uint8)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"integrity": U8}, "tensor integrity, expected to be left to the writer, got one"),
        ({"Host.a": U8}, r'tensor name, expected \[a-z0-9_.\]\{1,64\}, got "Host.a"'),
        ({"host." + "a" * 60: U8}, r"tensor name, expected \[a-z0-9_.\]\{1,64\}, got"),
        ({"host.": U8}, r"tensor name, expected layer\.NNN\.registers, .* got host\.$"),
        ({"layer.00.weights": U8}, r"tensor name, .* got layer\.00\.weights"),
        ({"layer.000.scale": U8}, r"tensor name, .* got layer\.000\.scale"),
        ({"layer.000.registers": U8}, r"dtype of tensor layer\.000\.registers, expected U32, got U8"),
        ({"layer.000.registers": REGISTERS[:3]}, "expected pairs of words .* got 12 bytes"),
        ({"layer.000.registers": REGISTERS + 1}, "expected an offset divisible by 4 .* in pair 0, got 0x0"),
        ({"layer.000.weights": U8}, r"layers, expected tensor layer\.000\.registers, got layer\.000\.w"),
        ({"layer.001.registers": REGISTERS}, r"expected tensor layer\.000\.registers, got layer\.001"),
        ({"ecc.a": U8}, r"tensor ecc\.a, expected no bytes, for the plan's ecc does not use it, got 1"),
        ({"host.a": np.ones(1, np.int8)}, r"tensor host\.a, expected uint8 \[n\] .* got int8 \[1\]"),
        ({"host.a": np.ones((1, 1), np.uint8)}, r"expected uint8 \[n\] .* got uint8 \[1, 1\]"),
    ],
)
def test_writer_refuses_tensors(tensors, reason):
    with pytest.raises(ValueError, match=f"^weight image: .*{reason}"):
        Image({}, tensors).to_bytes()


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ("[]", r"plan, expected an object, got \[\]"),
        ("{", "plan, expected JSON, got other text"),
        ('{"a":[{"b":0.5}]}', r'plan, expected integers within \+-2\^53, got another value at "/a/0/b"'),
        ('{"a":9007199254740993}', r'expected integers within \+-2\^53, got another value at "/a"'),
        ('{"ecc":{"t":3}}', r'ecc of the plan, expected tensors with a preset each, got \{"t":3\}'),
        ('{"a":' + "[" * 40 + "]" * 40 + "}", "plan, expected at most 32 levels of nesting, got more"),
        ('{"a":"\\ud800"}', "plan, expected JSON, got other text"),
    ],
)
def test_writer_refuses_plans(plan, reason):
    with pytest.raises(ValueError, match=reason):
        _native.io.write_image(plan, [])


def test_writer_brings_any_plan_into_canonical_form():
    data = _native.io.write_image('{ "b" : "\\u0041\u00e9", "a" : 1 }', [])
    assert b'{\\"a\\":1,\\"b\\":\\"A\\\\u00e9\\",\\"tensors\\":{}}' in data


def test_names_are_public():
    assert set(firefly_image.__all__) == {
        "Image",
        "ImageLayer",
        "RepairWarning",
        "describe_repairs",
        "load",
        "read_image",
        "scrub",
    }


def test_plan_stays_json(image):
    assert json.loads(json.dumps(read_image(image.to_bytes())[0]))["names"] == image.plan["names"]

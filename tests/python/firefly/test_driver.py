"""Ports, wrong use, and what a driver refuses."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from lampyris import firefly


def small(seed=0, parallelism=16):
    rng = np.random.default_rng(seed)
    program = firefly.Program(parallelism, 2)
    s = program.input("s", channels=16, height=4, width=6, steps=2, kind="spikes")
    weight = rng.integers(-90, 91, (16, 16, 3, 3)).astype(np.int8)
    s = program.conv("c", s, weight, np.zeros(16, np.int16), neuron=firefly.Neuron("n", 50))
    program.output("o", s, weight[:5, :, :1, :1], np.ones(5, np.int16))
    return program.build(), rng.random((2, 16, 4, 6)) < 0.4


class Board:
    """A stand-in for memory-mapped registers and a contiguous buffer at a high bus address."""

    base_address = 0x7000_0000

    def __init__(self, parallelism=16):
        self.device = firefly.Device(parallelism, memory_bytes=1 << 20)
        self.memory = self.device.memory
        self.writes = 0

    def read32(self, offset):
        return self.device.read32(offset)

    def write32(self, offset, value):
        self.writes += 1
        addresses = (0xAC, 0xB8, 0xC4, 0xD0, 0xDC, 0xE4)
        if offset in addresses and value >= self.base_address:
            value -= self.base_address
        self.device.write32(offset, value)


def test_any_port_gives_the_same():
    image, spikes = small()
    expected = firefly.Driver(firefly.Device()).run(image, spikes)
    board = Board()
    driver = firefly.Driver(board)
    for _ in range(2):
        result = driver.run(image, spikes)
        assert np.array_equal(result.outputs["o"], expected.outputs["o"])
        assert np.array_equal(result.spikes["n"], expected.spikes["n"])
        assert result.cycles == expected.cycles
    assert board.writes > 50


def test_results_only():
    image, spikes = small()
    result = firefly.Driver(firefly.Device(), keep="results").run(image, spikes)
    assert list(result.outputs) == ["o"] and list(result.spikes) == []


def test_one_device_runs_many_images():
    device = firefly.Device(parallelism=16)
    drivers = [firefly.Driver(device) for _ in range(2)]
    images = [small(seed) for seed in (1, 2)]
    first = [firefly.Driver(firefly.Device()).run(*one).outputs["o"] for one in images]
    driver = drivers[0]
    for index in (0, 1, 0, 0, 1):
        assert np.array_equal(driver.run(*images[index]).outputs["o"], first[index])


def test_an_image_changed_between_runs_is_loaded_again():
    image, spikes = small()
    driver = firefly.Driver(firefly.Device())
    before = driver.run(image, spikes).outputs["o"]
    weights = image.tensors["layer.001.weights"].copy()
    weights[0] ^= 0x7F
    image.tensors["layer.001.weights"] = weights
    assert not np.array_equal(driver.run(image, spikes).outputs["o"], before)


def test_refusals():
    image, spikes = small()
    driver = firefly.Driver(firefly.Device())
    for wrong in (spikes[:1], spikes[:, :8], spikes.astype(np.uint8), spikes.astype(np.float32)):
        with pytest.raises(ValueError, match="driver: inputs must be"):
            driver.run(image, wrong)
    with pytest.raises(ValueError, match="device must have parallelism 16 for this image, got 32"):
        firefly.Driver(firefly.Device(parallelism=32)).run(image, spikes)
    with pytest.raises(ValueError, match="memory must have at least"):
        firefly.Driver(firefly.Device(memory_bytes=4096)).run(image, spikes)
    with pytest.raises(ValueError, match="device must have read32, write32 and memory, got no read32"):
        firefly.Driver(object())
    with pytest.raises(ValueError, match="keep must be stored or results"):
        firefly.Driver(firefly.Device(), keep="all")
    with pytest.raises(ValueError, match='datapath must be functional, cascade or tree, got "cascades"'):
        firefly.Device(datapath="cascades")
    with pytest.raises(KeyError):
        driver.run(image, spikes).spikes["nothing"]
    with pytest.raises(ValueError, match="readout: key must be an output with steps"):
        driver.run(image, spikes).readout("o")


def test_plan_and_registers_must_agree():
    image, _ = small()
    firefly.check_program(image)
    for path, value in [
        (("layers", 0, "threshold"), [51]),
        (("layers", 0, "kernel"), 1),
        (("arena", "maps", 1, "offset"), 64),
        (("time_steps",), 3),
        (("layers",), []),
        (("layers", 1, "inputs"), ["nothing"]),
    ]:
        wrong = firefly.Image(copy.deepcopy(image.plan), image.tensors)
        place = wrong.plan
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        with pytest.raises(ValueError, match="weight image"):
            firefly.check_program(wrong)
    for key in ("target", "arena", "input", "classes"):
        wrong = firefly.Image({k: v for k, v in image.plan.items() if k != key}, image.tensors)
        with pytest.raises(ValueError, match=f"plan.{key} must be present"):
            firefly.check_program(wrong)


def test_a_saved_image_runs_the_same(tmp_path):
    image, spikes = small()
    loaded = firefly.load(image.save(tmp_path / "net.safetensors"))
    a, b = (firefly.Driver(firefly.Device()).run(one, spikes) for one in (image, loaded))
    assert np.array_equal(a.outputs["o"], b.outputs["o"])


def test_builders_refuse_what_does_not_fit():
    program = firefly.Program()
    s = program.input("s", channels=4, height=4, width=4, steps=4, kind="spikes")
    good = np.zeros((8, 4, 3, 3), np.int8)
    with pytest.raises(ValueError, match=r"c: weight must fit int8 \[-128, 127\], got 200 at \[0, 1, 2, 0\]"):
        bad = good.astype(np.int32)
        bad[0, 1, 2, 0] = 200
        program.conv("c", s, bad, np.zeros(8, np.int16))
    with pytest.raises(ValueError, match="c: weight must hold integers, got float32"):
        program.conv("c", s, good.astype(np.float32), np.zeros(8, np.int16))
    with pytest.raises(ValueError, match=r"c: bias must have shape \[8\], got \[7\]"):
        program.conv("c", s, good, np.zeros(7, np.int16))
    with pytest.raises(ValueError, match=r"c: residual must have shape \[8, 4, 4\], got"):
        program.conv(
            "c", s, good, np.zeros(8, np.int16), residual=program.conv("d", s, good[:4], good[0, :, 0, 0])
        )
    program.concat("e", [s, s])
    with pytest.raises(
        ValueError, match="e: every part but the last must have a multiple of 16 channels, got 4"
    ):
        program.build()
    with pytest.raises(ValueError, match="preset must be ultra96, zcu104 or kv260"):
        firefly.Program(preset="vcu118")
    with pytest.raises(ValueError, match="leak must be none, half_after"):
        firefly.build([firefly.conv(good, np.zeros(8, np.int16), 5, leak="before")], (1, 4, 4, 4))

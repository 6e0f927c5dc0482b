"""examples/pynq_host.py against the model, through a stand-in of PYNQ's MMIO and allocate."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lampyris import firefly

EXAMPLE = Path(__file__).parents[3] / "examples" / "pynq_host.py"


class MMIO:
    """Registers of the model, as ``pynq.MMIO`` reads and writes them."""

    def __init__(self, device):
        self.device = device

    def read(self, offset=0, length=4):
        assert length == 4 and offset % 4 == 0
        return self.device.read32(offset)

    def write(self, offset, data):
        assert isinstance(data, int)
        self.device.write32(offset, data)


class Buffer(np.ndarray):
    """A ``PynqBuffer``: the processor sees a cached copy until it is synchronised."""

    def sync_to_device(self):
        self.window[:] = self

    def sync_from_device(self):
        self[:] = self.window

    def freebuffer(self):
        self.window = None


class Board:
    def __init__(self, parallelism, memory_bytes=1 << 22):
        self.device = firefly.Device(parallelism, memory_bytes=memory_bytes, strict=True)
        self.next = 0x10_0000
        self.allocated = 0

    def allocate(self, shape, dtype):
        (count,) = shape
        buffer = np.zeros(count, dtype).view(Buffer)
        assert self.next + count <= self.device.memory.size
        buffer.device_address = self.next
        buffer.window = self.device.memory[self.next : self.next + count]
        self.next += -(-count // 4096) * 4096
        self.allocated += 1
        return buffer


@pytest.fixture
def host():
    spec = importlib.util.spec_from_file_location("pynq_host", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ems_image(rng):
    program = firefly.Program(16, 2)
    s = program.input("s", channels=16, height=4, width=6, steps=2, kind="spikes")
    weight = rng.integers(-90, 91, (16, 16, 3, 3)).astype(np.int8)
    s = program.conv("c", s, weight, np.zeros(16, np.int16), neuron=firefly.Neuron("n", 50))
    program.output("o", s, weight[:5, :, :1, :1], np.ones(5, np.int16))
    return program.build(), rng.random((2, 16, 4, 6)) < 0.4


def v1_image(rng):
    conv = firefly.conv(
        rng.integers(-40, 41, (32, 16, 3, 3)).astype(np.int8),
        rng.integers(-9, 10, 32).astype(np.int16),
        90,
        pool=True,
    )
    last = firefly.linear(
        rng.integers(-40, 41, (10, 32 * 16)).astype(np.int8), np.zeros(10, np.int16), winner_takes_all=True
    )
    return firefly.build([conv, last], (3, 16, 8, 8)), rng.random((3, 16, 8, 8)) < 0.4


@pytest.mark.parametrize("make", [ems_image, v1_image])
def test_a_board_gives_what_the_model_gives(host, make, tmp_path):
    image, spikes = make(np.random.default_rng(4))
    image.save(tmp_path / "network.image")
    expected = firefly.Driver(firefly.Device()).run(image, spikes)
    board = Board(16)
    port = host.Port(MMIO(board.device), board.allocate, reserve_bytes=4096)
    for _ in range(2):
        result = host.run(port, tmp_path / "network.image", spikes)
        assert result.classes == expected.classes and result.cycles == expected.cycles
        for kind in ("spikes", "outputs"):
            got, wanted = getattr(result, kind), getattr(expected, kind)
            assert list(got) == list(wanted)
            assert all(np.array_equal(got[name], wanted[name]) for name in wanted)
    assert board.allocated == 2  # the first buffer was too small, the second is kept


def test_without_synchronising_the_board_sees_old_bytes(host, monkeypatch, tmp_path):
    image, spikes = ems_image(np.random.default_rng(4))
    image.save(tmp_path / "network.image")
    expected = firefly.Driver(firefly.Device()).run(image, spikes)
    monkeypatch.setattr(Buffer, "sync_to_device", lambda self: None)
    board = Board(16)
    result = host.run(host.Port(MMIO(board.device), board.allocate), tmp_path / "network.image", spikes)
    assert not np.array_equal(result.outputs["o"], expected.outputs["o"])

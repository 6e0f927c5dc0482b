"""examples/pynq_host.py against the model, through a stand-in of PYNQ's MMIO and allocate."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pynq_stand_in import MMIO, Board, Buffer

from lampyris import firefly

EXAMPLE = Path(__file__).parents[3] / "examples" / "pynq_host.py"


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

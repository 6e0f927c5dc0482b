"""Board bring-up: a sound device passes every check, each planted fault fails the right one and is named."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pynq_stand_in
import pytest

from lampyris import firefly

EXAMPLE = Path(__file__).parents[3] / "examples" / "board_check.py"
BASE = 0x1000_0000


class Board:
    """A device at another bus address whose wires can be cut."""

    base_address = BASE
    identity = True

    def __init__(self):
        self.device = firefly.Device(memory_bytes=1 << 22)
        self.values = {}

    @property
    def memory(self):
        return self.device.memory

    def write32(self, offset, value):
        self.values[offset] = value
        relocated = offset in (0x28, 0x2C, 0x38, 0x40, 0xAC, 0xB8, 0xC4, 0xD0, 0xDC, 0xE4) and value >= BASE
        if relocated and (value >> 24) == BASE >> 24:
            value -= BASE
        self.device.write32(offset, value)

    def read32(self, offset):
        if not self.identity and offset >= 0x80:
            return 0
        if offset in self.values and offset not in (0x18, 0x48, 0x88, 0xFC):
            return self.values[offset]
        return self.device.read32(offset)


class Released(Board):
    """The published bitstream: no extension, registers that cannot be read back."""

    identity = False

    def read32(self, offset):
        return super().read32(offset) if offset == 0x18 else 0


class StuckBit(Board):
    def read32(self, offset):
        return super().read32(offset) & ~0x400 if offset == 0xA8 else super().read32(offset)


class WrongAddress(Board):
    """Bit 7 of the output address does not reach the data mover."""

    def write32(self, offset, value):
        super().write32(offset, value ^ 0x80 if offset in (0x2C, 0xC4) else value)


class FlippedWeight(Board):
    """One bit of the weights changes on their way, when a layer starts."""

    def write32(self, offset, value):
        if offset == 0xFC and self.values[0x90] & 0xF == 1:
            at = self.values[0xDC] - BASE + (4 * 16 + 5) * 16 + 2  # centre tap, input 5, output 2
            self.memory[at] ^= 0x40
            super().write32(offset, value)
            self.device.read32(0x88)
            self.memory[at] ^= 0x40
        else:
            super().write32(offset, value)


def ems_image():
    rng = np.random.default_rng(3)
    program = firefly.Program(16, 2)
    x = program.input("x", channels=16, height=6, width=8)
    s = program.neuron("lif", x, threshold=100)
    w = rng.integers(-99, 100, (16, 16, 3, 3)).astype(np.int8)
    s = program.conv("conv", s, w, np.zeros(16, np.int16), neuron=firefly.Neuron("n", 60))
    s = program.conv("last", s, w, np.zeros(16, np.int16), neuron=firefly.Neuron("m", 60))
    return program.build()


def v1_image():
    rng = np.random.default_rng(4)
    layers = [
        firefly.conv(
            rng.integers(-60, 61, (24, 16, 3, 3)).astype(np.int8), np.zeros(24, np.int16), 90, pool=True
        ),
        firefly.linear(rng.integers(-60, 61, (10, 24 * 16)).astype(np.int8), np.zeros(10, np.int16), 50),
    ]
    return firefly.build(layers, input_shape=(2, 16, 8, 8))


def verdicts(report):
    return {check.name: check.ok for check in report.checks}


@pytest.mark.parametrize("make", [ems_image, v1_image])
def test_a_sound_board(make):
    report = firefly.check_board(Board(), make(), frames=2)
    assert report.ok, str(report)
    assert all(verdicts(report).values())
    assert report.throughput["measured"] > 0 and report.throughput["modelled"] > 0
    assert report.to_json()["ok"] and "ok      registers: 37 registers of v1 and extension" in str(report)


@pytest.mark.parametrize("make", [ems_image, v1_image])
def test_through_pynq(make):
    board = pynq_stand_in.Board(16)
    port = firefly.PynqPort(pynq_stand_in.MMIO(board.device), board.allocate, reserve_bytes=4096)
    report = firefly.check_board(port, make(), frames=1)
    assert report.ok and len(report.checks) == 5, str(report)


def test_the_example_and_the_command(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("board_check", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    path = v1_image().save(tmp_path / "net.safetensors")
    assert example.main(["model", str(path), "--frames", "0"]) == 0
    np.save(tmp_path / "frame.npy", np.ones((2, 16, 8, 8), bool))
    assert example.main(["model", str(path), "--frame", str(tmp_path / "frame.npy"), "--frames", "1"]) == 0
    assert "ok      network: " in capsys.readouterr().out
    with pytest.raises(ModuleNotFoundError, match="PYNQ must be installed"):
        firefly.open_board("firefly.bit")
    code = (
        "import sys; sys.modules['torch'] = sys.modules['torchvision'] = None; from lampyris.cli import main;"
        f"sys.exit(main(['simulate', {str(path)!r}, '--board', 'model']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "ok      commands: 2 commands of 2 layers" in done.stdout, done.stderr


def test_the_released_accelerator():
    report = firefly.check_board(Released(), v1_image(), frames=0)
    assert report.ok and verdicts(report) == {
        "registers": None,
        "data movers": True,
        "commands": True,
        "network": True,
    }
    report = firefly.check_board(Released(), ems_image(), frames=0)
    assert verdicts(report)["commands"] is verdicts(report)["network"] is False
    assert all("extension registers" in check.detail for check in report.checks[2:])


def test_without_an_image():
    assert verdicts(firefly.check_board(Board())) == {"registers": True, "data movers": True}


def test_a_stuck_bit():
    report = firefly.check_board(StuckBit(), frames=0)
    assert verdicts(report) == {"registers": False, "data movers": True}
    assert report.checks[0].detail.startswith("register 0xA8: wrote 0x") and not report.ok


def test_a_wrong_address():
    report = firefly.check_board(WrongAddress(), ems_image(), frames=0)
    assert verdicts(report)["commands"] is False and verdicts(report)["data movers"] is False
    assert "spikes come back changed" in report.checks[1].detail


def test_a_flipped_weight_is_named_by_command_and_by_value():
    report = firefly.check_board(FlippedWeight(), ems_image(), frames=0)
    commands, network = report.checks[2:]
    assert commands.ok is False and network.ok is False
    # Alone on the model's bytes both convolutions differ, and only in channel 2.
    assert commands.detail.startswith("2 of 3 commands differ from the model; layer conv: spikes n at t ")
    assert ", channel 2: board 0x" in commands.detail
    assert 'first: conv: spikes "n" differs at t ' in network.detail
    assert ", channel 2: board " in network.detail and "spikes x weights" in network.detail
    assert "threshold 60" in network.detail


def test_a_board_that_never_finishes(monkeypatch):
    class Silent(Released):
        def read32(self, offset):
            return 0

    from lampyris.firefly import lockstep

    monkeypatch.setattr(lockstep, "PATIENCE_S", 0.05)
    with pytest.raises(TimeoutError, match="layer layer0: no done flag"):
        lockstep.check_commands(Silent(), v1_image(), np.ones((2, 16, 8, 8), bool))


def test_boxes_equal_the_detection_task():
    torch = pytest.importorskip("torch")
    from lampyris.tasks.detection.decoding import predict

    rng = np.random.default_rng(6)
    for number in range(20):
        maps = rng.normal(0, 1.5, (4 + 5, 9, 12)).astype(np.float32)
        options = {"stride": 16, "iou_threshold": 0.3 + 0.03 * number, "score_threshold": 0.4}
        (wanted,) = predict(torch.from_numpy(maps[None]), **options)
        found = firefly.find_boxes(maps, **options)
        assert len(found) == 50 and found.labels.tolist() == wanted["labels"].tolist()
        # The task computes in float32.
        np.testing.assert_allclose(found.boxes, wanted["boxes"].numpy(), atol=1e-3)
        np.testing.assert_allclose(found.scores, wanted["scores"].numpy(), atol=1e-6)
    with pytest.raises(ValueError, match=r"map must have shape \[4 \+ classes, H, W\]"):
        firefly.find_boxes(np.zeros((4, 2, 2)))

"""Builds, strict devices, cores, data movers, resources."""

from __future__ import annotations

import numpy as np
import pytest

from lampyris import firefly
from lampyris.firefly.networks import PUBLISHED, megaflops, time_network


def v1_image(seed=0, channels=32):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-40, 41, (channels, 16, 3, 3)).astype(np.int8)
    conv = firefly.conv(weight, np.zeros(channels, np.int16), 90, pool=True)
    return firefly.build([conv], (2, 16, 8, 8)), rng.random((2, 16, 8, 8)) < 0.4


def test_config_file(tmp_path):
    board = firefly.Config.preset_of("kv260", parallelism=32, line_depth=64)
    assert (board.weight_bus_bytes, board.cores, board.line_depth) == (16, 2, 64)
    (tmp_path / "board.json").write_text(board.to_json())
    assert firefly.Config.load(tmp_path / "board.json") == board
    for text, message in [
        ("[]", "JSON object"),
        ('{"preset": "pynq"}', "preset must be"),
        ('{"preset": "ultra96", "lines": 3}', "line_depth"),
        ('{"preset": "ultra96", "psum_depth": 0, "burst_beats": 999}', "psum_depth.*burst_beats"),
    ]:
        with pytest.raises(ValueError, match=message):
            firefly.Config.from_json(text)
    with pytest.raises(ValueError, match="members must exist"):
        board.change(lines=1)


def test_a_smaller_build_refuses_what_does_not_fit():
    image, spikes = v1_image()
    small = firefly.Config.preset_of("ultra96", psum_depth=63)
    with pytest.raises(ValueError, match="a field outside its range"):
        firefly.Driver(firefly.Device(config=small)).run(image, spikes)
    with pytest.raises(ValueError, match=r"H W .0x0C. within the membrane buffer"):
        firefly.Driver(firefly.Device(config=small, strict=True)).run(image, spikes)
    expected = firefly.Driver(firefly.Device()).run(image, spikes).spikes[0]
    enough = firefly.Device(config=small.change(psum_depth=64), strict=True)
    assert np.array_equal(firefly.Driver(enough).run(image, spikes).spikes[0], expected)


def test_timing_of_a_config():
    image, spikes = v1_image()
    base = firefly.timing(image, "ultra96")
    skid = firefly.timing(image, firefly.Config.preset_of("ultra96", reload="skid"))
    assert skid.total["reload"] < base.total["reload"]
    assert skid.total["total"] < base.total["total"]
    for table in (base, skid):
        total = table.total
        parts = ("compute", "reload", "flush", "bias", "fill", "latency", "stall")
        assert total["total"] == sum(total[part] for part in parts)
        causes = [value for name, value in total.items() if name.startswith("stall_")]
        assert total["stall"] == sum(causes)
    config = firefly.Config.preset_of("ultra96", reload="skid", weight_bus_bytes=16)
    result = firefly.Driver(firefly.Device(config=config)).run(image, spikes)
    assert result.cycles == firefly.timing(image, config).total["total"]
    with pytest.raises(ValueError, match="parallelism"):
        firefly.timing(image, firefly.Config.preset_of("zcu104"))


def test_two_cores_share_the_memory():
    image, spikes = v1_image()
    expected = firefly.Driver(firefly.Device()).run(image, spikes).spikes[0]
    device = firefly.Device(preset="kv260", cores=2, memory_bytes=1 << 20, strict=True)
    for index in (0, 1, 0):
        assert np.array_equal(firefly.Driver(device.core(index)).run(image, spikes).spikes[0], expected)
    assert device.core(1).base_address == 1 << 19
    assert device.core(1).memory.size == 1 << 19
    with pytest.raises(ValueError, match="core must be below 2"):
        device.core(2)


def test_transfers():
    image, spikes = v1_image()
    device = firefly.Device(strict=True)
    firefly.Driver(device).run(image, spikes)
    movers = [transfer.mover for transfer in device.transfers]
    assert movers == ["parameters"] * 2 + ["input"] * 2 + ["output"] * 4
    bias = device.transfers[0]
    assert bias.bytes == 64 and len(bias.word) == 9
    assert int.from_bytes(bias.word, "little") == 64 | 1 << 23 | 1 << 30 | bias.address << 32
    moved = sum(transfer.bytes for transfer in device.transfers)
    assert moved == firefly.timing(image).total["bytes"]


def test_interrupt_line():
    device = firefly.Device(memory_bytes=1 << 20)
    device.write32(0x8C, 1)
    assert not device.interrupt
    device.write32(0x80, 1)  # an error
    assert device.interrupt


def test_resources_beside_the_published():
    small, large = firefly.resources("ultra96"), firefly.resources("zcu104")
    assert (small.dsp, large.dsp, firefly.resources("kv260").dsp) == (288, 1152, 576)
    assert small.operations_per_dsp == pytest.approx(4.8e9)
    # 4096 x 288 and 1024 x 1152 in block RAMs of 4096 x 9 and 1024 x 36; a part without ultra RAM.
    assert [m.blocks for m in small.memories[1:3]] == [32, 32] and small.ultra_rams == 0
    assert large.ultra_rams == large.board.used_ultra_rams == 40
    assert all(firefly.resources(p, extension=e).fits for p in firefly.PRESETS for e in (False, True))
    grown = firefly.resources("ultra96", extension=True)
    assert grown.memories[2].width == 16 * (24 + 18) and grown.bits > small.bits
    assert "published 288" in str(small)


def test_published_networks():
    for network in PUBLISHED:
        assert megaflops(network.text, network.channels) == pytest.approx(network.mflop, rel=3e-3)
    microseconds = {}
    for bus in (8, 16):
        config = firefly.Config.preset_of("ultra96", weight_bus_bytes=bus)
        table, _ = time_network(PUBLISHED[1].text, 3, config)
        microseconds[bus] = table.total["total"] / 300
        assert 0 < table.utilisation < 1
    # The first-order bound max(compute, weights) of a layer says 1368 and 1094: the first pass of a tile
    # set also waits for its own weights.
    assert 1368 < microseconds[8] < 1.05 * 1368
    assert 1094 < microseconds[16] < 1.05 * 1094
    with pytest.raises(ValueError, match="parts must be"):
        time_network("8x8-16c5-10", 1, config)

"""The cycle table of an image."""

from __future__ import annotations

import numpy as np
import pytest

from lampyris import firefly


def scnn7(parallelism, preset):
    """CIFAR-10 network of the paper behind its host-side first layer: 64c3-p2-128c3-128c3-p2-..."""
    shape, layers = [16, 32, 32], []
    for out, pool in [(64, True), (128, False), (128, True), (256, False), (256, True), (512, False)]:
        layers.append(
            firefly.conv(np.zeros((out, shape[0], 3, 3), np.int8), np.zeros(out, np.int16), 1, pool=pool)
        )
        shape = [out, shape[1] // (1 + pool), shape[2] // (1 + pool)]
    classes = np.zeros((10, shape[0] * shape[1] * shape[2]), np.int8)
    layers.append(firefly.linear(classes, np.zeros(10, np.int16), winner_takes_all=True))
    return firefly.build(layers, (4, 16, 32, 32), parallelism, preset=preset)


def test_scnn7_against_the_first_order_model():
    """facts/firefly.md 8.7: 1368 us with the 64-bit parameter bus, from max(compute, weights)."""
    table = firefly.timing(scnn7(16, "ultra96"))
    microseconds = table.total["total"] / 300
    assert 1250 < microseconds < 1500
    assert table.weight_bus_bytes == 8 and table.watts == 2.55
    assert 0 < table.utilisation < 1
    # 4 (8 x 8 + 17) = 324 cycles hide the 288 of a weight tile but in the first pass, 4 (4 x 4 + 17)
    # = 132 never do.
    share = [layer.cycles["stall_weights"] / layer.cycles["total"] for layer in table.layers]
    assert [s > 0.3 for s in share] == [False] * 5 + [True] * 2
    assert all(layer.cycles["stall"] == layer.cycles["stall_weights"] for layer in table.layers)


def test_presets():
    image = scnn7(16, "ultra96")
    tables = {preset: firefly.timing(image, preset) for preset in firefly.PRESETS}
    assert tables["kv260"].frames_per_second == pytest.approx(2 * tables["ultra96"].frames_per_second)
    assert firefly.timing(scnn7(32, "zcu104")).frames_per_second > tables["zcu104"].frames_per_second
    assert "frames/s" in str(tables["zcu104"]) and "published" not in str(tables["zcu104"])
    ultra96 = tables["ultra96"]
    assert ultra96.energy_per_frame == pytest.approx(2.55 * ultra96.total["total"] / 300e6)
    assert "mJ a frame at the published 2.55 W" in str(ultra96) and "stalls: weights" in str(ultra96)
    assert tables["kv260"].energy_per_frame is None
    with pytest.raises(ValueError, match="preset must be"):
        firefly.timing(image, "pynq")


def test_device_counts_what_the_table_says():
    image = scnn7(16, "zcu104")
    result = firefly.Driver(firefly.Device(preset="zcu104")).run(image, np.zeros((4, 16, 32, 32), bool))
    assert result.cycles == firefly.timing(image).total["total"]
    assert sum(result.layer_cycles) == result.cycles

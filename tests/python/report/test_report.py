from __future__ import annotations

import numpy as np
import pytest
import torch

from lampyris import nn, report
from lampyris.compress import IntegerNetwork, IntegerNode


def _network(weight: np.ndarray, stride: int = 1) -> IntegerNetwork:
    channels, size = weight.shape[1], 4
    conv = IntegerNode(
        "conv",
        "conv",
        ("lif",),
        (weight.shape[0], size // stride, size // stride),
        "stream",
        {"weight": weight, "bias": np.zeros(weight.shape[0], np.int16)},
        {"stride": stride, "padding": 1, "shift": 0},
    )
    lif = IntegerNode("lif", "lif", ("stem",), (channels, size, size), "spikes")
    stem = IntegerNode(
        "stem",
        "stem",
        ("input",),
        (channels, size, size),
        "stream",
        {"weight": np.ones((channels, 3, 1, 1), np.int8), "bias": np.zeros(channels, np.int32)},
        {"stride": 1, "padding": 0, "k": 0},
    )
    image = IntegerNode("input", "input", (), (3, size, size), "image", {}, {"p": 8, "steps": 1})
    return IntegerNetwork("ems", 2, (), [image, stem, lif, conv])


def test_one_spike_meets_its_weights():
    weight = np.ones((5, 2, 3, 3), np.int8)
    weight[0, 1] = 0
    spikes = np.zeros((2, 1, 2, 4, 4), bool)
    spikes[0, 0, 0, 1, 1] = True  # inside: nine taps, five outputs
    spikes[1, 0, 1, 0, 0] = True  # corner: four taps, four outputs with a weight
    operations = report.synaptic_operations(_network(weight), {"lif": spikes})
    assert operations == {"conv": 9 * 5 + 4 * 4}
    dense = report.synaptic_operations(_network(weight), {"lif": spikes}, dense=True)
    assert dense == {"conv": 9 * 5 + 4 * 5}


@pytest.mark.parametrize("stride", [1, 2])
def test_synaptic_operations_equal_a_count_by_hand(stride):
    rng = np.random.default_rng(3)
    weight = rng.integers(-1, 2, (3, 2, 3, 3)).astype(np.int8)
    spikes = rng.random((2, 2, 2, 4, 4)) < 0.4
    count = 0
    for _, _, c, y, x in np.argwhere(spikes):
        for out in range(3):
            for ky in range(3):
                for kx in range(3):
                    row, column = y + 1 - ky, x + 1 - kx
                    inside = 0 <= row < 4 and 0 <= column < 4 and row % stride == 0 and column % stride == 0
                    count += bool(weight[out, c, ky, kx]) and inside
    assert report.synaptic_operations(_network(weight, stride), {"lif": spikes})["conv"] == count / 2


def test_activity_counts_rates_and_silent_channels():
    spikes = np.zeros((2, 3, 4, 2, 2), bool)
    spikes[:, :, 1] = True
    (row,) = report.activity({"lif": spikes})
    assert (row.rate, row.silent_channels, row.neurons) == (0.25, 3, 16)


def test_footprint_counts_index_bits():
    weight = np.zeros((2, 4, 3, 3), np.int8)
    weight[0, 0, 0, 0] = 7
    size = report.footprint(_network(weight))
    weights, biases = 72 + 12, 2 + 4
    assert (size.weights, size.nonzero) == (weights, 1 + 12)
    assert size.dense_bytes == weights + 2 * biases
    assert size.bitmap_bytes == (weights + 7) // 8 + 13 + 2 * biases


def test_energy_prices_additions_and_the_stem():
    network = _network(np.ones((2, 2, 3, 3), np.int8))
    spent = report.energy(network, {"conv": 1000.0})
    stem = 2 * 3 * 16
    assert spent["spiking_uj"] == pytest.approx((0.9 * 1000 + 4.6 * stem) * 1e-6)
    assert spent["dense_uj"] == pytest.approx(4.6 * (stem + 2 * 2 * 9 * 16) * 1e-6)


def test_record_spikes_sees_what_the_layers_gave():
    model = torch.nn.Sequential(nn.LIF(), nn.Identity())
    x = torch.tensor([0.4, 0.6]).view(1, 1, 2, 1, 1)
    found = report.record_spikes(model, x, ["0"])
    assert found["0"].reshape(-1).tolist() == [False, True]
    assert not model[0]._forward_hooks


def test_pictures_and_table_are_written(tmp_path, capsys):
    spikes = {"a.lif": np.ones((4, 2, 3, 2, 2), bool), "b.lif": np.zeros((4, 2, 1, 2, 2), bool)}
    path = report.draw_activity(tmp_path / "new" / "spikes.png", spikes, title="two layers")
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000
    summary = report.Summary("title")
    summary.stages.append(report.StageRow("qat", 4, 0.5, 0.9, 2048, 0.125, 3e6, 4096))
    summary.boards.append(report.BoardRow("qat", "zcu104", 32, 1, 300_000, 1000.0, "compute 80%"))
    summary.verification.append("qat: 0 differences")
    summary.print()
    text = capsys.readouterr().out
    assert all(part in text for part in ("0.900", "12.5 %", "3.00 M", "300,000: 1,000/s", "0 differences"))
    assert summary.to_json()["stages"][0]["ap50"] == 0.9

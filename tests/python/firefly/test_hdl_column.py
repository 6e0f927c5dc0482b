"""Emitted Verilog against the clocked model, register by register, in Icarus Verilog."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lampyris.firefly import column_vectors, column_verilog, simulate_column

CELLS = Path("/usr/share/yosys/xilinx/cells_sim.v")
icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")


def layer(
    seed: int, shape: tuple[int, ...], outputs: int, low: int = -128, high: int = 127, rate: float = 0.3
):
    rng = np.random.default_rng(seed)
    weight = rng.integers(low, high + 1, (outputs, shape[1], 3, 3)).astype(np.int8)
    bias = rng.integers(-300, 301, outputs).astype(np.int16)
    return weight, bias, rng.random(shape) < rate


@icarus
@pytest.mark.parametrize(("datapath", "leak"), [("cascade", "half_after"), ("tree", "leak_every_pass")])
def test_columns_on_a_random_layer(datapath, leak, tmp_path):
    """8 x 8 map, 32 inputs, 16 outputs, T = 4: four columns of processing elements."""
    vectors = column_vectors(*layer(1, (4, 32, 8, 8), 16), 300, leak=leak, datapath=datapath)
    assert vectors.fired.any() and vectors.sum_valid.sum() == 4 * 2 * 64
    assert simulate_column(vectors, tmp_path) == []


@icarus
def test_winner_takes_all_over_the_whole_array(tmp_path):
    weight, bias, spikes = layer(2, (3, 16, 2, 3), 16, -2, 2)
    bias[:] = 0  # small sums tie
    vectors = column_vectors(weight, bias, spikes, 0, winner_takes_all=True, datapath="tree")
    winners = [int(f).bit_count() for f in vectors.fired[vectors.last != 0]]
    assert min(winners) >= 1 and max(winners) > 1
    assert simulate_column(vectors, tmp_path, lanes=16) == []


@icarus
def test_sums_wrap_at_32_lanes(tmp_path):
    """288 weights of -128 leave the 16 bits of a tile sum, five steps the 18 bits of a membrane."""
    weight, bias, spikes = layer(3, (5, 32, 3, 3), 32, -128, -128, 1.0)
    vectors = column_vectors(weight, bias, spikes, 131071, parallelism=32, datapath="tree")
    assert vectors.membrane.min() < 0 < vectors.membrane.max()
    assert vectors.sums.min() < 0 < vectors.sums.max()
    assert simulate_column(vectors, tmp_path, lanes=4) == []


@icarus
@pytest.mark.skipif(not CELLS.exists(), reason=f"yosys is not installed: no {CELLS}")
def test_chains_of_primitives(tmp_path):
    """The slices of a cascade as the vendor's DSP48E1."""
    vectors = column_vectors(*layer(4, (2, 16, 2, 2), 16), 200, datapath="cascade")
    assert simulate_column(vectors, tmp_path, cells=CELLS) == []


@icarus
def test_a_wrong_register_is_found(tmp_path):
    vectors = column_vectors(*layer(5, (1, 16, 2, 2), 16), 100, datapath="tree")
    at = int(np.argmax(vectors.sum_valid))
    vectors.sums[at, 3] ^= 1
    found = simulate_column(vectors, tmp_path)
    assert len(found) == 1 and found[0].startswith(f"cycle {at}: sums is ")


def test_bad_arguments():
    weight, bias, spikes = layer(6, (1, 16, 2, 2), 16)
    with pytest.raises(ValueError, match="lanes must be a divisor of P = 16 and a multiple of 4, got 6"):
        column_verilog(16, lanes=6)
    with pytest.raises(ValueError, match="datapath must be cascade or tree"):
        column_verilog(16, "functional")
    with pytest.raises(ValueError, match="weight must have 1 to P = 16 outputs, got 17"):
        column_vectors(np.ones((17, 16, 3, 3), np.int8), np.zeros(17, np.int16), spikes, 5)
    with pytest.raises(ValueError, match=r"spikes must have shape \[T, 16, H, W\]"):
        column_vectors(weight, bias, spikes[:, :8], 5)
    with pytest.raises(ValueError, match="got before"):
        column_vectors(weight, bias, spikes, 5, leak="before")

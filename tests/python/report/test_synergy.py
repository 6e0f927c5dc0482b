"""Interaction information against values derived by hand, and the command."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest

from lampyris.cli import main
from lampyris.report import synergy as module
from lampyris.report.synergy import entropy, function_synergy, middle_xor, synergy

NEAR = 1e-12  # sums of a few logarithms in float64


@pytest.mark.parametrize("n", [2, 3, 5])
def test_parity_is_synergy_alone(n):
    found = function_synergy(lambda x: x.sum() % 2, n)
    assert abs(found.whole - 1) < NEAR and abs(found.single) < NEAR
    assert abs(found.synergy - 1) < NEAR and abs(found.interaction - 1) < NEAR
    # the number of ones tells its parity; the largest bit tells it in one of 2^n rows
    assert abs(found.kept["sum"] - 1) < NEAR and found.kept["max"] < 0.32


def test_a_copied_bit_is_redundant():
    bits = np.array([[0, 0], [1, 1]])
    found = synergy(bits, bits[:, 0])
    assert found.single == 2.0 and found.synergy == -1.0 and found.interaction == -1.0


def test_and_of_two_bits_by_hand():
    found = function_synergy(lambda x: x.min(), 2)
    h = lambda p: -p * np.log2(p) - (1 - p) * np.log2(1 - p)  # noqa: E731
    # H(Y) = h(1/4); given one bit, Y is 0, or a fair bit
    assert abs(found.label - h(0.25)) < NEAR
    assert abs(found.single - 2 * (h(0.25) - 0.5)) < NEAR
    assert abs(found.interaction - found.synergy) < NEAR  # the same for two neighbours


def test_independent_labels_have_nothing():
    rows = np.array([[a, b, y] for a in (0, 1, 2) for b in (0, 1) for y in (0, 1)])
    found = synergy(rows[:, :2], rows[:, 2])
    assert abs(found.whole) < NEAR and max(found.kept.values()) < NEAR


@pytest.mark.parametrize("n", [4, 6])
def test_middle_keys_hide_from_sum_and_mean(n):
    found = middle_xor(n)
    assert abs(found.kept["sum"]) < NEAR and abs(found.kept["mean"]) < NEAR and abs(found.kept["max"]) < NEAR
    assert abs(found.kept["ordered"] - 1) < NEAR and abs(found.single) < NEAR


def test_middle_keys_of_an_odd_number_are_refused():
    with pytest.raises(ValueError, match="must be 4 or 6"):
        middle_xor(5)


def test_weights_are_probabilities():
    assert abs(entropy([np.array([0, 1, 1])], np.array([2.0, 1.0, 1.0])) - 1) < NEAR


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (np.zeros(3), np.zeros(3), r"must be \[S, n\]"),
        (np.zeros((3, 13)), np.zeros(3), "n <= 12"),
        (np.zeros((3, 2)), np.zeros(2), r"label must be \[3\] and not empty, got \[2\]"),
        (np.zeros((0, 2)), np.zeros(0), "not empty"),
    ],
)
def test_wrong_shapes_are_named(x, y, text):
    with pytest.raises(ValueError, match=text):
        synergy(x, y)


def test_too_many_combinations_are_refused():
    with pytest.raises(ValueError, match=r"1 to 2\^20, got 10 values of 7"):
        function_synergy(lambda x: x.sum(), 7, range(10))


def test_the_command_prints_and_writes(tmp_path, capsys):
    out = tmp_path / "synergy.json"
    assert main(["report", "synergy", "--neighbours", "3", "--out", str(out)]) == 0
    assert "interaction" in capsys.readouterr().out
    assert abs(json.loads(out.read_text())["XOR of all"]["synergy"] - 1) < NEAR
    path = tmp_path / "s.npz"
    np.savez(path, neighbours=[[0, 0], [0, 1], [1, 0], [1, 1]], label=[0, 1, 1, 0])
    assert main(["report", "synergy", "--samples", str(path)]) == 0
    assert "4 samples" in capsys.readouterr().out
    path.write_bytes(b"PK\x03\x04 not whole")
    assert main(["report", "synergy", "--samples", str(path)]) == 1


def test_examples():
    assert doctest.testmod(module).failed == 0

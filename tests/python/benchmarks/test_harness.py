"""The benchmark harness: what it measures, and that its tables keep every figure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[3]))

from benchmarks import tables
from benchmarks.harness import Case, measure, saved_bytes
from benchmarks.peers import MODULES, missing
from benchmarks.scaling import measure_scaling


def _case(**options) -> Case:
    x = torch.ones(1000, requires_grad=True)

    def ours():
        x.exp().sum().backward()

    def peer():
        (x.exp() * x.exp()).sum().backward()

    return Case("exp 1000", ours, peer, "two exp", **options)


def test_saved_bytes_counts_each_storage_once():
    x = torch.ones(8, requires_grad=True)
    assert saved_bytes(lambda: x + 1) == 0
    assert saved_bytes(lambda: x.exp()) == 32  # the result
    assert saved_bytes(lambda: x * x) == 32  # both factors are one storage
    assert saved_bytes(lambda: x * x, (x,)) == 0
    assert saved_bytes(lambda: x[:2] * x[2:4]) == 32  # views count with the whole of it


def test_measure_and_tables(tmp_path):
    results = measure([_case(density=0.25, neuron_steps=1000)], rounds=2, keep_pages=False)
    assert (results[0].ours_saved, results[0].peer_saved) == (4.0, 8.0)
    assert "two exp" in tables.text(results) and "0.25" in tables.text(results)
    assert tables.markdown(results).splitlines()[1].startswith("|---")
    path = str(tmp_path / "figures.json")
    tables.write_json(path, results)
    assert tables.read_json(path) == results


def test_columns_without_figures_are_left_out_of_markdown():
    results = measure([_case()], rounds=1, keep_pages=False)
    assert "saved" not in tables.markdown(results) and "saved" in tables.text(results)


def test_scaling_measures_a_name_once():
    before = torch.get_num_threads()
    results = measure_scaling([_case(), _case()], threads=2, rounds=1, keep_pages=False)
    torch.set_num_threads(before)
    assert [r.name for r in results] == ["exp 1000"]
    assert "scaling" in tables.text(results)


@pytest.mark.parametrize("peer", MODULES)
def test_a_missing_peer_is_named(peer):
    reason = missing(peer)
    if reason is None:
        pytest.skip(f"{peer} is installed")
    assert "No module named" in reason


@pytest.mark.slow
def test_command_line_measures_both_allocators(tmp_path):
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "lif_peers", "--rounds", "1", "--json", str(path)]
    command += ["--only", "4x2097152", "--peer", "eager"]
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root / "python")}
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    figures = tables.read_json(str(path))
    assert [r.allocator for r in figures] == ["glibc", "glibc", "glibc, pages kept", "glibc, pages kept"]
    assert all(r.ours_saved == 0.25 for r in figures)

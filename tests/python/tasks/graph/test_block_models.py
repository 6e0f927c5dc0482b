"""Stochastic block models: the graphs, the networks trained on small ones, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from lampyris.cli import main
from lampyris.tasks.graph import block_models_task
from lampyris.tasks.graph.block_models import spectral_by_lanczos
from lampyris.tasks.graph.clustering import agreement, spectral
from lampyris.tasks.graph.stochastic_blocks import BlockModel, sample_blocks


def test_degree_and_mixing_are_those_asked_for():
    model = BlockModel(blocks=4, degree=10.0, mixing=0.3)
    graph = sample_blocks(model, 8000, seed=0)
    source, destination = graph.edge_index
    # 80000 directed edges: 4 deviations of their number and of the share between blocks
    assert len(source) / 8000 == pytest.approx(10.0, abs=0.15)
    assert (graph.y[source] != graph.y[destination]).float().mean() == pytest.approx(0.3, abs=0.01)
    assert graph.y.bincount().tolist() == [2000] * 4
    code = destination * 8000 + source
    assert (code.diff() > 0).all()  # sorted, nothing twice
    assert torch.equal((source * 8000 + destination).sort().values, code)  # both directions
    assert torch.allclose(graph.x[graph.y == 1].mean(0), torch.from_numpy(model.means()[1]).float(), atol=0.1)


def test_means_belong_to_the_model_and_edges_to_the_seed():
    model = BlockModel(blocks=2, degree=4.0)
    a, b, c = (sample_blocks(model, 60, seed) for seed in (1, 1, 2))
    assert torch.equal(a.edge_index, b.edge_index) and torch.equal(a.x, b.x)
    assert not torch.equal(a.y, c.y)


def test_extremes_of_the_mixing():
    for mixing, between in ((0.0, 0.0), (1.0, 1.0)):
        graph = sample_blocks(BlockModel(blocks=2, degree=4.0, mixing=mixing), 100, seed=0)
        apart = graph.y[graph.edge_index[0]] != graph.y[graph.edge_index[1]]
        assert apart.float().mean() == between


def test_impossible_models_are_refused():
    with pytest.raises(ValueError, match="blocks must be >= 2"):
        BlockModel(blocks=1)
    with pytest.raises(ValueError, match="nodes must be enough"):
        sample_blocks(BlockModel(), 20, seed=0)
    with pytest.raises(ValueError, match="regime must be one of dense, sparse, got 'none'"):
        block_models_task(None, ["none"])


def test_lanczos_finds_what_scikit_learn_finds():
    graph = sample_blocks(BlockModel(blocks=3, degree=16.0, mixing=0.1), 300, seed=0)
    matrix = np.zeros((300, 300), np.float32)
    matrix[tuple(graph.edge_index.numpy())] = 1
    import scipy.sparse

    sparse = scipy.sparse.csr_matrix(matrix)
    ours, theirs = spectral_by_lanczos(sparse, 3, 0), spectral(sparse, 3, 0)
    assert agreement(ours, graph.y) > 0.95 and agreement(theirs, graph.y) > 0.95


def test_trained_on_small_graphs_it_finds_the_blocks_of_large_ones():
    quality, times = block_models_task(
        ["dmon", "k-means"], ["dense"], sizes=(2000,), tests=1, seeds=1, train_graphs=5, train_nodes=300,
        steps=150, workers=1,
    )  # fmt: skip
    assert quality.mean("dense 2000", "dmon") > 0.5 > 0.3 > quality.mean("dense 2000", "k-means")
    assert times.mean("dense 2000", "dmon") > 0


def test_command(tmp_path, capsys):
    assert main(["graph", "sbm", "--quick", "--folder", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "NMI with the blocks" in text and "seconds per unseen graph" in text
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["figures"]["sparse 500"]) == set(figures["seconds"]["sparse 500"])
    assert (tmp_path / "sbm_time.png").read_bytes().startswith(b"\x89PNG")

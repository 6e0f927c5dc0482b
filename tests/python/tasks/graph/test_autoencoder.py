"""Coordinates through a pooling layer and back."""

from __future__ import annotations

import json

import pytest
import torch

from lampyris.cli import main
from lampyris.tasks.graph.autoencoder import AUTOENCODERS, PointAutoencoder, autoencoder_task, flat_graph
from lampyris.tasks.graph.cluster_sets import grid


@pytest.mark.parametrize("pooling", AUTOENCODERS)
def test_every_pooling_goes_there_and_back(pooling):
    torch.manual_seed(0)
    graph = flat_graph(grid(4, 5))
    model = PointAutoencoder(2, 20, pooling)
    points, loss = model(graph)
    assert points.shape == (20, 2) and loss.shape == ()
    ((points - graph.x).square().mean() + loss).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_minimum_cut_keeps_what_top_k_loses():
    """The published finding, on a small ring: selecting nodes leaves holes, clusters do not."""
    results, _ = autoencoder_task(
        ["mincut", "topk"], ring_nodes=32, grid_side=4, seeds=1, steps=400, lr=0.01, workers=1
    )
    assert results.mean("ring", "mincut") < 0.02 < 0.1 < results.mean("ring", "topk")


def test_wrong_names_are_named():
    with pytest.raises(ValueError, match=r"pooling must be one of .*, got 'none'"):
        autoencoder_task(["none"])


def test_command(tmp_path, capsys):
    assert main(["graph", "autoencoder", "--quick", "--folder", str(tmp_path)]) == 0
    assert "mean squared error" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["figures"]) == {"ring", "grid"}
    assert (tmp_path / "points.png").read_bytes().startswith(b"\x89PNG")

"""Clustering without labels: the sets, the partitions, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from lampyris.cli import main
from lampyris.tasks.graph import Recipe, clustering_task
from lampyris.tasks.graph.cluster_sets import GRAPH_SETS, grid, load_graph_set, ring
from lampyris.tasks.graph.clustering import agreement, partition, spectral
from lampyris.tasks.graph.message_passing import GCS, Propagation, normalise_dense
from lampyris.tasks.graph.pictures import match_labels


@pytest.mark.parametrize("name", GRAPH_SETS)
def test_sets_are_undirected_and_labelled(name):
    graph = load_graph_set(name)
    matrix = graph.adjacency()
    assert (matrix != matrix.T).nnz == 0 and matrix.diagonal().sum() == 0
    assert graph.labels.shape == (graph.num_nodes,) and graph.features.shape[0] == graph.num_nodes
    assert graph.labels.bincount().min() > 0  # every part has a member
    places = {"digits": 10, "karate": 2, "southern_women": 2}
    assert graph.classes == places.get(name, graph.classes)


def test_southern_women_share_events():
    """Evelyn and Laura came to six of the fourteen events together (Davis's table)."""
    assert load_graph_set("southern_women").adjacency()[0, 1] == 6


def test_propagation_is_the_normalised_adjacency():
    graph = load_graph_set("les_miserables")
    dense = torch.from_numpy(graph.adjacency().toarray())
    found = Propagation(graph.edge_index, graph.num_nodes, graph.weight)(torch.eye(graph.num_nodes))
    # float32 sums of some ten weights of about 1
    assert torch.allclose(found, normalise_dense(dense), atol=1e-6)


def test_propagation_of_a_directed_graph_has_the_transposed_backward():
    edges = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 2]])
    propagation = Propagation(edges, 3, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    matrix = propagation(torch.eye(3))
    x = torch.eye(3, requires_grad=True)
    gradient = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    (propagation(x) * gradient).sum().backward()
    assert torch.allclose(x.grad, matrix.T @ gradient, atol=1e-6)  # three float32 products each


def test_propagation_refuses_bad_weights():
    with pytest.raises(ValueError, match="weight must be finite and not negative"):
        Propagation(torch.tensor([[0, 1], [1, 0]]), 2, torch.tensor([1.0, float("nan")]))


def test_gcs_takes_the_narrow_side_first():
    propagate = torch.rand(5, 5, generator=torch.Generator().manual_seed(1)).__matmul__
    for inputs, outputs in ((3, 7), (7, 3)):
        torch.manual_seed(0)
        layer = GCS(inputs, outputs, torch.tanh)
        x = torch.randn(5, inputs)
        wanted = torch.tanh(propagate(x) @ layer.message.weight.T + layer.message.bias + layer.skip(x))
        if inputs > outputs:
            assert torch.allclose(layer(x, propagate), wanted, atol=1e-5)  # another order of sums
    nothing = GCS(3, 7)(torch.zeros(5, 3), propagate)
    assert (nothing == 0).all()  # the bias starts at zero


def test_two_cliques_are_found():
    ring_of_two = torch.block_diag(torch.ones(6, 6), torch.ones(6, 6)) - torch.eye(12)
    ring_of_two[5, 6] = ring_of_two[6, 5] = 1
    edges = ring_of_two.nonzero().T.contiguous()
    base = load_graph_set("karate")
    truth = torch.arange(12) // 6
    graph = type(base)("cliques", edges, torch.ones(edges.shape[1]), torch.eye(12), truth, base.places, "")
    for loss in ("mincut", "dmon"):
        found = partition(graph, 2, loss=loss, starts=2, recipe=Recipe(steps=100, lr=0.02, weight_decay=0))
        assert agreement(found.labels, truth) == pytest.approx(1.0)
    assert agreement(spectral(graph.adjacency(), 2, 0), truth) == pytest.approx(1.0)


def test_karate_splits_nearly_as_it_did():
    results, first = clustering_task(
        ["karate"], ["spectral", "dmon", "mincut"], seeds=2, steps=200, workers=1
    )
    # The partition of greatest modularity differs from the clubs in one member, starts of minCUT in few.
    assert results.mean("karate", "spectral") > 0.8 and results.mean("karate", "dmon") > 0.8
    assert results.mean("karate", "mincut") > 0.5
    assert first["karate"]["mincut"].shape == (34,)
    again, _ = clustering_task(["karate"], ["mincut"], seeds=1, steps=200, workers=1)
    assert again.values["karate"]["mincut"][0] == results.values["karate"]["mincut"][0]


def test_wrong_names_are_named():
    with pytest.raises(ValueError, match=r"method must be one of .*, got 'louvain'"):
        clustering_task(["karate"], ["louvain"])
    with pytest.raises(ValueError, match=r"graph must be one of .*, got 'cora'"):
        clustering_task(["cora"])
    with pytest.raises(ValueError, match="clusters, starts and hidden must be >= 1"):
        partition(load_graph_set("karate"), 0)


def test_labels_are_matched_for_pictures():
    reference = np.array([0, 0, 0, 1, 1, 2])
    assert (match_labels(np.array([2, 2, 2, 0, 0, 1]), reference) == reference).all()
    assert match_labels(np.array([0, 1, 2, 3, 3, 3]), reference).tolist()[3:] != [0, 0, 0]


def test_rings_and_grids():
    assert (ring(5).adjacency().sum(0) == 2).all()
    degree = grid(3, 4).adjacency().sum(0).A1
    assert sorted(degree.tolist()) == [2.0] * 4 + [3.0] * 6 + [4.0] * 2
    for wrong in (lambda: ring(2), lambda: grid(1, 5)):
        with pytest.raises(ValueError, match="must have at least"):
            wrong()


def test_command(tmp_path, capsys):
    assert main(["graph", "clustering", "--quick", "--folder", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "NMI" in text and "protocol: 2 seeds" in text
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]["karate"]
    assert len(figures["mincut"]["runs"]) == 2
    assert (tmp_path / "clusters.png").read_bytes().startswith(b"\x89PNG")

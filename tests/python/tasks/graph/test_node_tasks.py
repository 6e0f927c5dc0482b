"""Targets, fits and networks of the node tasks, against numbers by hand or by networkx."""

from __future__ import annotations

from dataclasses import replace

import networkx
import numpy as np
import pytest
import torch

from lampyris.data.graph_sets import disease_tree, karate_club
from lampyris.data.graphs import erdos_renyi
from lampyris.tasks.graph import centrality_task, node_task, top2_task, xor_task
from lampyris.tasks.graph.centrality import fit_regression, measured_graph
from lampyris.tasks.graph.degree_fits import degree_features, degree_fit, shared_neighbours
from lampyris.tasks.graph.node_classification import label_split
from lampyris.tasks.graph.overlap import OverlapGOAT, OverlapGraph, overlap_graph
from lampyris.tasks.graph.top2 import top2_graph
from lampyris.tasks.graph.training import Recipe
from lampyris.tasks.graph.xor import middle_graph, one_run, parity_graph

NODES = 40


def _networkx(edge_index) -> networkx.Graph:
    graph = networkx.Graph()
    graph.add_nodes_from(range(NODES))
    graph.add_edges_from(edge_index.T.tolist())
    return graph


@pytest.mark.parametrize("measure", ["betweenness", "effective_size"])
def test_targets_are_those_of_networkx_scaled(measure):
    graph = measured_graph(measure, NODES, 0.2, seed=1)
    other = _networkx(graph.edge_index)
    found = (
        networkx.betweenness_centrality(other) if measure == "betweenness" else networkx.effective_size(other)
    )
    y = np.array([found[n] for n in range(NODES)])
    # two algorithms in float64 add in different orders
    np.testing.assert_allclose(graph.y, (y - y.min()) / (y.max() - y.min()), atol=1e-12)


def test_a_measure_that_is_the_same_everywhere_is_refused():
    with pytest.raises(ValueError, match="betweenness must differ between nodes, got 0 everywhere"):
        measured_graph("betweenness", 5, 1.0, seed=0)
    with pytest.raises(ValueError, match="one of betweenness, effective_size, got 'closeness'"):
        measured_graph("closeness", 5, 0.5, seed=0)


def test_degree_features_against_networkx():
    edge_index = erdos_renyi(NODES, 0.2, seed=3)
    other, features = _networkx(edge_index), degree_features(edge_index, NODES)
    triangles = networkx.triangles(other)
    assert features["links"].tolist() == [triangles[n] for n in range(NODES)]
    means = networkx.average_neighbor_degree(other)
    np.testing.assert_allclose(features["mean"], [means[n] for n in range(NODES)], rtol=1e-14)
    shared = shared_neighbours(edge_index, NODES)
    expected = [len(list(networkx.common_neighbors(other, a, b))) for a, b in edge_index.T.tolist()]
    assert shared.tolist() == expected


def test_a_quadratic_target_is_fitted_exactly():
    degree = torch.arange(9.0)
    features = {"degree": degree, "degree²": degree**2}
    line = degree_fit(("degree", "degree²"), [features], [1 + 2 * degree - 3 * degree**2])
    found = line({"degree": torch.tensor([20.0]), "degree²": torch.tensor([400.0])})
    assert abs(found.item() + 1159) < 1e-8  # float64 least squares of three columns


def test_overlaps_of_the_identity_are_degrees_and_shared_neighbours():
    edge_index = erdos_renyi(NODES, 0.2, seed=3)
    graph = overlap_graph(torch.eye(NODES), edge_index)
    degree = torch.bincount(edge_index[1], minlength=NODES).float()
    shared = shared_neighbours(edge_index, NODES)
    torch.testing.assert_close(graph.scale, degree / degree.mean())
    torch.testing.assert_close(graph.edge[:, 0], (shared - shared.mean()) / shared.std())
    turned = torch.linalg.qr(torch.randn(NODES, NODES, generator=torch.Generator().manual_seed(0)))[0]
    other = overlap_graph(turned, edge_index)  # only inner products count: an orthogonal map changes nothing
    for a, b in zip(graph[:4], other[:4], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)  # float32 products of 40 terms, then divided


def test_goat_overlap_sees_each_graph_of_a_union_by_itself():
    torch.manual_seed(0)
    net = OverlapGOAT()
    torch.nn.init.normal_(net.mlp[2].weight)
    parts = [overlap_graph(torch.eye(n), erdos_renyi(n, 0.3, seed=n)) for n in (10, 15)]
    with torch.no_grad():
        together = net(OverlapGraph.union(parts))
        torch.testing.assert_close(together, torch.cat([net(p) for p in parts]))


def test_goat_overlap_starts_at_the_degree_fit():
    graph = measured_graph("betweenness", 100, 0.09, seed=1)
    inputs, known = overlap_graph(torch.eye(100), graph.edge_index), torch.arange(60)
    features = degree_features(graph.edge_index, 100)
    fitted = degree_fit(
        ("degree", "degree²"), [{name: v[known] for name, v in features.items()}], [graph.y[known]]
    )
    net = OverlapGOAT()
    net.start_from_degrees(inputs, graph.y, known)
    with torch.no_grad():
        found = net(inputs)[:, 0].double()
    torch.testing.assert_close(found, fitted(features), atol=1e-5, rtol=0)  # weights in float32


def test_goat_overlap_counts_edges_among_neighbours():
    """Effective size is n - 2 q / n: a short training comes nearer to unknown nodes than degrees can."""
    graph = measured_graph("effective_size", 100, 0.09, seed=0)
    train, val, test = torch.arange(60), torch.arange(60, 80), torch.arange(80, 100)
    features = degree_features(graph.edge_index, 100)
    line = degree_fit(
        ("degree", "degree²"), [{name: v[train] for name, v in features.items()}], [graph.y[train]]
    )
    torch.manual_seed(0)
    recipe = Recipe(steps=100, lr=0.01, weight_decay=1e-3, decay="cosine", every=10)
    inputs = (overlap_graph(torch.eye(100), graph.edge_index),)
    found = fit_regression(OverlapGOAT(), inputs, graph.y, train, val, recipe)
    assert (found - graph.y)[test].square().mean() < (line(features) - graph.y)[test].square().mean()


def test_centrality_refuses_unknown_sizes():
    with pytest.raises(ValueError, match=r"size must be one of \[100, 1000\], got 7"):
        centrality_task("betweenness", [7])


def test_top2_by_hand():
    graph = top2_graph(60, seed=4)
    other = networkx.Graph(graph.edge_index.T.tolist())
    target = np.empty(60)
    for node in range(60):
        far = networkx.single_source_shortest_path_length(other, node, cutoff=2) if node in other else {}
        seen = [float(graph.x[n, 0]) * (1 if d == 1 else 0.8) for n, d in far.items() if d]
        target[node] = np.sqrt(np.exp(sorted(seen)[-2:]).sum())
    assert graph.y.tolist() == (target > np.median(target)).astype(int).tolist()


def test_middle_graph_hides_the_class_from_counts_and_largest_keys():
    graph = middle_graph(400, 8, seed=1)
    features = graph.x[graph.edge_index[0]].view(400, 8, 2)
    order = features[..., 0].argsort(1)
    bits = (features[..., 1] > 0).gather(1, order).long()
    assert bits.sum(1).tolist() == [4] * 400
    assert (bits[:, 3] ^ bits[:, 4]).tolist() == graph.y[:400].tolist()
    assert int(graph.y[:400].sum()) == 200 and (graph.y[400:] == -1).all()


def test_parity_graph_never_hears_itself():
    graph = parity_graph(50, 5, seed=2)
    assert not (graph.edge_index[0] == graph.edge_index[1]).any()
    with pytest.raises(ValueError, match=r"degree must be in \[1, nodes\) = \[1, 50\), got 50"):
        parity_graph(50, 50)


@pytest.mark.parametrize(("name", "low", "high"), [("SAGE-mean", 35, 65), ("GOAT", 90, 100)])
def test_a_linear_sum_stays_at_chance_where_a_sequence_does_not(name, low, high):
    recipe = Recipe(steps=150, lr=0.02, weight_decay=0.0, patience=None, every=10)
    found = 100 * one_run(name, parity_graph(300, 4, seed=0), "linear", 0, recipe)
    assert low <= found <= high


def test_xor_refuses_unknown_models():
    with pytest.raises(ValueError, match=r"model must be one of SAGE-sum, .*, got 'GCNN'"):
        xor_task(1, ["GCNN"])


def test_an_epidemic_only_goes_down_from_the_ill():
    tree = disease_tree(300, seed=5)
    graph = networkx.Graph(tree.edge_index.T.tolist())
    assert networkx.is_tree(graph) and max(dict(graph.degree).values()) <= 7
    parents = dict(networkx.bfs_predecessors(graph, 0))
    assert all(tree.y[parent] or not tree.y[node] for node, parent in parents.items())


def test_label_split_takes_what_it_should():
    y = torch.tensor([0, 1] * 20)
    train, val, test = label_split(y, 3, 10, seed=0)
    assert y[train].bincount().tolist() == [3, 3]
    assert sorted(torch.cat([train, val, test]).tolist()) == list(range(40))
    with pytest.raises(ValueError, match="class 1 must have >= 3 nodes, got 1"):
        label_split(torch.tensor([0, 0, 0, 1]), 3, 0, seed=0)


def test_a_graph_with_a_split_of_its_own_keeps_it():
    club = karate_club()
    train, val, test = torch.tensor([0, 33]), torch.tensor([1, 32]), torch.tensor([2, 31, 30])
    graph = replace(club, train=train, val=val, test=test)
    results = node_task([graph], ["MLP"], seeds=2, recipe=Recipe(steps=3), workers=1)
    assert "karate club: its own split" in results.protocol
    assert {round(3 * v / 100, 6) for v in results.values["karate club"]["MLP"]} <= {0, 1, 2, 3}


def test_no_runs_are_refused():
    for run, text in ((node_task, "seeds"), (top2_task, "graphs"), (xor_task, "seeds")):
        with pytest.raises(ValueError, match=f"{text} must be >= 1, got 0"):
            run(**{text: 0})


def test_node_classification_refuses_unknown_sets():
    with pytest.raises(ValueError, match="set must be one of digits, karate, disease, got 'cora'"):
        node_task(["cora"])

"""Random graphs and measures of graphs, against networkx."""

from __future__ import annotations

import doctest
from collections import Counter

import networkx
import numpy as np
import pytest
import torch

from lampyris import _native, data
from lampyris.data import graphs

# Sums of at most 10^6 positive doubles in another order: 10^6 x 2^-53.
ROUNDING = 1e-10
LAST_BITS = 1e-14  # networkx may sum n terms where ours is one quotient of integers


def as_networkx(edge_index, nodes, kind=networkx.Graph):
    graph = kind()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(edge_index.T.tolist())
    return graph


CASES = {
    "empty": (torch.empty(2, 0, dtype=torch.int64), 3),
    "one node": (torch.empty(2, 0, dtype=torch.int64), 1),
    "erdos": (graphs.erdos_renyi(120, 0.05, seed=3), 120),
    "islands": (graphs.erdos_renyi(150, 0.008, seed=3), 150),
    "barabasi": (graphs.barabasi_albert(90, 3, seed=1), 90),
    "tree": (graphs.random_tree(64, seed=2), 64),
    "repeats": (torch.randint(30, (2, 200), generator=torch.Generator().manual_seed(1)), 30),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("directed", [True, False])
def test_betweenness_is_that_of_networkx(name, normalized, directed):
    edge_index, nodes = CASES[name]
    if directed:  # one of the two directions of an edge, so that paths have ends
        edge_index = edge_index[:, : edge_index.shape[1] * 2 // 3]
    graph = as_networkx(edge_index, nodes, networkx.DiGraph if directed else networkx.Graph)
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    expected = list(networkx.betweenness_centrality(graph, normalized=normalized).values())
    mine = graphs.betweenness(edge_index, nodes, directed=directed, normalized=normalized)
    np.testing.assert_allclose(mine.numpy(), expected, rtol=ROUNDING, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_effective_size_is_that_of_networkx(name):
    edge_index, nodes = CASES[name]
    graph = as_networkx(edge_index, nodes)
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    expected = list(networkx.effective_size(graph).values())
    np.testing.assert_allclose(graphs.effective_size(edge_index, nodes).numpy(), expected, rtol=LAST_BITS)


def test_the_bundled_graphs():
    karate = networkx.karate_club_graph()
    edge_index = torch.tensor(list(karate.edges)).T
    expected = list(networkx.betweenness_centrality(karate).values())
    np.testing.assert_allclose(graphs.betweenness(edge_index, 34).numpy(), expected, rtol=ROUNDING)
    expected = list(networkx.effective_size(karate, weight=None).values())
    np.testing.assert_allclose(graphs.effective_size(edge_index, 34).numpy(), expected, rtol=LAST_BITS)


def test_measures_follow_a_renumbering():
    edge_index, nodes = CASES["erdos"]
    new = torch.randperm(nodes, generator=torch.Generator().manual_seed(0))
    moved, still = graphs.betweenness(new[edge_index], nodes), graphs.betweenness(edge_index, nodes)
    np.testing.assert_allclose(moved[new].numpy(), still.numpy(), rtol=ROUNDING)
    moved, still = graphs.effective_size(new[edge_index], nodes), graphs.effective_size(edge_index, nodes)
    assert torch.equal(moved[new], still)


def test_threads_do_not_change_a_bit():
    edge_index, nodes = CASES["barabasi"]
    before = _native.threads()
    results = []
    for threads in (1, 2, 5):
        _native.set_threads(threads)
        results.append(graphs.betweenness(edge_index, nodes))
    _native.set_threads(before)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def assert_undirected(edge_index, nodes):
    source, target = edge_index.tolist()
    assert all(a != b for a, b in zip(source, target, strict=True))
    pairs = list(zip(target, source, strict=True))
    assert pairs == sorted(set(pairs)) and {(b, a) for a, b in pairs} == set(pairs)
    assert not pairs or max(pairs)[0] < nodes


@pytest.mark.parametrize("nodes", [0, 1, 2, 3, 57])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.9, 1.0])
def test_erdos_renyi_has_sorted_pairs(nodes, p):
    edge_index = graphs.erdos_renyi(nodes, p, seed=5)
    assert_undirected(edge_index, nodes)
    if p in (0.0, 1.0):
        assert edge_index.shape[1] == p * nodes * (nodes - 1)
    assert torch.equal(edge_index, graphs.erdos_renyi(nodes, p, seed=5))


def test_erdos_renyi_draws_every_pair_alike():
    nodes, draws, p = 9, 4000, 0.3
    counts = np.zeros((nodes, nodes))
    for seed in range(draws):
        source, target = graphs.erdos_renyi(nodes, p, seed=seed).numpy()
        counts[target, source] += 1
    share = counts[np.triu_indices(nodes, 1)] / draws
    assert (abs(share - p) < 5 * np.sqrt(p * (1 - p) / draws)).all()  # five standard errors


def test_barabasi_albert_grows_by_m_edges():
    edge_index = graphs.barabasi_albert(2000, 4, seed=0)
    assert_undirected(edge_index, 2000)
    assert edge_index.shape[1] == 2 * 4 * 1996
    older = edge_index[0] < edge_index[1]
    assert (torch.bincount(edge_index[1][older], minlength=2000)[5:] == 4).all()
    degree = torch.bincount(edge_index[1], minlength=2000)
    assert degree.max() > 60  # a power law: an even draw would stay below 30


def test_random_trees_are_trees_and_all_alike():
    for nodes in (1, 2, 3, 40):
        tree = as_networkx(graphs.random_tree(nodes, seed=nodes), nodes)
        assert networkx.is_tree(tree)
    draws = 3200  # of the 4^2 labelled trees of four nodes
    found = Counter(str(graphs.random_tree(4, seed=seed).tolist()) for seed in range(draws))
    assert len(found) == 16
    assert all(abs(count - 200) < 5 * np.sqrt(200) for count in found.values())


@pytest.mark.parametrize("k", [1, 3, 59])
def test_knn_graph_against_sorting_all(k):
    points = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    edge_index = graphs.knn_graph(points, k, symmetric=False)
    apart = torch.cdist(points.double(), points.double()).fill_diagonal_(torch.inf)
    nearest = apart.argsort(1)[:, :k].sort(1).values
    assert torch.equal(edge_index[0].reshape(60, k), nearest)
    assert torch.equal(edge_index[1], torch.arange(60).repeat_interleave(k))
    assert torch.equal(graphs.knn_graph(points, k), graphs.undirected(edge_index, 60))
    assert_undirected(graphs.knn_graph(points, k), 60)


def test_knn_graph_breaks_ties_by_index():
    assert graphs.knn_graph(torch.zeros(5, 2), 2, symmetric=False)[0].tolist() == [
        1,
        2,
        0,
        2,
        0,
        1,
        0,
        1,
        0,
        1,
    ]


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: graphs.betweenness(torch.zeros(3, 2).long(), 2),
            r"edge_index must be \[2, E\], got \[3, 2\]",
        ),
        (lambda: graphs.betweenness(torch.zeros(2, 1), 2), "integer dtype, got float32"),
        (
            lambda: graphs.betweenness(torch.tensor([[0], [2]]), 2),
            r"betweenness: edge_index\[1\] must be in \[0, 2\), got 2 at \[0\]",
        ),
        (lambda: graphs.effective_size(torch.tensor([[-1], [0]]), 2), r"edge_index\[0\] .* got -1 at \[0\]"),
        (lambda: graphs.effective_size(torch.empty(2, 0).long(), -1), "num_nodes must be in"),
        (lambda: graphs.undirected(torch.tensor([[0], [2]]), 2), r"edge_index\[1\] .* got 2 at \[0\]"),
        (lambda: graphs.erdos_renyi(-1, 0.5), "num_nodes must be at least 0, got -1"),
        (lambda: graphs.erdos_renyi(3, 1.5), "p must be 0 to 1, got 1.5"),
        (lambda: graphs.barabasi_albert(3, 3), "num_nodes must be at least 4, got 3"),
        (lambda: graphs.barabasi_albert(3, 0), "m must be at least 1, got 0"),
        (lambda: graphs.random_tree(0), "num_nodes must be at least 1, got 0"),
        (lambda: graphs.knn_graph(torch.zeros(4), 1), r"points must be \[N, D\], got \[4\]"),
        (lambda: graphs.knn_graph(torch.zeros(4, 1), 4), "k must be 1 to N - 1 = 3, got 4"),
        (lambda: graphs.knn_graph(torch.full((4, 1), torch.nan), 1), "points must be finite, got nan"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_docstring_examples():
    result = doctest.testmod(graphs)
    assert result.failed == 0 and result.attempted >= 7


def test_the_module_is_reached_through_data():
    assert data.graphs is graphs

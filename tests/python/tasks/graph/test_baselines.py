"""Baseline layers against formulas written with dense matrices."""

from __future__ import annotations

import pytest
import torch

from lampyris.tasks.graph.baselines import BASELINES, baseline
from lampyris.tasks.graph.networks import network

NODES = 7


@pytest.fixture
def graph():
    torch.manual_seed(0)
    dense = (torch.rand(NODES, NODES) < 0.4).double().fill_diagonal_(0)  # [source, destination]
    dense[:, 6] = 0  # nobody points at node 6
    return torch.randn(NODES, 3, dtype=torch.float64), dense, dense.nonzero().T


def _layer(name, heads=2):
    torch.manual_seed(1)
    return BASELINES[name](3, 4, heads).double()


def test_gcn(graph):
    x, dense, edges = graph
    layer = _layer("GCN")
    a = dense + torch.eye(NODES)
    root = a.sum(0).rsqrt()
    expected = (a * root[:, None] * root).T @ x @ layer.linear.weight.T + layer.bias
    torch.testing.assert_close(layer(x, tuple(edges)), expected)  # float64, other order of the sums


@pytest.mark.parametrize("kind", ["mean", "sum", "max"])
def test_sage(graph, kind):
    x, dense, edges = graph
    layer = _layer(f"SAGE-{kind}")
    messages = x @ layer.other.weight.T
    expected = layer.own(x)
    for node in range(NODES):
        heard = messages[dense[:, node] > 0]
        if len(heard):
            expected[node] = expected[node] + (heard.amax(0) if kind == "max" else getattr(heard, kind)(0))
    torch.testing.assert_close(layer(x, tuple(edges)), expected)


def test_gin(graph):
    x, dense, edges = graph
    layer = _layer("GIN")
    torch.testing.assert_close(layer(x, tuple(edges)), layer.mlp(x + dense.T @ x))


@pytest.mark.parametrize("name", ["GAT", "GATv2"])
def test_attention(graph, name):
    x, dense, edges = graph
    layer = _layer(name)
    a = (dense + torch.eye(NODES)) > 0
    h = layer.source(x).view(NODES, 2, 2)
    g = layer.destination(x).view(NODES, 2, 2)
    expected = torch.zeros(NODES, 2, 2, dtype=torch.float64)
    for i in range(NODES):
        js = a[:, i].nonzero()[:, 0]
        for head in range(2):
            if name == "GAT":
                e = (g[i, head] * layer.score[0, head]).sum() + h[js, head] @ layer.score[1, head]
                e = torch.nn.functional.leaky_relu(e, 0.2)
            else:
                pair = torch.nn.functional.leaky_relu(h[js, head] + g[i, head], 0.2)
                e = pair @ layer.score[0, head]
            expected[i, head] = torch.softmax(e, 0) @ h[js, head]
    torch.testing.assert_close(layer(x, tuple(edges)), expected.flatten(1) + layer.bias)


@pytest.mark.parametrize("name", [*BASELINES, "GOAT", "GOATv2"])
def test_networks_do_not_depend_on_the_numbers_of_the_nodes(graph, name):
    x, _, edges = graph
    torch.manual_seed(0)
    net = network(name, 3, 8, 2, readout=True).double().eval()
    order = torch.randperm(NODES)
    place = torch.empty_like(order)
    place[order] = torch.arange(NODES)
    torch.testing.assert_close(net(x[order], place[edges]), net(x, edges)[order])


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="name must be one of MLP, GCN"):
        baseline("GTN", 1, 2, 3)
    with pytest.raises(ValueError, match="name must be one of GOAT"):
        network("GTN", 1, 2, 3)
    with pytest.raises(ValueError, match="layers must be >= 1, got 0"):
        baseline("GCN", 1, 2, 3, layers=0)

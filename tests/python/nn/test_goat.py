from __future__ import annotations

import pytest
import torch

from lampyris import nn

CELLS = ("lstm", "gru", "scan", "lif")


def random_graph(nodes=20, edges=70, seed=0):
    return torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("attention", ["gat", "gatv2"])
@pytest.mark.parametrize("cell", CELLS)
def test_permutation_of_nodes_and_edges(cell, attention):
    """Renumbered nodes and shuffled edges give the same rows."""
    layer = nn.GOATConv(5, 4, heads=2, cell=cell, attention=attention).double()
    x, edge_index = torch.randn(20, 5, dtype=torch.float64), random_graph()
    out = layer(x, edge_index)
    new = torch.randperm(20)  # node i becomes new[i]
    shuffled = new[edge_index][:, torch.randperm(edge_index.shape[1])]
    moved = torch.empty_like(x)
    moved[new] = x
    # Products of permuted rows may round otherwise: 1e-12 for values near 1 in float64.
    torch.testing.assert_close(layer(moved, shuffled)[new], out, atol=1e-12, rtol=0)


@pytest.mark.parametrize("weighting", ["none", "softmax", "sigmoid", "score"])
@pytest.mark.parametrize("attention", ["gat", "gatv2"])
def test_gradients_reach_the_scores_through_the_weighting_only(attention, weighting):
    layer = nn.GOATConv(5, 4, heads=2, attention=attention, weighting=weighting)
    layer(torch.randn(20, 5), random_graph()).square().sum().backward()
    assert layer.weight_ih.grad.abs().sum() > 0 and layer.weight_hh.grad.abs().sum() > 0
    reached = [p.grad is not None and bool(p.grad.any()) for p in (layer.attend, layer.score_source)]
    assert reached == [weighting != "none"] * 2


def test_self_loops_are_the_last_edges_of_a_row():
    loops = nn.goat.with_self_loops(nn.graph_csr(torch.tensor([[2, 0, 1], [0, 1, 0]]), 3))
    assert loops.row_ptr.tolist() == [0, 3, 5, 6] and loops.col.tolist() == [2, 1, 0, 0, 1, 2]

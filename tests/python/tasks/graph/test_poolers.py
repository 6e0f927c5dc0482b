"""Pooling layers side by side: shapes, the plain-torch baselines by hand, batches."""

from __future__ import annotations

import pytest
import torch

from lampyris.nn.graph_input import csr_from_edge_index
from lampyris.tasks.graph.bench_graphs import bench_set
from lampyris.tasks.graph.graph_classification import GraphClassifier, graph_inputs
from lampyris.tasks.graph.levels import Dense, Flat, flat_batch
from lampyris.tasks.graph.message_passing import normalise_dense
from lampyris.tasks.graph.poolers import POOLERS, make_pooler


def path_graph(nodes: int, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ahead = torch.stack((torch.arange(nodes - 1), torch.arange(1, nodes)))
    rows = csr_from_edge_index(torch.cat((ahead, ahead.flip(0)), 1), nodes)
    x = torch.randn(nodes, channels, generator=torch.Generator().manual_seed(nodes))
    return x, rows.row_ptr, rows.col


def dense_of(level: Flat) -> torch.Tensor:
    nodes = len(level.x)
    row = torch.repeat_interleave(torch.arange(nodes), level.row_ptr.diff())
    return torch.zeros(nodes, nodes).index_put((row, level.col), torch.ones(()), accumulate=True)


def test_flat_levels_multiply_with_the_adjacency():
    level = flat_batch([path_graph(4), path_graph(6)])
    adjacency = dense_of(level)
    assert torch.allclose(level.propagate(level.x), normalise_dense(adjacency) @ level.x, atol=1e-6)
    # sqrt(d) / sqrt(d) is 1 to the last bits of float32 only
    assert torch.allclose(level.neighbours(level.x), adjacency @ level.x, atol=1e-5)
    assert torch.allclose(level.mean(), torch.stack((level.x[:4].mean(0), level.x[4:].mean(0))), atol=1e-6)


@pytest.mark.parametrize("name", POOLERS)
def test_a_batch_is_its_graphs(name):
    """Pooling two graphs together gives what pooling them alone gives, on both levels."""
    torch.manual_seed(0)
    model = GraphClassifier(3, 2, name, (4, 2), hidden=8)
    graphs = [path_graph(9), path_graph(14), path_graph(11)]
    together, _ = model(flat_batch(graphs))
    alone = torch.cat([model(flat_batch([graph]))[0] for graph in graphs])
    assert torch.allclose(together, alone, atol=1e-4)  # float32 sums in another order


@pytest.mark.parametrize("name", POOLERS)
def test_every_pooler_trains(name):
    torch.manual_seed(0)
    model = GraphClassifier(3, 2, name, (4, 2), hidden=8)
    logits, loss = model(flat_batch([path_graph(9), path_graph(14)]))
    (torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])) + loss).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


def test_top_k_by_hand():
    pool = make_pooler("topk", 1, 1, 0.5)
    with torch.no_grad():
        pool.direction.fill_(2.0)  # its length does not count
    _, row_ptr, col = path_graph(5)
    x = torch.tensor([[0.1], [0.9], [0.5], [-3.0], [0.5]])
    out = pool(Flat(x, row_ptr, col, torch.tensor([0, 5])))
    # ceil(2.5) = 3 nodes: 1, 2 and 4, with the edge 1 - 2 between them
    assert torch.allclose(out.level.x, x[[1, 2, 4]] * torch.tanh(x[[1, 2, 4]]))
    assert out.level.row_ptr.tolist() == [0, 1, 2, 2] and out.level.col.tolist() == [1, 0]
    assert out.lift(torch.ones(3, 1)).flatten().tolist() == [0, 1, 1, 0, 1]


def test_link_loss_is_the_distance_of_the_matrices():
    torch.manual_seed(0)
    pool = make_pooler("diffpool", 3, 2, 0.5)
    flat = flat_batch([path_graph(6)])
    adjacency = dense_of(flat)
    s = torch.softmax(pool.assign(flat.x, flat.propagate), -1)
    entropy = -(s * torch.log(s + 1e-12)).sum(-1).mean()
    wanted = torch.linalg.matrix_norm(adjacency - s @ s.T) + entropy
    for level in (flat, Dense(flat.x[None], adjacency[None])):
        out = pool(level)
        assert torch.allclose(out.loss, wanted, atol=1e-5)  # a difference of squares in float32
        assert torch.allclose(out.level.adj[0], s.T @ adjacency @ s, atol=1e-5)


def test_clusters_of_a_dense_level_are_those_of_a_flat_one():
    torch.manual_seed(0)
    pool = make_pooler("mincut", 3, 2, 0.5)
    flat = flat_batch([path_graph(6)])
    a, b = pool(flat), pool(Dense(flat.x[None], dense_of(flat)[None]))
    for one, other in ((a.level.x, b.level.x), (a.level.adj, b.level.adj), (a.loss, b.loss)):
        assert torch.allclose(one, other, atol=1e-5)  # sums in another order
    lifted = b.lift(b.level.x)
    assert lifted.shape == (1, 6, 3) and torch.allclose(lifted[0], a.lift(a.level.x), atol=1e-5)


def test_wrong_names_are_named():
    with pytest.raises(ValueError, match=r"pooling must be one of .*, got 'median'"):
        make_pooler("median", 3, 2, 0.5)
    with pytest.raises(ValueError, match="clusters must be >= 1"):
        make_pooler("mincut", 3, 0, 0.5)


def test_bench_graphs_are_as_published():
    """Means of the small sets, over 300 graphs: 58 nodes, 359 and 225 directed edges."""
    for name, edges in (("easy", 359), ("hard", 225)):
        graphs = bench_set(name)
        assert sum(len(g.x) for g in graphs) / 300 == pytest.approx(58, abs=1.5)
        assert sum(g.edge_index.shape[1] for g in graphs) / 300 == pytest.approx(edges, rel=0.03)
        shares = torch.stack([g.x.mean(0) for g in graphs])
        # Colours alone say nothing: a third for the blob, a sixth for each half of moons and quantiles.
        assert (shares - torch.tensor([1, 1, 1, 1, 2]) / 6).abs().max() < 0.06
    inputs = graph_inputs(graphs[:2])
    assert inputs[0][1][-1] == inputs[0][2].numel()
    with pytest.raises(ValueError, match="set must be one of easy, hard"):
        bench_set("medium")

from __future__ import annotations

from types import SimpleNamespace

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


@pytest.mark.parametrize("attention", ["gat", "gatv2", "given"])
def test_equals_the_operator_on_rows(attention):
    """edge_index with its own order of edges, compressed rows, and an object with an edge_index."""
    loops = attention != "given"
    layer = nn.GOATConv(5, 4, heads=2, attention=attention, add_self_loops=loops)
    x, edge_index = torch.randn(20, 5), random_graph()
    rows = nn.csr_from_edge_index(edge_index, 20)
    score = torch.randn(70, 2)
    given = [{"score": score}, {"score": score[rows.edge]}] if attention == "given" else [{}, {}]
    out = layer(x, edge_index, **given[0])
    assert torch.equal(layer(x, (rows.row_ptr, rows.col), **given[1]), out)
    assert torch.equal(layer(x, SimpleNamespace(edge_index=edge_index), **given[0]), out)
    layer.concat = False
    mean = out.view(20, 2, 4).mean(1)
    assert torch.equal(layer(x, edge_index, **given[0]), mean)


def test_static_scores_order_as_the_scores_of_edges_do():
    """LeakyReLU(s_i + t_j) grows with t_j: the ranking without weighting is the order of e_ij."""
    torch.manual_seed(1)
    layer = nn.GOATConv(5, 4, heads=2, weighting="none", add_self_loops=False).double()
    x, edge_index = torch.randn(20, 5, dtype=torch.float64), random_graph()
    ranked = layer(x, edge_index)
    layer.weighting = "sigmoid"
    e, per_source = layer._score(x, x, None, nn.csr_from_edge_index(edge_index, 20))
    assert not per_source
    by_edge = nn.GOATConv(5, 4, heads=2, attention="given", weighting="none", add_self_loops=False).double()
    by_edge.load_state_dict({k: v for k, v in layer.state_dict().items() if k in by_edge.state_dict()})
    given = torch.empty_like(e)
    given[nn.csr_from_edge_index(edge_index, 20).edge] = e
    assert torch.equal(by_edge(x, edge_index, score=given.detach()), ranked)


def test_neighbour_sampled_batches():
    """The targets are the first sources; their rows equal those of the whole graph."""
    layer = nn.GOATConv(5, 4, heads=2, attention="gatv2")
    x, edge_index = torch.randn(20, 5), random_graph()
    edge_index = edge_index[:, edge_index[1] < 6]
    out = layer((x, x[:6]), edge_index)
    # Products of 6 and of 20 rows may be cut otherwise: a few last bits of values below 1.
    torch.testing.assert_close(out, layer(x, edge_index)[:6], atol=1e-6, rtol=0)
    two_kinds = nn.GOATConv((5, 3), 4, add_self_loops=False)
    assert two_kinds((x, torch.randn(6, 3)), edge_index).shape == (6, 4)


def test_edge_features_enter_the_score():
    x, edge_index, features = torch.randn(20, 5), random_graph(), torch.randn(70, 3)
    for attention in ("gat", "gatv2"):
        layer = nn.GOATConv(5, 4, attention=attention, edge_channels=3, add_self_loops=False)
        out = layer(x, edge_index, features)
        shuffle = torch.randperm(70)
        shuffled = layer(x, edge_index[:, shuffle], features[shuffle])
        torch.testing.assert_close(shuffled, out, atol=1e-6, rtol=0)  # sums of gradients aside, last bits
        assert not torch.equal(layer(x, edge_index, features.flip(0)), out)
        out.sum().backward()
        assert layer.score_edge.grad.any()


def test_early_exit_reads_less():
    layer = nn.GOATConv(5, 2, cell="lif", descending=True, early_exit=True, weighting="none", threshold=0.2)
    _, steps = layer(torch.randn(20, 5), random_graph(edges=400), return_steps=True)
    assert steps.dtype == torch.int32 and 20 <= int(steps.sum()) < 420


@pytest.mark.parametrize("cell, attention", [("lstm", "gat"), ("lif", "gatv2")])
def test_compiles_whole(cell, attention):
    layer = nn.GOATConv(5, 4, heads=2, cell=cell, attention=attention)
    x, edge_index = torch.randn(20, 5), random_graph()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    out = compiled(x, edge_index)
    assert torch.equal(out, layer(x, edge_index))
    out.sum().backward()
    assert layer.attend.grad is not None and layer.weight_ih.grad.any()


def test_empty_and_lonely_nodes():
    layer = nn.GOATConv(5, 4, heads=2)
    nobody = torch.empty(2, 0, dtype=torch.int64)
    assert layer(torch.empty(0, 5), nobody).shape == (0, 8)
    assert layer(torch.randn(1, 5), nobody).abs().sum() > 0  # hears itself
    layer.add_self_loops = False
    assert not layer(torch.randn(3, 5), nobody).any()


def test_learns_which_neighbour_is_second():
    """The second largest of five neighbours' values; the best fit on their mean and maximum is far off."""
    degree, count = 5, 60
    values = torch.rand(count * degree, 1, generator=torch.Generator().manual_seed(0))
    sets = values.view(count, degree)
    target = sets.topk(2, 1).values[:, 1]
    known = torch.stack((sets.mean(1), sets.max(1).values, torch.ones(count)), 1)
    fitted = known @ torch.linalg.lstsq(known, target[:, None]).solution
    assert (fitted[:, 0] - target).square().mean() > 0.2 * target.var()

    torch.manual_seed(0)
    row_ptr, col = torch.arange(0, count * degree + 1, degree), torch.arange(count * degree)
    layer = nn.GOATConv(1, 8, cell="gru", attention="given", weighting="none", add_self_loops=False)
    last = torch.nn.Linear(8, 1)
    optimiser = torch.optim.Adam([*layer.parameters(), *last.parameters()], lr=0.05)
    for _ in range(250):
        optimiser.zero_grad()
        found = last(layer((values, sets[:, :1]), (row_ptr, col), score=values[:, 0]))[:, 0]
        loss = (found - target).square().mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.05 * target.var()


def test_in_a_pyg_model():
    pyg = pytest.importorskip("torch_geometric")
    model = pyg.nn.Sequential(
        "x, edge_index",
        [
            (nn.GOATConv(5, 4, heads=2), "x, edge_index -> x"),
            torch.nn.ReLU(),
            (pyg.nn.GCNConv(8, 3), "x, edge_index -> x"),
        ],
    )
    batch = pyg.data.Batch.from_data_list(
        [pyg.data.Data(x=torch.randn(n, 5), edge_index=random_graph(n, 3 * n)) for n in (4, 7)]
    )
    out = model(batch.x, batch.edge_index)
    alone = model(batch[1].x, batch[1].edge_index)
    torch.testing.assert_close(out[4:], alone, atol=1e-5, rtol=0)  # a graph does not hear the other
    assert nn.GOATConv(5, 4)(batch.x, batch).shape == (11, 4)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"cell": "rnn"}, "cell must be one of lstm, gru, scan, lif, got 'rnn'"),
        ({"attention": "dot"}, "attention must be one of gat, gatv2, given, got 'dot'"),
        ({"weighting": "sum"}, "weighting must be one of none, softmax, sigmoid, score, got 'sum'"),
        ({"heads": 0}, "heads must be >= 1, got 0"),
        ({"attention": "given"}, "add_self_loops must be False with given scores or edge features, got True"),
        ({"edge_channels": 2}, "add_self_loops must be False with given scores or edge features, got True"),
        (
            {"attention": "given", "edge_channels": 2},
            "edge_channels must be None with given scores, got 2",
        ),
        ({"in_channels": (5, 3)}, "add_self_loops must be False where sources and destinations differ"),
        ({"early_exit": True}, "early_exit must be False for cell lstm, got True"),
    ],
)
def test_error_messages(options, message):
    with pytest.raises(ValueError, match=f"GOATConv: {message}"):
        nn.GOATConv(**{"in_channels": 5, "out_channels": 4, **options})


def test_errors_of_a_call():
    layer = nn.GOATConv(5, 4)
    x, edge_index = torch.randn(20, 5), random_graph()
    with pytest.raises(ValueError, match="GOATConv: score must be None in this layer, got Tensor"):
        layer(x, edge_index, score=torch.zeros(70))
    with pytest.raises(ValueError, match=r"sources must begin with the destinations .*, got 2 sources and 3"):
        layer((torch.randn(2, 5), torch.randn(3, 5)), torch.tensor([[0, 1], [1, 2]]))
    given = nn.GOATConv(5, 4, attention="given", add_self_loops=False)
    with pytest.raises(ValueError, match="GOATConv: score must be given in this layer, got NoneType"):
        given(x, edge_index)
    with pytest.raises(ValueError, match=r"GOATConv: score must have shape \[E, ...\], E = 70, got \[69\]"):
        given(x, edge_index, score=torch.zeros(69))
    with pytest.raises(ValueError, match=r"edge_index.* must be in"):
        layer(x, edge_index + 15)

"""Graph pooling layers: graphs in every form, names of torch-geometric-pool, lifting, starts, errors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from lampyris import nn, ops

POOLERS = [nn.MinCutPooling, nn.DMoNPooling, nn.JustBalancePooling, nn.AsymCheegerCutPooling]


def two_triangles():
    """Nodes 0-2 and 3-5 are triangles, joined by one edge; features tell the triangles apart."""
    pairs = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5), (2, 3)]
    edge_index = torch.tensor(pairs + [(b, a) for a, b in pairs]).T
    x = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    return x + 0.1 * torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), edge_index


def batched(copies):
    x, edge_index = two_triangles()
    shifted = [edge_index + 6 * g for g in range(copies)]
    return x.repeat(copies, 1), torch.cat(shifted, 1), torch.arange(copies).repeat_interleave(6)


@pytest.mark.parametrize("pooler", POOLERS)
def test_training_finds_the_triangles(pooler):
    torch.manual_seed(0)
    x, edge_index = two_triangles()
    pool = pooler(2, k=2)
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        sum(pool(x, edge_index).loss.values()).backward()
        optimizer.step()
    cluster = pool(x, edge_index).so.cluster_index.tolist()
    assert cluster in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("pooler", POOLERS)
def test_batches_are_graphs_one_by_one(pooler):
    torch.manual_seed(0)
    x, edge_index, batch = batched(3)
    pool = pooler(2, k=4)
    single = pool(*two_triangles())
    together = pool(x, edge_index, batch=batch)
    assert together.x.shape == (3, 4, 2) and together.adj.shape == (3, 4, 4)
    for g in range(3):
        torch.testing.assert_close(together.x[g], single.x[0])  # sums of the same terms, perhaps reordered
        torch.testing.assert_close(together.adj[g], single.adj[0])
    for name, value in together.loss.items():
        torch.testing.assert_close(value, single.loss[name])
    lifted = pool(together.x, so=together.so, lifting=True)
    torch.testing.assert_close(lifted[:6], together.so.s[:6] @ single.x[0])


def test_forms_of_a_graph_agree():
    x, edge_index = two_triangles()
    pool = nn.MinCutPooling(2, k=3, normalize=True)
    weight = torch.rand(edge_index.shape[1])
    first = pool(x, edge_index, weight)
    rows = nn.csr_from_edge_index(edge_index, 6)
    dense = torch.zeros(6, 6).index_put((edge_index[1], edge_index[0]), weight)
    masked_x = torch.cat((torch.full((2, 2), 9.0), x))[None]
    masked = torch.nn.functional.pad(dense, (2, 0, 2, 0), value=7.0)[None]
    mask = (torch.arange(8) >= 2)[None]
    for other in (
        pool(x, (rows.row_ptr, rows.col), weight[rows.edge]),
        pool(x, dense),
        pool(x[None], dense[None]),
        pool(masked_x, masked, mask=mask),
        pool(x, SimpleNamespace(edge_index=edge_index, edge_weight=weight)),
        pool(x, edge_index, weight[:, None], batch=torch.zeros(6, dtype=torch.int64)),
    ):
        for ours, value in zip(
            (other.x, other.adj, *other.loss.values()),
            (first.x, first.adj, *first.loss.values()),
            strict=True,
        ):
            torch.testing.assert_close(ours, value)  # the sums run in another order


def test_gradients_reach_a_first_layer_through_its_pooled_graph():
    torch.manual_seed(0)
    x, edge_index, batch = batched(2)
    first, second = nn.MinCutPooling(2, k=4), nn.MinCutPooling(2, k=2, cut_loss_coeff=1, ortho_loss_coeff=0)
    out = first(x, edge_index, batch=batch)
    second(out.x.detach(), out.adj).loss["cut_loss"].backward()
    assert first.selector.layers[0].weight.grad.abs().sum() > 0


def test_names_of_torch_geometric_pool():
    x, edge_index, batch = batched(2)
    pool = nn.MinCutPooling(2, k=3)
    out = pool(x=x, adj=edge_index, batch=batch)
    pooled, adjacency, weight, pooled_batch, mask, so, loss = out
    assert adjacency is out.edge_index is out.adj and weight is pooled_batch is mask is None
    assert so.num_nodes == 12 and so.num_supernodes == 3 and so.s_inv.shape == (3, 12)
    assert out.has_loss and out.get_loss_value("cut_loss") is loss["cut_loss"]
    torch.testing.assert_close(pool.select(x=x, batch=batch).s, so.s)  # torch's exponential and ours
    torch.testing.assert_close(pool.reduce(x=x, so=so, batch=batch)[0], pooled)
    torch.testing.assert_close(pool.connect(edge_index=edge_index, so=so)[0], adjacency)
    torch.testing.assert_close(pool.lift(x_pool=pooled, so=so), pool(pooled, so=so, lifting=True))


def test_sparse_output_is_the_same_graph():
    x, edge_index, batch = batched(2)
    pool = nn.MinCutPooling(2, k=3, edge_weight_norm=True)
    dense = pool(x, edge_index, batch=batch)
    pool.sparse_output = True
    sparse = pool(x, edge_index, batch=batch)
    assert sparse.x.shape == (6, 2) and sparse.batch.tolist() == [0, 0, 0, 1, 1, 1]
    rebuilt = torch.zeros(6, 6)
    rebuilt[sparse.edge_index[1], sparse.edge_index[0]] = sparse.edge_weight
    assert torch.equal(rebuilt[:3, :3], dense.adj[0]) and torch.equal(rebuilt[3:, 3:], dense.adj[1])
    assert dense.adj.abs().amax() == 1


def test_options_of_torch_geometric_pool():
    x, edge_index = two_triangles()
    torch.manual_seed(0)
    pool = nn.DMoNPooling(
        2, k=3, ortho_loss_coeff=0.5, batched=False, cache_preprocessing=True, lift="transpose"
    )
    mincut = nn.MinCutPooling(2, k=3)
    mincut.load_state_dict(pool.state_dict())
    out, other = pool(x, edge_index), mincut(x, edge_index)
    assert out.loss["ortho_loss"].item() == pytest.approx(0.5 * other.loss["ortho_loss"].item())
    assert torch.equal(pool(out.x, so=out.so, lifting=True), mincut(out.x, so=out.so, lifting=True))
    by_lift, by_s = (nn.MinCutPooling(2, k=3, **{name: "inverse"}) for name in ("lift", "s_inv_op"))
    assert torch.equal(by_lift.lift(out.x, out.so), by_s.lift(out.x, out.so))
    assert not torch.equal(by_lift.lift(out.x, out.so), mincut.lift(out.x, out.so))


def test_lifting_by_the_pseudo_inverse_gives_back_what_clusters_can_say():
    torch.manual_seed(0)
    x, edge_index = two_triangles()
    pool = nn.MinCutPooling(2, k=3, s_inv_op="inverse").double()
    out = pool(x.double(), edge_index)
    s = out.so.s
    expected = s @ torch.linalg.pinv(s) @ x.double()
    torch.testing.assert_close(pool(out.x, so=out.so, lifting=True), expected)  # float64, two ways to solve


@pytest.mark.parametrize("method", ["kmeans", "projection"])
def test_start_is_far_from_uniform(method):
    torch.manual_seed(0)
    x, edge_index = torch.randn(60, 4) + torch.arange(3).repeat_interleave(20)[:, None] * 3, torch.empty(2, 0)
    pool = nn.MinCutPooling([4, 8], k=3, act="relu")
    torch.nn.init.normal_(pool.selector.layers[-1].weight, std=1e-3)
    torch.nn.init.zeros_(pool.selector.layers[-1].bias)
    uniform = pool(x, edge_index.long()).so.s
    assert (uniform - 1 / 3).abs().max() < 0.01
    pool.break_symmetry(x, method, scale=3.0)
    s = pool(x, edge_index.long()).so.s
    assert s.amax(1).mean() > 0.6 and s.sum(0).amin() > 1
    with pytest.raises(ValueError, match="x must differ between nodes"):
        pool.break_symmetry(torch.ones(5, 4), method)


def test_uniform_assignment_is_stationary_without_a_start():
    """Why break_symmetry exists: equal logits never move."""
    x, edge_index = two_triangles()
    pool = nn.MinCutPooling(2, k=2)
    for parameter in pool.parameters():
        torch.nn.init.zeros_(parameter)
    out = pool(x, edge_index)
    sum(out.loss.values()).backward()
    assert max(p.grad.abs().max() for p in pool.parameters()) < 1e-6  # 0 but for rounding
    assert out.loss["cut_loss"].item() == pytest.approx(-1)


@pytest.mark.parametrize("pooler", POOLERS)
def test_compiles_whole(pooler):
    torch.manual_seed(0)
    x, edge_index, batch = batched(2)
    pool = pooler([2, 4], k=3, act="relu")

    def run(x):
        out = pool(x, edge_index, batch=batch, num_graphs=2)
        return out.x, out.adj, *out.loss.values()

    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    eager_leaf, leaf = x.clone().requires_grad_(), x.clone().requires_grad_()
    eager, ours = run(eager_leaf), compiled(leaf)
    for a, b in zip(ours, eager, strict=True):
        assert torch.equal(a, b)
    sum(v.sum() for v in ours).backward()
    sum(v.sum() for v in eager).backward()
    assert torch.equal(leaf.grad, eager_leaf.grad)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: nn.MinCutPooling(2, k=0), "k must be >= 1, got 0"),
        (
            lambda: nn.MinCutPooling(2, k=2, act="wavy"),
            "act must name a function of torch.nn.functional, got 'wavy'",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2, s_inv_op="up"),
            "s_inv_op must be 'transpose' or 'inverse', got 'up'",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2).break_symmetry(torch.ones(2, 2), "luck"),
            "method must be 'kmeans' or",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2)(torch.ones(3, 2), torch.tensor([[0], [1]]), torch.ones(2)),
            r"edge_weight must be \[1\], got \[2\]",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2)(
                torch.ones(3, 2), torch.tensor([[0], [1]]), batch=torch.zeros(2).long()
            ),
            r"batch must be \[3\], got \[2\]",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2)(torch.ones(3, 2), torch.ones(2, 3, 3)),
            r"adj must be \[B, N, N\] with x \[B, N, F\], got \[2, 3, 3\] and \[3, 2\]",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2)(torch.ones(3, 2), torch.tensor([[0], [3]])),
            r"edge_index\[1\] must be in \[0, 3\), got 3 at \[0\]",
        ),
        (
            lambda: nn.MinCutPooling(2, k=2)(torch.ones(1, 3, 2), torch.tensor([[0], [1]])),
            r"x must be \[N, F\] without a mask unless adj is dense, got \[1, 3, 2\]",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_lift_equals_products_of_every_graph():
    s, x = torch.rand(7, 3).double(), torch.rand(3, 3, 2).double()
    lifted = ops.mincut_lift(x, s, torch.tensor([0, 2, 2, 7]))
    torch.testing.assert_close(lifted, torch.cat((s[:2] @ x[0], s[2:] @ x[2])))  # summation order

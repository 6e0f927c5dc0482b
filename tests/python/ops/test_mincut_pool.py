from __future__ import annotations

import pytest
import torch
from mincut_graphs import Graph, graph_of, random_graph
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference
from lampyris.ops import _mincut_losses, _mincut_products
from lampyris.reference.mincut_pool import dense_adjacency as reference_adjacency

LOSSES = ("mincut", "dmon", "just_balance", "total_variation")
# float32 sums of up to some hundred terms in another order, and an exponential to 2 ulp.
FLOAT32 = {"rtol": 2e-4, "atol": 2e-5}
FLOAT64 = {"rtol": 1e-9, "atol": 1e-11}  # the order of sums


def run_both(
    graph: Graph, device="cpu", clusters=4, features=3, dtype=torch.float64, weighted=True, **options
):
    """Outputs and gradients of ours and of the reference for random inputs."""
    random = torch.Generator().manual_seed(7)
    nodes, edges = graph.row_ptr.numel() - 1, graph.col.numel()
    x = torch.randn(nodes, features, generator=random, dtype=dtype)
    logits = 2 * torch.randn(nodes, clusters, generator=random, dtype=dtype)
    weight = graph.weight(random).to(dtype) if weighted else None
    graphs = graph.graph_ptr.numel() - 1
    shapes = ((graphs, clusters, features), (graphs, clusters, clusters), (), (), (nodes, clusters))
    upstream = [torch.randn(shape, generator=random, dtype=dtype) for shape in shapes]

    def call(pool, where):
        row_ptr, col, ptr = (t.to(where) for t in (graph.row_ptr, graph.col, graph.graph_ptr))
        tensors = [None if t is None else t.to(where) for t in (x, logits, weight)]

        def pooled(x, logits, weight):
            out = pool(x, logits, row_ptr, col, weight, graph_ptr=ptr, assignment=True, **options)
            return [value + 0 * logits.sum() for value in out]  # some losses are the constant 0

        return gradients(pooled, tensors, [u.to(where) for u in upstream])

    assert edges == int(graph.row_ptr[-1])
    return call(ops.mincut_pool, device), call(reference.mincut_pool, "cpu")


def assert_equals_reference(graph: Graph, device="cpu", dtype=torch.float64, **options):
    (ours, grads), (outputs, expected) = run_both(graph, device, dtype=dtype, **options)
    tolerance = FLOAT64 if dtype == torch.float64 else FLOAT32
    names = ("x", "adj", "cut", "ortho", "s", "grad x", "grad logits", "grad weight")
    for name, a, b in zip(names, [*ours, *grads], [*outputs, *expected], strict=True):
        if b is not None:
            torch.testing.assert_close(a.cpu(), b, **tolerance, msg=lambda text, name=name: f"{name}: {text}")


def test_by_hand(device):
    """Two pairs of nodes, each pair a cluster of its own: nothing is cut, clusters are equal."""
    row_ptr = torch.tensor([0, 1, 2, 3, 4], device=device)
    col = torch.tensor([1, 0, 3, 2], device=device)
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], device=device)
    x = torch.tensor([[1.0], [2.0], [10.0], [20.0]], device=device)
    pooled, adj, cut, ortho = ops.mincut_pool(x, logits, row_ptr, col, hard=True)
    assert pooled.tolist() == [[[3.0], [30.0]]] and adj.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]
    assert cut.item() == -1 and ortho.item() == pytest.approx(0, abs=1e-7)  # 1 / sqrt(2) is rounded
    # One edge between the pairs: S^T A S = [[2, 1], [1, 2]], degrees 1 2 2 1, so the cut is -4 / 6.
    row_ptr, col = row_ptr.new_tensor([0, 1, 3, 5, 6]), col.new_tensor([1, 0, 2, 1, 3, 2])
    _, adj, cut, _ = ops.mincut_pool(x, logits, row_ptr, col, hard=True)
    assert adj.tolist() == [[[0.0, 1.0], [1.0, 0.0]]] and cut.item() == pytest.approx(-4 / 6)
    # Modularity of the same: 4 - (3^2 + 3^2) / 6 = 1, over 6 edge ends.
    _, _, cut, collapse = ops.mincut_pool(x, logits, row_ptr, col, hard=True, loss="dmon")
    assert cut.item() == pytest.approx(-1 / 6) and collapse.item() == pytest.approx(0, abs=1e-6)
    # Two of six edge entries join different clusters, |s_i - s_j| = 2: 4 / (2 * 6). Balanced: 1 - 4 / 4.
    _, _, cut, balance = ops.mincut_pool(x, logits, row_ptr, col, hard=True, loss="total_variation")
    assert cut.item() == pytest.approx(1 / 3) and balance.item() == pytest.approx(0, abs=1e-6)
    _, _, cut, balance = ops.mincut_pool(x, logits, row_ptr, col, hard=True, loss="just_balance")
    assert cut.item() == 0 and balance.item() == pytest.approx(-1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hard, normalize", [(False, False), (True, False), (False, True), (True, True)])
def test_equals_reference(loss, hard, normalize, device):
    graph = random_graph([9, 0, 1, 14], seed=1)
    options = {"loss": loss, "hard": hard, "normalize": normalize, "temperature": 0.7}
    assert_equals_reference(graph, device, **options)
    assert_equals_reference(graph, device, weighted=False, **options)


@pytest.mark.parametrize(
    "clusters, features", [(1, 1), (2, 0), (3, 5), (16, 7), (17, 16), (33, 40), (64, 64), (70, 1)]
)
def test_widths_on_every_instruction_set(clusters, features, device, isa):
    for loss in ("mincut", "total_variation"):
        options = {"clusters": clusters, "features": features, "loss": loss, "dtype": torch.float32}
        assert_equals_reference(random_graph([30, 13], seed=2), device, **options)


@pytest.mark.parametrize("nodes", [511, 512, 513, 1200])
def test_graphs_longer_than_a_task(nodes, device):
    assert_equals_reference(random_graph([nodes, 3], seed=3, degree=4), device, loss="mincut")


def test_many_clusters_have_longer_tasks(device):
    assert_equals_reference(random_graph([1100], seed=3), device, clusters=300, features=10)


@pytest.mark.parametrize("symmetric", [None, True, False])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("loss", ["mincut", "total_variation"])
def test_symmetric_graphs_on_every_way(symmetric, shuffled, loss, device):
    graph = random_graph([12, 8], seed=4, symmetric=True, shuffled=shuffled)
    assert_equals_reference(graph, device, symmetric=symmetric, loss=loss)


def test_equal_structure_with_unequal_weights_is_not_symmetric():
    graph = random_graph([12], seed=5, symmetric=True)
    graph = graph._replace(weights=torch.rand(graph.col.numel()))
    assert_equals_reference(graph, symmetric=None)


def test_repeated_edges_and_self_loops(device):
    row_ptr, col = torch.tensor([0, 4, 6, 6]), torch.tensor([0, 1, 1, 2, 0, 0])
    assert_equals_reference(Graph(row_ptr, col, torch.tensor([0, 3]), None), device)


@pytest.mark.parametrize("nodes", [0, 1])
@pytest.mark.parametrize("loss", LOSSES)
def test_empty_and_one_node_graphs(nodes, loss, device):
    graph = Graph(torch.zeros(nodes + 1).long(), torch.zeros(0).long(), torch.tensor([0, nodes]), None)
    assert_equals_reference(graph, device, loss=loss, clusters=3)
    assert_equals_reference(graph, device, loss=loss, clusters=1)


@pytest.mark.parametrize("loss", LOSSES)
def test_more_clusters_than_nodes(loss, device):
    assert_equals_reference(random_graph([2, 5], seed=6), device, clusters=11, loss=loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hard", [False, True])
def test_isolated_clusters_give_no_nan(loss, hard, device):
    """Clusters without links outside, empty clusters, and nodes without edges."""
    row_ptr = torch.tensor([0, 1, 2, 3, 4, 4], device=device)
    col = torch.tensor([1, 0, 3, 2], device=device)
    logits = torch.full((5, 4), -200.0, device=device)
    logits[[0, 1, 2, 3, 4], [0, 0, 1, 1, 1]] = 200.0
    logits.requires_grad_()
    x = torch.randn(5, 2, device=device, requires_grad=True)
    weight = torch.ones(4, device=device, requires_grad=True)
    out = ops.mincut_pool(x, logits, row_ptr, col, weight, loss=loss, hard=hard)
    sum(value.sum() for value in out).backward()
    for value in (*out, x.grad, logits.grad, weight.grad):
        assert value.isfinite().all()


def test_an_infinite_logit_switches_a_cluster_off(device):
    graph = graph_of([(0, 1), (1, 2)], 3)
    logits = torch.tensor([[1.0, 2.0, -torch.inf], [0.0, -torch.inf, 0.0], [3.0, 1.0, 1.0]], device=device)
    s = ops.mincut_pool(
        torch.ones(3, 1, device=device),
        logits,
        graph.row_ptr.to(device),
        graph.col.to(device),
        assignment=True,
    )[4]
    torch.testing.assert_close(s, logits.softmax(1))  # the exponential is good to 2 ulp
    assert s[0, 2] == 0 and s[1, 1] == 0


@pytest.mark.parametrize("hard", [False, True])
def test_nan_logits_are_seen(hard, device):
    """Soft: the node's row is NaN and so are the losses. Hard: NaN is the largest, as in argmax."""
    graph = graph_of([(0, 1)], 2)
    logits = torch.tensor([[0.0, torch.nan], [1.0, 0.0]], device=device)
    arguments = torch.ones(2, 1, device=device), logits, graph.row_ptr.to(device), graph.col.to(device)
    _, _, cut, _, s = ops.mincut_pool(*arguments, hard=hard, assignment=True)
    if hard:
        assert s.tolist() == [[0, 1], [1, 0]]
    else:
        assert s[0].isnan().all() and cut.isnan() and not s[1].isnan().any()


@pytest.mark.parametrize("loss", LOSSES)
def test_names_of_nodes_and_clusters_do_not_matter(loss, device):
    """Renumbering the nodes renumbers S; renumbering the clusters permutes the pooled graph."""
    graph = random_graph([20], seed=8, weights=True)
    x, logits = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 5, dtype=torch.float64)
    nodes, clusters = torch.randperm(20), torch.randperm(5)
    moved = graph.renumbered(nodes)
    options = {"loss": loss, "normalize": True, "assignment": True}

    def pool(graph, x, logits):
        tensors = (x, logits, graph.row_ptr, graph.col, graph.weights.double())
        return [t.cpu() for t in ops.mincut_pool(*(t.to(device) for t in tensors), **options)]

    plain = pool(graph, x, logits)
    other = pool(moved, x[nodes], logits[nodes][:, clusters])
    expected = (
        plain[0][:, clusters],
        plain[1][:, clusters][:, :, clusters],
        *plain[2:4],
        plain[4][nodes][:, clusters],
    )
    for a, b in zip(other, expected, strict=True):
        torch.testing.assert_close(a, b, **FLOAT64)


def test_uniform_logits_are_stationary(device):
    graph = random_graph([30], seed=9, symmetric=True)
    logits = torch.zeros(30, 7, dtype=torch.float64, device=device, requires_grad=True)
    tensors = (torch.zeros(30, 0, dtype=torch.float64), graph.row_ptr, graph.col)
    x, row_ptr, col = (t.to(device) for t in tensors)
    _, _, cut, ortho = ops.mincut_pool(x, logits, row_ptr, col)
    (cut + ortho).backward()
    assert cut.item() == pytest.approx(-1) and ortho.item() == pytest.approx((2 - 2 / 7**0.5) ** 0.5)
    assert logits.grad.abs().max() < 1e-15


@pytest.mark.parametrize("loss", LOSSES)
def test_bounds_of_the_losses(loss, device):
    low, high = {"mincut": (-1, 0), "dmon": (-1, 0.5), "just_balance": (0, 0), "total_variation": (0, 1)}[
        loss
    ]
    for seed in range(5):
        graph = random_graph([25], seed=seed, symmetric=True)
        tensors = (torch.zeros(25, 1), 5 * torch.randn(25, 4), graph.row_ptr, graph.col)
        cut, other = ops.mincut_pool(*(t.to(device) for t in tensors), loss=loss)[2:]
        assert low - 1e-6 <= cut.item() <= high + 1e-6
        assert -1 - 1e-6 <= other.item() <= 2


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("normalize", [False, True])
def test_gradcheck(loss, normalize, device):
    graph = random_graph([6, 0, 4], seed=10)
    row_ptr, col, ptr = (t.to(device) for t in (graph.row_ptr, graph.col, graph.graph_ptr))
    x = torch.randn(10, 2, dtype=torch.float64, device=device, requires_grad=True)
    logits = torch.randn(10, 3, dtype=torch.float64, device=device, requires_grad=True)
    weight = (torch.rand(len(col), dtype=torch.float64, device=device) + 0.1).requires_grad_()
    options = {"graph_ptr": ptr, "loss": loss, "normalize": normalize, "assignment": True}
    assert torch.autograd.gradcheck(
        lambda *tensors: ops.mincut_pool(tensors[0], tensors[1], row_ptr, col, tensors[2], **options),
        (x, logits, weight),
    )


def test_straight_through_gradient_is_that_of_the_soft_assignment(device):
    """d loss / d S at the one-hot S, through the softmax."""
    graph = random_graph([9], seed=11)
    row_ptr, col = graph.row_ptr.to(device), graph.col.to(device)
    x = torch.randn(9, 2, dtype=torch.float64, device=device)
    logits = torch.randn(9, 3, dtype=torch.float64, device=device, requires_grad=True)
    s = ops.mincut_pool(x, logits, row_ptr, col, hard=True, assignment=True)[4]
    up = torch.randn_like(s)
    (grad,) = torch.autograd.grad((s * up).sum(), logits)
    (expected,) = torch.autograd.grad((logits.softmax(1) * up).sum(), logits)
    torch.testing.assert_close(grad, expected, **FLOAT64)
    assert torch.equal(s, torch.nn.functional.one_hot(logits.argmax(1), 3).double())


def test_memory_orders(device):
    graph = random_graph([20], seed=12)
    row_ptr, col = graph.row_ptr.to(device), graph.col.to(device)
    x, logits = torch.randn(20, 4, device=device), torch.randn(20, 4, device=device)
    plain = ops.mincut_pool(x, logits, row_ptr, col)
    for name, other_x in layouts(x):
        for _, other in layouts(logits):
            for a, b in zip(ops.mincut_pool(other_x, other, row_ptr, col), plain, strict=True):
                assert_same(a, b, name)


def test_threads_do_not_change_a_bit():
    graph = random_graph([3000, 700], seed=13, degree=6)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            outputs, grads = run_ours(graph)
            results.append([*outputs, *grads])
    finally:
        torch.set_num_threads(before)
    for a, b in zip(*results, strict=True):
        assert_same(a, b, "threads")


def run_ours(graph: Graph):
    torch.manual_seed(0)
    nodes = graph.row_ptr.numel() - 1
    tensors = [torch.randn(nodes, 9), torch.randn(nodes, 20), torch.rand(graph.col.numel())]
    options = {"graph_ptr": graph.graph_ptr, "loss": "total_variation", "assignment": True}
    graphs = graph.graph_ptr.numel() - 1
    shapes = ((graphs, 20, 9), (graphs, 20, 20), (), (), (nodes, 20))
    upstream = [torch.randn(shape) for shape in shapes]
    return gradients(
        lambda x, logits, w: ops.mincut_pool(x, logits, graph.row_ptr, graph.col, w, **options),
        tensors,
        upstream,
    )


def test_halves_are_computed_in_float32(device):
    graph = random_graph([20], seed=14)
    row_ptr, col = graph.row_ptr.to(device), graph.col.to(device)
    x, logits = torch.randn(20, 3, device=device).bfloat16(), torch.randn(20, 4, device=device).bfloat16()
    ours = ops.mincut_pool(x, logits, row_ptr, col)
    wide = ops.mincut_pool(x.float(), logits.float(), row_ptr, col)
    for a, b in zip(ours, wide, strict=True):
        assert_same(a, b.bfloat16(), "bfloat16")
    with torch.autocast(device, torch.bfloat16):
        for a, b in zip(ops.mincut_pool(x, logits, row_ptr, col), ours, strict=True):
            assert_same(a, b, "autocast")
    s = torch.rand(20, 4, device=device).bfloat16()
    lifted = ops.mincut_lift(ours[0], s)
    assert_same(lifted, ops.mincut_lift(ours[0].float(), s.float()).bfloat16(), "lift")


def test_opcheck(device):
    graph = random_graph([6, 5], seed=15)
    row_ptr, col, ptr = (t.to(device) for t in (graph.row_ptr, graph.col, graph.graph_ptr))
    x = torch.randn(11, 2, device=device, requires_grad=True)
    logits = torch.randn(11, 3, device=device, requires_grad=True)
    weight = torch.rand(len(col), device=device, requires_grad=True)
    op = torch.ops.lampyris.mincut_pool.default
    check_operator(op, x, logits, row_ptr, col, weight, None, ptr, 1.0, False, False, -1)
    factor = torch.rand(11, device=device)
    check_operator(op, x, logits, row_ptr, col, None, factor, ptr, 0.5, True, True, 0)
    s = logits.detach().softmax(1).requires_grad_()
    pooled = torch.randn(2, 3, 2, device=device, requires_grad=True)
    check_operator(torch.ops.lampyris.mincut_lift.default, pooled, s, ptr)
    check_operator(torch.ops.lampyris._column_quantiles.default, s.detach(), ptr)


@pytest.mark.parametrize("loss", LOSSES)
def test_compiles(loss, device):
    graph = random_graph([6, 5], seed=16)
    row_ptr, col, ptr = (t.to(device) for t in (graph.row_ptr, graph.col, graph.graph_ptr))
    x, logits = torch.randn(11, 2, device=device), torch.randn(11, 3, device=device)
    check_compiles(
        lambda x, logits: ops.mincut_pool(x, logits, row_ptr, col, graph_ptr=ptr, loss=loss, normalize=True),
        x,
        logits,
    )


@pytest.mark.parametrize("sizes", [[7], [3, 0, 600, 1]])
def test_lift(sizes, device):
    ptr = torch.tensor([0, *torch.tensor(sizes).cumsum(0).tolist()])
    s = torch.rand(sum(sizes), 5, dtype=torch.float64)
    x = torch.randn(len(sizes), 5, 3, dtype=torch.float64)
    up = [torch.randn(sum(sizes), 3, dtype=torch.float64)]
    (ours,), grads = gradients(
        lambda x, s: [ops.mincut_lift(x, s, ptr.to(device))], (x.to(device), s.to(device)), [up[0].to(device)]
    )
    (expected,), wanted = gradients(lambda x, s: [reference.mincut_lift(x, s, ptr)], (x, s), up)
    for a, b in zip((ours, *grads), (expected, *wanted), strict=True):
        torch.testing.assert_close(a.cpu(), b, **FLOAT64)


@pytest.mark.parametrize("shuffled", [False, True])
def test_what_cuda_takes_from_torch(shuffled):
    """Turned-round edges and ranks in plain torch, against the compiled ones and the definition."""
    graph = random_graph([9, 0, 4], seed=18, shuffled=shuffled)
    weight = torch.rand(graph.col.numel())
    back = _mincut_products.turned_round(graph.row_ptr, graph.col, weight)
    dense = reference_adjacency(graph.row_ptr, graph.col, weight, weight.dtype)
    assert torch.equal(reference_adjacency(*back, weight.dtype), dense.T)
    s = torch.rand(13, 5)
    s[3] = s[4]
    ours = torch.ops.lampyris._column_quantiles(s, graph.graph_ptr)
    theirs = _mincut_losses.column_quantiles(s, graph.graph_ptr)
    assert torch.equal(ours, theirs)
    assert (ours[1] == 13).all() and torch.equal(
        ours[0], torch.argsort(s[:9], dim=0, descending=True, stable=True)[1]
    )


def test_double_backward_raises():
    graph = random_graph([6], seed=17)
    logits = torch.randn(6, 3, requires_grad=True)
    out = ops.mincut_pool(torch.randn(6, 2), logits, graph.row_ptr, graph.col)
    (grad,) = torch.autograd.grad(out[0].square().sum(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="mincut_pool: must not be differentiated twice"):
        grad.sum().backward()

from __future__ import annotations

import itertools

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference
from lampyris.ops import _goat_cuda

GATES = {"lstm": 4, "gru": 3, "scan": 2, "lif": 1}
CELLS = tuple(GATES)
WEIGHTINGS = ("none", "softmax", "sigmoid", "score")


def graph(nodes, edges, sources=None, seed=0, hub=False):
    """Random rows; with a hub, most edges are one row's."""
    random = torch.Generator().manual_seed(seed)
    row = torch.randint(nodes, (edges,), generator=random) if nodes else torch.empty(0, dtype=torch.int64)
    if hub:
        row[edges // 4 :] = nodes // 2
    row_ptr = torch.zeros(nodes + 1, dtype=torch.int64)
    row_ptr[1:] = torch.bincount(row, minlength=nodes).cumsum(0)
    col = torch.randint(sources or max(nodes, 1), (len(row),), generator=random)
    return row_ptr, col


def arguments(cell, nodes=13, edges=60, *, hidden=5, heads=2, features=3, sources=None, per_source=False,
              dtype=torch.float32, bias=True, hub=False, seed=0):  # fmt: skip
    """(x, score, row_ptr, col, weight_ih, weight_hh, bias)."""
    row_ptr, col = graph(nodes, edges, sources, seed, hub)
    count, width = sources or nodes, GATES[cell] * hidden

    def normal(*shape):
        return torch.randn(*shape, dtype=dtype)

    recurrent = normal(heads, width, hidden) / hidden**0.5 if cell in ("lstm", "gru") else None
    score = normal(count if per_source else len(col), heads)
    x, weight = normal(count, features), normal(heads, width, features)
    return x, score, row_ptr, col, weight, recurrent, normal(heads, width) if bias else None


def run_both(tensors, device, **options):
    """Outputs and gradients, ours and the reference's, for one random gradient of the output."""
    x, _, row_ptr, _, weight, *_ = tensors
    hidden = weight.shape[1] // GATES[options.get("cell", "lstm")]
    upstream = [torch.randn(row_ptr.numel() - 1, weight.shape[0], hidden, dtype=x.dtype)]
    there = [None if t is None else t.to(device) for t in tensors]
    ours = gradients(lambda *t: [ops.goat_aggregate(*t, **options)], there, [u.to(device) for u in upstream])
    twin = gradients(lambda *t: [reference.goat_aggregate(*t, **options)], tensors, upstream)
    return ours, twin


def assert_close(ours, twin, case, tolerance):
    for name, a, b in zip(("out", "x", "score", "weight_ih", "weight_hh", "bias"),
                          [*ours[0], *(ours[1][i] for i in (0, 1, 4, 5, 6))],
                          [*twin[0], *(twin[1][i] for i in (0, 1, 4, 5, 6))], strict=True):  # fmt: skip
        assert (a is None) == (b is None), f"{case}: {name}"
        if a is not None:
            a, b = a.detach().cpu(), b.detach()
            scale = max(1.0, float(b.abs().max()) if b.numel() else 0.0)
            error = float((a - b).abs().max()) if b.numel() else 0.0
            assert a.shape == b.shape and error <= tolerance * scale, f"{case}: {name} differs by {error}"


def test_by_hand(device):
    # Row 0 hears node 0 (score 3), 1 (score 1), 2 (score 2): it reads 1, 2, 0. u: 1, 0.5 + 2 > 2 spikes and
    # resets, then 0.5 * 0 + 4 spikes. Descending: 4 spikes, then 2 and 1.0 + 1 do not exceed 2.
    x = torch.tensor([[4.0], [1.0], [2.0]], device=device)
    row_ptr, col = (torch.tensor(v, device=device) for v in ([0, 3, 3, 3], [0, 1, 2]))
    score = torch.tensor([[3.0], [1.0], [2.0]], device=device)
    weight = torch.ones(1, 1, 1, device=device)
    options = {"cell": "lif", "threshold": 2.0, "per_source": False, "return_steps": True}
    out, steps = ops.goat_aggregate(x, score, row_ptr, col, weight, **options)
    assert out.tolist() == [[[2.0]], [[0.0]], [[0.0]]] and steps.tolist() == [[3], [0], [0]]
    out, steps = ops.goat_aggregate(
        x, score, row_ptr, col, weight, descending=True, early_exit=True, **options
    )
    assert out.tolist() == [[[1.0]], [[0.0]], [[0.0]]] and steps.tolist() == [[1], [0], [0]]


def test_lstm_is_torch(device):
    """One row in order of its edges is torch's LSTM over them."""
    lstm = torch.nn.LSTM(3, 5).to(device)
    x = torch.randn(7, 3, device=device)
    row_ptr, col = torch.tensor([0, 7], device=device), torch.arange(7, device=device)
    score = torch.arange(7.0, device=device)[:, None]
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    out = ops.goat_aggregate(
        x, score, row_ptr, col, lstm.weight_ih_l0[None], lstm.weight_hh_l0[None], bias[None], per_source=False
    )
    # Both in float32; values below 1, seven steps.
    torch.testing.assert_close(out[0, 0], lstm(x)[0][-1], atol=2e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("nodes, edges, hidden, heads", [
    (0, 0, 4, 1), (1, 0, 3, 2), (1, 1, 1, 1), (1, 9, 16, 1), (6, 0, 5, 1), (13, 60, 5, 2), (9, 200, 17, 1),
    (40, 300, 16, 3), (11, 90, 33, 1),
])  # fmt: skip
def test_equals_reference(cell, nodes, edges, hidden, heads, device, isa):
    tensors = arguments(cell, nodes, edges, hidden=hidden, heads=heads)
    # float32 against torch's exp and sums in another order: a few units in the last place, over at most
    # about 30 steps, in proportion to the largest gradient. A neuron at its threshold would differ by 1.
    ours, twin = run_both(tensors, device, cell=cell, per_source=False)
    assert_close(ours, twin, (cell, isa), 2e-5)
    assert ours[1][1] is None or not ours[1][1].any()  # without weighting no gradient of scores


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("per_source", [False, True])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_weightings_and_orders(cell, weighting, per_source, descending, device):
    tensors = arguments(cell, 11, 50, dtype=torch.float64, per_source=per_source, sources=17, hub=True)
    options = {"weighting": weighting, "per_source": per_source, "descending": descending}
    ours, twin = run_both(tensors, device, cell=cell, **options)
    assert_close(ours, twin, (cell, options), 1e-11)  # float64, 40 steps


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("hidden", [1, 6, 20])
def test_early_exit(hidden, descending, device, isa):
    tensors = arguments("lif", 11, 90, hidden=hidden)
    options = {"cell": "lif", "early_exit": True, "weighting": "sigmoid", "descending": descending}
    assert_close(*run_both(tensors, device, per_source=False, **options), "early exit", 2e-5)
    there = [None if t is None else t.to(device) for t in tensors]
    _, steps = ops.goat_aggregate(*there, return_steps=True, per_source=False, **options)
    _, expected = reference.goat_aggregate(*tensors, return_steps=True, per_source=False, **options)
    assert_same(steps.cpu(), expected, "steps")
    assert int(steps.sum()) < 2 * 90 or hidden > 1


def test_order(device):
    """Ties by place, -0 equals 0, infinities at the ends, NaN last either way; both ways to order agree."""
    nan, inf = float("nan"), float("inf")
    keys = torch.tensor([2.0, nan, -0.0, 0.0, -inf, inf, 2.0, nan])[:, None]
    row_ptr, col = torch.tensor([0, 8, 8, 11, 13]), torch.tensor([7, 6, 5, 4, 3, 2, 1, 0, 0, 6, 0, 3, 2])
    order = torch.ops.lampyris._goat_order
    for dtype, descending in itertools.product((torch.float32, torch.float64), (False, True)):
        key = keys.to(device, dtype)
        rows = [t.to(device) for t in (row_ptr, col)]
        by_rank = order(key, *rows, True, descending).cpu()
        by_row = order(key[rows[1]], *rows, False, descending).cpu()
        first = [2, 1, 7, 4, 5, 3, 0, 6] if descending else [3, 4, 5, 1, 7, 2, 0, 6]
        assert by_rank.tolist() == [[*first, 8, 9, 10, 11, 12]] and by_row.tolist() == by_rank.tolist()


@pytest.mark.parametrize("cell", CELLS)
def test_the_way_of_cuda(cell):
    """Its sorting, its steps on one lane and its sums, on the CPU, against the CPU's own."""
    x, score, row_ptr, col, weight, recurrent, bias = arguments(
        cell, 12, 70, dtype=torch.float64, sources=15, hub=True
    )
    x[3], score[5] = 0.0, float("nan")
    order = torch.ops.lampyris._goat_order(score, row_ptr, col, False, True)
    assert_same(_goat_cuda.order_by_sorting(score, row_ptr, col, False, True), order, "order")
    key = torch.randint(4, (15, 2)).double()
    ranked = torch.ops.lampyris._goat_order(key, row_ptr, col, True, False)
    assert_same(_goat_cuda.order_by_sorting(key, row_ptr, col, True, False), ranked, "ranked order")
    p = (x @ weight.flatten(0, 1).T).unflatten(1, weight.shape[:2])
    factor, options = torch.rand(70, 2, dtype=torch.float64), (cell, cell == "lif", 0.5, 1.0)
    inputs = (p, factor, order, row_ptr, col, recurrent, bias)
    out, steps, states = torch.ops.lampyris.goat_aggregate(*inputs, *options, True)
    saved = (torch.randn_like(out), *inputs, states, steps, *options, True)
    expected = torch.ops.lampyris._goat_aggregate_backward(*saved)
    for name, a, b in zip(
        ("p", "factor", "weight_hh", "bias"), _goat_cuda.sum_steps(*saved), expected, strict=True
    ):
        assert (a is None) == (b is None), name
        if a is not None:
            torch.testing.assert_close(a, b, atol=1e-11, rtol=0, msg=name)  # sums in another order


@pytest.mark.parametrize("seed", range(20))
def test_orders_agree_on_random_rows(seed, device):
    """Few distinct keys, hubs, repeated edges: both ways, and a stable sort."""
    random = torch.Generator().manual_seed(seed)
    nodes, edges = int(torch.randint(1, 40, (), generator=random)), 20 * seed
    row_ptr, col = graph(nodes, edges, seed=seed, hub=seed % 2 == 1)
    key = torch.randint(seed + 1, (nodes, 2), generator=random).float()
    rows = [row_ptr.to(device), col.to(device)]
    by_rank = torch.ops.lampyris._goat_order(key.to(device), *rows, True, False).cpu()
    by_row = torch.ops.lampyris._goat_order(key[col].to(device), *rows, False, False).cpu()
    expected = []
    for i in range(nodes):
        first, last = int(row_ptr[i]), int(row_ptr[i + 1])
        expected.append(first + torch.argsort(key[col[first:last]], dim=0, stable=True).T)
    assert_same(by_row, torch.cat(expected, 1).int(), seed)
    assert_same(by_rank, by_row, seed)


def test_layouts_and_dtypes(device):
    tensors = arguments("lstm", 9, 40)
    expected = ops.goat_aggregate(*tensors, per_source=False)
    for name, x in layouts(tensors[0]):
        for _, weight in layouts(tensors[5]):
            out = ops.goat_aggregate(
                x.to(device), *(t.to(device) for t in (*tensors[1:5], weight, tensors[6])), per_source=False
            )
            torch.testing.assert_close(out.cpu(), expected, atol=2e-6, rtol=0, msg=name)
    half = ops.goat_aggregate(
        tensors[0].bfloat16().to(device), *(t.to(device) for t in tensors[1:]), per_source=False
    )
    widened = ops.goat_aggregate(tensors[0].bfloat16().float(), *tensors[1:], per_source=False)
    assert half.dtype == torch.bfloat16
    # One rounding to bfloat16 of values below 1, half a unit in the last of its 8 bits.
    torch.testing.assert_close(half.float().cpu(), widened, atol=2**-8, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_permutation_of_rows_and_edges(cell, device):
    x, score, row_ptr, col, *weights = arguments(cell, 12, 70, dtype=torch.float64)
    out = ops.goat_aggregate(x, score, row_ptr, col, *weights, cell=cell, per_source=False)
    new = torch.randperm(12)
    shuffle = torch.randperm(70)
    row = torch.repeat_interleave(torch.arange(12), row_ptr.diff())[shuffle]
    moved_row, by_row = torch.sort(new[row], stable=True)
    place = shuffle[by_row]
    moved_ptr = torch.searchsorted(moved_row, torch.arange(13))
    moved = ops.goat_aggregate(
        x[new.argsort()], score[place], moved_ptr, new[col[place]], *weights, cell=cell, per_source=False
    )
    # A product of permuted rows may be cut otherwise: last bits of float64.
    torch.testing.assert_close(moved[new], out, atol=1e-12, rtol=0)


def test_nan_score_is_last_and_stays_in_its_row(device):
    x, score, row_ptr, col, *weights = (t.to(device) for t in arguments("lstm", 8, 40))
    clean = ops.goat_aggregate(x, score, row_ptr, col, *weights, weighting="sigmoid", per_source=False)
    row = int((row_ptr <= 20).sum()) - 1
    score[20] = float("nan")
    plain = ops.goat_aggregate(x, score, row_ptr, col, *weights, per_source=False)
    score_last = score.clone()
    score_last[20] = score[~score.isnan()].max() + 1
    assert_same(plain, ops.goat_aggregate(x, score_last, row_ptr, col, *weights, per_source=False), "last")
    weighted = ops.goat_aggregate(x, score, row_ptr, col, *weights, weighting="sigmoid", per_source=False)
    others = torch.arange(8, device=device) != row
    assert weighted[row].isnan().all()
    assert_same(weighted[others], clean[others], "other rows")


@pytest.mark.parametrize("cell", ["lstm", "gru", "scan"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_gradcheck(cell, weighting, device):
    tensors = arguments(cell, 5, 14, hidden=3, dtype=torch.float64, sources=6)
    inputs = [None if t is None else t.to(device) for t in tensors]
    for t in inputs:
        if t is not None and t.is_floating_point():
            t.requires_grad_()

    def run(*inputs):
        return ops.goat_aggregate(*inputs, cell=cell, weighting=weighting, per_source=False)

    if weighting == "none":
        inputs[1].requires_grad_(False)
    assert torch.autograd.gradcheck(run, inputs)


def test_same_bits_at_any_number_of_threads():
    tensors = arguments("lstm", 3000, 30000, hidden=16, heads=1, hub=True)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(run_ours(tensors, cell="lstm", weighting="softmax", per_source=False))
    torch.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_same(a, b, "threads")


def run_ours(tensors, **options):
    upstream = torch.ones(1)
    out, grads = gradients(
        lambda *t: [ops.goat_aggregate(*t, **options).square().sum()[None]], tensors, [upstream]
    )
    return [*out, *(g for g in grads if g is not None)]


@pytest.mark.parametrize("cell", CELLS)
def test_opcheck(cell, device):
    x, score, row_ptr, col, weight, recurrent, bias = (
        None if t is None else t.to(device) for t in arguments(cell, 6, 20)
    )
    lampyris = torch.ops.lampyris
    check_operator(lampyris._goat_order.default, score, row_ptr, col, False, False)
    order = lampyris._goat_order(score, row_ptr, col, False, False)
    p = (x @ weight.flatten(0, 1).T).unflatten(1, weight.shape[:2]).requires_grad_()
    factor = torch.sigmoid(score).requires_grad_()
    options = (cell, False, 0.5, 1.0, True)
    check_operator(lampyris.goat_aggregate.default, p, factor, order, row_ptr, col, recurrent, bias, *options)
    check_operator(lampyris._goat_softmax.default, score.requires_grad_(), row_ptr)


@pytest.mark.parametrize("cell, weighting", [("lstm", "softmax"), ("gru", "none"), ("lif", "sigmoid")])
def test_compiles(cell, weighting):
    x, score, *rest = arguments(cell, 9, 40)

    def run(x, score):
        return (ops.goat_aggregate(x, score, *rest, cell=cell, weighting=weighting, per_source=False),)

    check_compiles(run, x, score)
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    found = []
    for function in (compiled, run):
        leaf = x.clone().requires_grad_()
        function(leaf, score)[0].square().sum().backward()
        found.append(leaf.grad)
    assert_same(*found, "compiled gradient")


def test_double_backward_raises():
    x, *rest = arguments("lstm", 5, 12)
    out = ops.goat_aggregate(x.requires_grad_(), *rest, per_source=False)
    (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="goat_aggregate: must not be differentiated twice"):
        grad.sum().backward()


@pytest.mark.parametrize("change, message", [
    ({"x": torch.zeros(13)}, r"x must have shape \[S, F\], got \[13\]"),
    ({"x": torch.zeros(13, 3).int()}, "x must have a floating dtype, got torch.int32"),
    ({"x": torch.zeros(13, 4)}, r"weight_ih must have shape \[heads, 4 H, 4\], got \[2, 20, 3\]"),
    ({"cell": "rnn"}, "cell must be one of lstm, gru, scan, lif, got 'rnn'"),
    ({"weighting": "sum"}, "weighting must be one of none, softmax, sigmoid, score, got 'sum'"),
    ({"early_exit": True}, "early_exit must be False for cell lstm, got True"),
    ({"weight_hh": None}, "weight_hh must be a tensor for cell lstm, got None"),
    ({"weight_hh": torch.zeros(2, 20, 4)}, r"weight_hh must have shape \[2, 20, 5\], got \[2, 20, 4\]"),
    ({"weight_hh": torch.zeros(2, 20, 5), "cell": "scan"}, "weight_hh must be None for cell scan"),
    ({"bias": torch.zeros(20)}, r"bias must have shape \[2, 20\], got \[20\]"),
    ({"score": torch.zeros(60)}, r"score must have shape \[E, 2\] or \[S, 2\], got \[60\]"),
    ({"score": torch.zeros(13, 2)}, r"score must have shape \[E, heads\] = \[60, 2\], got \[13, 2\]"),
    ({"score": torch.zeros(60, 2).int()}, "score must have a floating dtype, got torch.int32"),
    ({"score": torch.zeros(14, 2), "per_source": True}, r"\[S, heads\] = \[13, 2\], got \[14, 2\]"),
    ({"row_ptr": torch.tensor([])}, r"row_ptr must have shape \[N \+ 1\], got \[0\]"),
    ({"row_ptr": torch.tensor([0, 60]).int()}, "row_ptr must have dtype int64, got int32"),
    ({"row_ptr": torch.tensor([1, 60])}, "row_ptr must start at 0, got 1"),
    ({"row_ptr": torch.tensor([0, 40, 30, 60])}, r"row_ptr must not fall, got 30 after 40 at \[2\]"),
    ({"row_ptr": torch.tensor([0, 59])}, "row_ptr must end at 60, got 59"),
    ({"col": torch.zeros(60, 1).long()}, r"col must have shape \[E\], got \[60, 1\]"),
    ({"col": torch.full((60,), 13)}, r"col must be in \[0, 13\), got 13 at \[0\]"),
    ({"col": torch.full((60,), -1)}, r"col must be in \[0, [0-9]+\), got -1 at \[0\]"),
])  # fmt: skip
def test_error_messages(change, message):
    names = ("x", "score", "row_ptr", "col", "weight_ih", "weight_hh", "bias")
    given = dict(zip(names, arguments("lstm"), strict=True), per_source=False)
    if change.get("cell") == "scan":
        given["weight_ih"] = torch.zeros(2, 10, 3)
    with pytest.raises(ValueError, match=f"goat_aggregate: .*{message}"):
        ops.goat_aggregate(**{**given, **change})


def test_ambiguous_scores_are_refused():
    x, score, row_ptr, col, *weights = arguments("lstm", 12, 12)
    with pytest.raises(ValueError, match="per_source must be given where S = E, got None and 12 of both"):
        ops.goat_aggregate(x, score, row_ptr, col, *weights)
    both = [ops.goat_aggregate(x, score, row_ptr, col, *weights, per_source=b) for b in (False, True)]
    assert not torch.equal(*both)


@pytest.mark.parametrize("seed", range(30))
def test_any_rows_give_a_result_or_one_error(seed):
    """Random pointers and columns, most of them wrong."""
    random = torch.Generator().manual_seed(seed)
    x, _, row_ptr, col, *weights = arguments("gru", 6, 20, seed=seed)
    for _ in range(20):
        pointers, columns = row_ptr.clone(), col.clone()
        for values in (pointers, columns):
            if torch.rand((), generator=random) < 0.5:
                place = torch.randint(len(values), (1,), generator=random)
                values[place] = torch.randint(-(2**40), 2**40, (1,), generator=random) >> (seed % 41)
        try:
            out = ops.goat_aggregate(x, x[:, :2], pointers, columns, *weights, cell="gru", per_source=True)
        except ValueError as error:
            assert str(error).startswith("goat_aggregate: ")
        else:
            expected = reference.goat_aggregate(
                x, x[:, :2], pointers, columns, *weights, cell="gru", per_source=True
            )
            torch.testing.assert_close(out, expected, atol=2e-5, rtol=0)

"""Bad input of mincut_pool: one clear error, or a defined result."""

from __future__ import annotations

import pytest
import torch
from mincut_graphs import random_graph

from lampyris import ops

GOOD = {
    "x": torch.zeros(3, 2),
    "logits": torch.zeros(3, 4),
    "row_ptr": torch.tensor([0, 1, 2, 2]),
    "col": torch.tensor([1, 0]),
}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.zeros(3)}, r"x must have shape \[N, F\], got \[3\]"),
        ({"x": torch.zeros(3, 2).int()}, "x must have dtype float32 or float64, got int32"),
        (
            {"logits": torch.zeros(2, 4)},
            r"logits must have shape \[N, K\] with N = 3 and K >= 1, got \[2, 4\]",
        ),
        (
            {"logits": torch.zeros(3, 0)},
            r"logits must have shape \[N, K\] with N = 3 and K >= 1, got \[3, 0\]",
        ),
        ({"logits": torch.zeros(3, 4).double()}, "logits must have dtype float32, got float64"),
        ({"row_ptr": torch.tensor([0, 2])}, r"row_ptr must have shape \[N \+ 1\] = \[4\], got \[2\]"),
        ({"row_ptr": GOOD["row_ptr"].int()}, "row_ptr must have dtype int64, got int32"),
        ({"row_ptr": torch.tensor([1, 1, 2, 2])}, "row_ptr must start at 0, got 1"),
        ({"row_ptr": torch.tensor([0, 2, 1, 2])}, r"row_ptr must not fall, got 1 after 2 at \[2\]"),
        ({"row_ptr": torch.tensor([0, 1, 1, 1])}, "row_ptr must end at 2, got 1"),
        ({"col": torch.tensor([[1, 0]])}, r"col must have shape \[E\], got \[1, 2\]"),
        ({"col": torch.tensor([1.0, 0.0])}, "col must have dtype int64, got float32"),
        ({"col": torch.tensor([3, 0])}, r"col must be in \[0, 3\), got 3 at \[0\]"),
        ({"col": torch.tensor([1, -1])}, r"col must be in \[0, 3\), got -1 at \[1\]"),
        ({"edge_weight": torch.ones(3)}, r"edge_weight must have shape \[E\] = \[2\], got \[3\]"),
        ({"edge_weight": torch.ones(2).double()}, "edge_weight must have dtype float32, got float64"),
        ({"graph_ptr": torch.tensor([0])}, r"graph_ptr must have shape \[B \+ 1\] with B >= 1, got \[1\]"),
        ({"graph_ptr": torch.tensor([0, 2])}, "graph_ptr must end at 3, got 2"),
        ({"graph_ptr": torch.tensor([0, 3, 2, 3])}, r"graph_ptr must not fall, got 2 after 3 at \[2\]"),
        (
            {"graph_ptr": torch.tensor([0, 1, 3])},
            r"col must stay within its graph, nodes \[0, 1\), got 1 at \[0\]",
        ),
        ({"temperature": 0.0}, "temperature must be > 0, got 0"),
        ({"temperature": float("nan")}, "temperature must be > 0, got nan"),
        (
            {"loss": "cut"},
            "loss must be one of 'mincut', 'dmon', 'just_balance', 'total_variation', got 'cut'",
        ),
    ],
)
def test_errors(change, message):
    arguments = {**GOOD, **change}
    tensors = [arguments.pop(name) for name in ("x", "logits", "row_ptr", "col")]
    with pytest.raises(ValueError, match=f"mincut_pool: {message}"):
        ops.mincut_pool(*tensors, **arguments)


@pytest.mark.parametrize(
    "x, s, ptr, message",
    [
        (
            torch.zeros(4, 2),
            torch.zeros(3, 4),
            [0, 3],
            r"x must have shape \[B, K, F\] with B, K >= 1, got \[4, 2\]",
        ),
        (
            torch.zeros(0, 4, 2),
            torch.zeros(0, 4),
            [0],
            r"x must have shape \[B, K, F\] with B, K >= 1, got \[0, 4, 2\]",
        ),
        (
            torch.zeros(1, 0, 0),
            torch.zeros(3, 0),
            [0, 3],
            r"x must have shape \[B, K, F\] with B, K >= 1, got \[1, 0, 0\]",
        ),
        (
            torch.zeros(1, 4, 2),
            torch.zeros(3, 5),
            [0, 3],
            r"s must have shape \[N, K\] with K = 4, got \[3, 5\]",
        ),
        (
            torch.zeros(1, 4, 2),
            torch.zeros(3, 4),
            [0, 1, 3],
            r"graph_ptr must have shape \[B \+ 1\] = \[2\], got",
        ),
        (torch.zeros(1, 4, 2), torch.zeros(3, 4), [0, 2], "graph_ptr must end at 3, got 2"),
        (
            torch.zeros(1, 4, 2).int(),
            torch.zeros(3, 4),
            [0, 3],
            "x must have dtype float32 or float64, got int32",
        ),
        (torch.zeros(1, 4, 2), torch.zeros(3, 4).double(), [0, 3], "s must have dtype float32, got float64"),
    ],
)
def test_lift_errors(x, s, ptr, message):
    with pytest.raises(ValueError, match=f"mincut_lift: {message}"):
        ops.mincut_lift(x, s, torch.tensor(ptr))


def test_fuzzed_rows_either_raise_or_give_finite_numbers():
    random = torch.Generator().manual_seed(0)
    refused = 0
    for case in range(400):
        graph = random_graph([5, 0, 4], seed=case % 7)
        tensors = {
            "row_ptr": graph.row_ptr.clone(),
            "col": graph.col.clone(),
            "graph_ptr": graph.graph_ptr.clone(),
        }
        name = ("row_ptr", "col", "graph_ptr")[case % 3]
        place = int(torch.randint(tensors[name].numel(), (1,), generator=random))
        extreme = [-1, 0, 1, 4, 9, 10, 2**62, -(2**63)]
        tensors[name][place] = extreme[int(torch.randint(len(extreme), (1,), generator=random))]
        logits = torch.randn(9, 3, requires_grad=True)
        try:
            out = ops.mincut_pool(
                torch.ones(9, 2), logits, tensors["row_ptr"], tensors["col"], graph_ptr=tensors["graph_ptr"]
            )
        except ValueError as error:
            assert str(error).startswith("mincut_pool: ")
            refused += 1
        else:
            sum(value.sum() for value in out).backward()
            assert all(value.isfinite().all() for value in (*out, logits.grad))
    assert 100 < refused < 400

from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, layouts

from lampyris import ops, reference


def test_by_hand():
    masks = ops.magnitude_mask([torch.tensor([0.5, -2.0]), torch.tensor([[1.0], [-0.5]])], 0.5)
    assert [m.tolist() for m in masks] == [[False, True], [[True], [False]]]
    masks = ops.magnitude_mask([torch.tensor([0.5, -2.0]), torch.tensor([[1.0], [-0.5]])], 0.5, scope="layer")
    assert [m.tolist() for m in masks] == [[False, True], [[True], [False]]]


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_equals_reference(sparsity, scope, device):
    weights = [
        torch.randn(20, 30),
        torch.randint(-3, 4, (1000,)).float(),  # many ties
        torch.zeros(5),
        torch.randn(0),
        torch.tensor(1.0),
        torch.tensor([1e-45, -1e-45, 0.0, -0.0, float("inf"), -3e38]),
    ]
    weights = [w.to(device) for w in weights]
    ours = ops.magnitude_mask(weights, sparsity, scope=scope)
    for a, b in zip(ours, reference.magnitude_mask(weights, sparsity, scope=scope), strict=True):
        assert_same(a, b, (sparsity, scope))


def test_counts_are_exact_and_ties_keep_the_first(device):
    for n, sparsity in ((100, 0.29), (7, 0.5), (64, 1 / 3)):
        (mask,) = ops.magnitude_mask([torch.ones(n, device=device)], sparsity)
        kept = n - round(sparsity * n)
        assert mask.tolist() == [True] * kept + [False] * (n - kept)


def test_layouts_give_the_same_mask(device):
    w = torch.randn(8, 6, 3, 3, 1, device=device)
    for name, strided in layouts(w):
        assert_same(ops.magnitude_mask([strided], 0.4)[0], ops.magnitude_mask([w], 0.4)[0], name)
        assert_same(ops.nm_mask(strided, 1, 2), ops.nm_mask(w, 1, 2), name)


@pytest.mark.parametrize("n, m, dim", [(2, 4, 1), (1, 4, 0), (3, 8, -3), (0, 4, 1), (4, 4, 1)])
def test_nm_mask(n, m, dim, device):
    w = torch.randint(-3, 4, (16, 32, 3, 3), device=device).float()
    mask = ops.nm_mask(w, n, m, dim=dim)
    assert_same(mask, reference.nm_mask(w, n, m, dim=dim), (n, m, dim))
    assert (mask.movedim(dim, -1).unflatten(-1, (-1, m)).sum(-1) == n).all()


def test_opcheck_and_compile():
    w = torch.randn(4, 8)
    check_operator(torch.ops.lampyris.magnitude_mask.default, [w, w[0].clone()], 0.5, "global")
    check_operator(torch.ops.lampyris.nm_mask.default, w, 2, 4, 1)
    check_compiles(lambda w: [ops.nm_mask(w), *ops.magnitude_mask([w], 0.5)], w)
    assert ops.magnitude_mask([], 0.5) == []
    assert not ops.magnitude_mask([w.requires_grad_()], 0.5)[0].requires_grad


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: ops.magnitude_mask([torch.ones(2)], 1.5),
            r"magnitude_mask: sparsity must be in \[0, 1\], got 1.5",
        ),
        (lambda: ops.magnitude_mask([torch.ones(2)], float("nan")), "magnitude_mask: sparsity must be in"),
        (
            lambda: ops.magnitude_mask([torch.ones(2)], 0.5, scope="model"),
            "magnitude_mask: scope must be one of 'global', 'layer', got 'model'",
        ),
        (
            lambda: ops.magnitude_mask([torch.ones(2).double()], 0.5),
            "magnitude_mask: weights must have dtype float32, got float64",
        ),
        (
            lambda: ops.nm_mask(torch.ones(2, 6)),
            r"nm_mask: weight.shape\[dim\] must be a multiple of m = 4, got 6",
        ),
        (
            lambda: ops.nm_mask(torch.ones(2, 8), 5, 4),
            "nm_mask: n and m must satisfy 0 <= n <= m <= 64, got 5 and 4",
        ),
        (lambda: ops.nm_mask(torch.ones(8)), r"nm_mask: dim must be in \[-1, 0\], got 1"),
    ],
)
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""lif's gradients against float64 for every combination of options, dtypes, NaN, surrogates."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from operator_harness import assert_same, check_compiles, gradients, layouts

from lampyris import ops, reference
from lampyris.reference.lif import SURROGATES, derivative

RESETS = ("hard", "soft", "none")
# Products and sums of the chain in another order, a polynomial for exp: float32, T steps.
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}


def _clear(x: torch.Tensor, threshold: float, run) -> torch.Tensor:
    """x without neurons whose U comes so near the threshold or a window's edge that float32 may differ."""
    trace = run(x.double())
    distance = (trace - threshold).abs()
    near = (distance < 1e-4) | ((distance - 0.5).abs() < 1e-4)
    return x[:, ~near.any(0)]


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_every_option_combination_against_float64(surrogate, device, isa):
    x = torch.randn(7, 400, device=device)
    for reset, detach, inclusive, decayed, membrane in itertools.product(
        RESETS, (True, False), (False, True), (True, False), ("last", "trace")
    ):
        gain = 0.5 if decayed else 1.0
        options = {"reset": reset, "detach_reset": detach, "inclusive": inclusive, "surrogate": surrogate}

        def charges(t, options=options, gain=gain):
            """U of each step: the trace of the same neuron before its reset."""
            v = reference.lif(t, 0.5, 0.7, gain=gain, membrane="trace", **options)[1]
            return 0.5 * torch.cat([torch.zeros_like(v[:1]), v[:-1]]) + gain * t

        clear = _clear(x, 0.7, charges)
        assert clear.shape[1] > 200
        decay, threshold, gains = (
            torch.full((clear.shape[1],), value, device=device) for value in (0.5, 0.7, gain)
        )
        v_init = torch.zeros(clear.shape[1], device=device)
        upstream = [
            torch.randn_like(clear),
            torch.randn(clear.shape if membrane == "trace" else v_init.shape),
        ]
        upstream = [u.to(device) for u in upstream]
        for learned in (False, True):

            def run(lif, t, v, *p, options=options, membrane=membrane, learned=learned, gain=gain):
                d, h, g = p if learned else (0.5, 0.7, gain)
                return lif(t, d, h, gain=g, v_init=v, membrane=membrane, **options)

            inputs = [clear, v_init, *((decay, threshold, gains) if learned else ())]
            ours = gradients(lambda *a: run(ops.lif, *a), inputs, upstream)
            wide = [t.double() for t in inputs]
            expected = gradients(lambda *a: run(reference.lif, *a), wide, [u.double() for u in upstream])
            case = (options, membrane, learned)
            assert torch.equal(ours[0][0].double(), expected[0][0]), case
            for a, b in zip(ours[0] + ours[1], expected[0] + expected[1], strict=True):
                torch.testing.assert_close(
                    a.double(), b, **TOLERANCE, msg=lambda m, case=case: f"{case}: {m}"
                )


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_surrogate_formula_and_area(surrogate, device):
    """One step from u = x: the gradient is the derivative, and integrates to 1 over the distance."""
    width = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64, device=device)
    step = 0.005
    x = torch.arange(-400, 400, step, dtype=torch.float64, device=device)[:, None].expand(-1, 3)[None]
    x = x.clone().requires_grad_()
    ops.lif(x, 0.0, 0.25, width=width, surrogate=surrogate)[0].sum().backward()
    want = derivative(surrogate, x.detach() - 0.25, width)
    # Integrated to 800 widths: atan and fast_sigmoid leave tails of about width / 400.
    torch.testing.assert_close(x.grad, want, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(x.grad.sum(1) * step, torch.ones(1, 3).to(width), rtol=0.02, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_inputs_are_computed_in_float32(dtype, device, isa):
    for shape in ((5, 3, 70), (4, 2, 33, 3, 5), (6, 4200)):
        for name, x in layouts(torch.randn(shape, device=device).to(dtype)):
            for options in ({}, {"surrogate": "sigmoid"}, {"reset": "soft", "detach_reset": False}):

                def run(t, options=options):
                    return ops.lif(t, 0.5, 0.7, membrane="trace", **options)

                upstream = [torch.randn_like(x), torch.randn(x.shape, device=device)]
                ours = gradients(run, [x], upstream)
                expected = gradients(run, [x.float()], [u.float() for u in upstream])
                assert ours[0][0].dtype == dtype and ours[0][1].dtype == torch.float32
                assert_same(ours[0][0].float(), expected[0][0], name)
                assert_same(ours[0][1], expected[0][1], name)
                assert_same(ours[1][0], expected[1][0].to(dtype), name)
            packed = ops.lif(x, 0.5, 0.7, output="packed")[0]
            assert packed.dtype == dtype
            assert_same(packed.words, ops.lif(x.float(), 0.5, 0.7, output="packed")[0].words, name)


def test_half_parameters_learn(device):
    x = torch.randn(5, 40, device=device).bfloat16()
    decay = torch.tensor(0.5, device=device, dtype=torch.bfloat16, requires_grad=True)
    v = torch.zeros(40, device=device, dtype=torch.bfloat16, requires_grad=True)
    ops.lif(x, decay, 0.7, v_init=v)[0].sum().backward()
    assert decay.grad.dtype == v.grad.dtype == torch.bfloat16 and decay.grad != 0


def test_callable_surrogate(device):
    """A Python function of U - threshold equals the named formula."""
    for reset, detach in itertools.product(RESETS, (True, False)):
        for name, x in layouts(torch.randn(5, 2, 6, 4, 4, dtype=torch.float64, device=device)):
            threshold = torch.rand(6, 1, 1, dtype=x.dtype, device=device) + 0.5

            def run(t, h, surrogate, reset=reset, detach=detach):
                return ops.lif(t, 0.5, h, reset=reset, detach_reset=detach, surrogate=surrogate)

            def triangle(distance):
                return (1 - distance.abs()).clamp(min=0)

            upstream = [torch.randn_like(x), torch.randn_like(x[0])]
            ours = gradients(lambda *a: run(*a, triangle), [x, threshold], upstream)
            expected = gradients(lambda *a: run(*a, "triangle"), [x, threshold], upstream)
            for a, b in zip(ours[0] + ours[1], expected[0] + expected[1], strict=True):
                torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12, msg=name)


def test_callable_surrogate_must_keep_the_shape():
    x = torch.randn(3, 4, requires_grad=True)
    spikes, _ = ops.lif(x, 0.5, 1.0, surrogate=lambda distance: distance[0])
    with pytest.raises(ValueError, match=r"lif: surrogate must return shape \[3, 4\], got \[4\]"):
        spikes.sum().backward()


def test_compiles_with_gradient():
    def step(x, decay, surrogate):
        spikes, v = ops.lif(x, decay, 0.7, surrogate=surrogate)
        return torch.autograd.grad(spikes.sum() + v.square().sum(), (x, decay))

    x = torch.randn(4, 3, 40, requires_grad=True)
    decay = torch.full((40,), 0.5, requires_grad=True)
    torch._dynamo.reset()
    for surrogate in ("rectangle", "atan"):

        def loss(x, decay, surrogate=surrogate):
            spikes, v = ops.lif(x, decay, 0.7, surrogate=surrogate)
            return spikes.sum() + v.square().sum()

        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
        for a, b in zip(
            torch.autograd.grad(compiled(x, decay), (x, decay)), step(x, decay, surrogate), strict=True
        ):
            assert_same(a, b, surrogate)
    check_compiles(lambda t: ops.lif(t.bfloat16(), 0.5, 0.7), x.detach())


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("reset", RESETS)
def test_nan_never_fires_and_stays(reset, inclusive, device, isa):
    x = torch.randn(6, 70, device=device)
    x[2, ::3] = math.nan
    x[3, 1::7] = math.inf
    for rounding in ("none", "floor"):
        for output in ("dense", "packed"):
            options = {"reset": reset, "inclusive": inclusive, "rounding": rounding, "output": output}
            leaf = x.clone().requires_grad_()
            spikes, v = ops.lif(leaf, 0.5, 0.7, membrane="trace", **options)
            dense = spikes.dense() if output == "packed" else spikes
            (dense.sum() + v.nan_to_num(0, 0, 0).sum()).backward()
            assert set(dense.unique().tolist()) <= {0.0, 1.0}
            assert dense[2:, ::3].sum() == 0 and v[2:, ::3].isnan().all()
            assert leaf.grad[:, 2::21].isfinite().all()


def test_infinite_threshold_and_tensors_are_not_checked(device):
    x = torch.randn(4, 9, device=device).requires_grad_()
    spikes, v = ops.lif(x, 0.5, math.inf)
    (spikes.sum() + v.sum()).backward()
    assert spikes.sum() == 0 and x.grad.isfinite().all()
    spikes, _ = ops.lif(x, 0.5, torch.full((9,), math.nan, device=device))
    assert spikes.sum() == 0


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads):
    x = torch.randn(9, 20000)
    before = torch.get_num_threads()
    expected = gradients(lambda t: ops.lif(t, 0.5, 0.7, surrogate="atan"), [x], [torch.ones_like(x), x[0]])
    torch.set_num_threads(threads)
    try:
        ours = gradients(lambda t: ops.lif(t, 0.5, 0.7, surrogate="atan"), [x], [torch.ones_like(x), x[0]])
    finally:
        torch.set_num_threads(before)
    for a, b in zip(ours[0] + ours[1], expected[0] + expected[1], strict=True):
        assert_same(a, b, threads)

from __future__ import annotations

import itertools

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

SHAPES = [(), (1,), (0, 3), (5, 7, 3, 3), (3, 9001), (2, 4, 5, 6, 7)]


def _case(shape, dim, offset, mask, dtype, device):
    x = torch.randn(shape, dtype=dtype, device=device)
    size = () if dim is None else (shape[dim],)
    scale = torch.rand(size, dtype=dtype, device=device) * 0.2 + 0.05
    return (
        x,
        scale,
        torch.randn(size, dtype=dtype, device=device) * 0.2 if offset else None,
        torch.rand(shape, device=device) < 0.5 if mask else None,
    )


def test_by_hand():
    x = torch.tensor([-9.0, 0.24, 0.25, 0.75, 9.0], requires_grad=True)
    scale = torch.tensor(0.5, requires_grad=True)
    out = ops.fake_quantize(x, scale, quant_min=-3, quant_max=3, grad_scale=1.0)
    assert out.tolist() == [-1.5, 0.0, 0.0, 1.0, 1.5]  # 0.25 / 0.5 and 0.75 / 0.5 go to even
    out.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert scale.grad.item() == pytest.approx(-3 + (0 - 0.48) + (0 - 0.5) + (2 - 1.5) + 3)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(shape, device, isa):
    dims = [None, *range(len(shape))]
    for dim, offset, mask in itertools.product(dims, (False, True), (False, True)):
        for dtype in (torch.float32, torch.float64):
            dense, *rest = _case(shape, dim, offset, mask, dtype, device)
            for name, x in layouts(dense):

                def run(quantize, x, scale, offset, mask, dim=dim):
                    return [quantize(x, scale, offset, quant_min=-7, quant_max=7, dim=dim, mask=mask)]

                inputs, upstream = [x, *rest], [torch.randn_like(dense)]
                ours = gradients(lambda *a: run(ops.fake_quantize, *a), inputs, upstream)
                expected = gradients(lambda *a: run(reference.fake_quantize, *a), inputs, upstream)
                case = (dim, offset, mask, dtype, name)
                assert_same(ours[0][0], expected[0][0], case)
                # The reference multiplies by the scale and divides again; sums run in another order.
                tolerance = 2e-5 if dtype == torch.float32 else 1e-11
                for a, b in zip(ours[1][:3], expected[1][:3], strict=True):
                    if a is not None:
                        scale_of = max(1.0, float(b.abs().max())) if b.numel() else 1.0
                        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * scale_of)


def test_groups(device):
    x, scale = torch.randn(6, 4, 3, 3, device=device), torch.rand(4, 6, device=device) * 0.1 + 0.05
    inputs, upstream = [x, scale], [torch.randn_like(x)]
    options = {"dim": 1, "group_size": 9, "quant_max": 7, "quant_min": -8}
    ours = gradients(lambda x, s: [ops.fake_quantize(x, s, **options)], inputs, upstream)
    expected = gradients(lambda x, s: [reference.fake_quantize(x, s, **options)], inputs, upstream)
    assert_same(ours[0][0], expected[0][0], "groups")
    torch.testing.assert_close(ours[1], expected[1], rtol=1e-5, atol=1e-5)


def test_default_gradient_factor_is_that_of_lsq():
    x = torch.randn(8, 50)
    scales = [torch.full((8,), 0.1, requires_grad=True) for _ in range(2)]
    ops.fake_quantize(x, scales[0], dim=0).sum().backward()
    ops.fake_quantize(x, scales[1], dim=0, grad_scale=1.0).sum().backward()
    torch.testing.assert_close(scales[0].grad, scales[1].grad / (50 * 127) ** 0.5)


def test_values_on_the_grid_stay():
    grid = torch.arange(-127, 128) * 0.125
    assert_same(ops.fake_quantize(grid, torch.tensor(0.125)), grid, "grid")
    assert_same(ops.fake_quantize(grid + 3, torch.tensor(0.125), torch.tensor(3.0)), grid + 3, "offset")


def test_gradcheck_of_scale_outside_the_range():
    x = torch.tensor([-9.0, 8.0, 12.0], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    offset = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, s, o: ops.fake_quantize(x, s, o, quant_min=-3, quant_max=3, grad_scale=1.0),
        (x, scale, offset),
    )


def test_opcheck_and_compile():
    x, scale, offset, mask = _case((5, 7, 3, 3), 1, True, True, torch.float32, "cpu")
    leaves = [x.requires_grad_(), scale.requires_grad_(), offset.requires_grad_()]
    check_operator(torch.ops.lampyris.fake_quantize.default, *leaves, mask, 1, -7, 7, 1.0)
    check_operator(
        torch.ops.lampyris.fake_quantize.default, leaves[0], scale[0].detach(), None, None, -1, -7, 7, 1.0
    )
    check_compiles(lambda x, s: [ops.fake_quantize(x, s, dim=1)], x.detach(), scale.detach())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.zeros(2, 3).half()}, "x must have dtype float32 or float64, got float16"),
        ({"dim": 2}, r"dim must be in \[-2, 1\], got 2"),
        ({"scale": torch.ones(2)}, r"scale must have one element, got \[2\]"),
        ({"scale": torch.ones(2), "dim": 1}, r"scale must have shape \[x.shape\[dim\]\] = \[3\], got \[2\]"),
        ({"scale": torch.ones(()).double()}, "scale must have dtype float32, got float64"),
        ({"offset": torch.ones(2)}, r"offset must have one element, got \[2\]"),
        ({"mask": torch.ones(3).bool()}, r"mask must have shape \[2, 3\], got \[3\]"),
        ({"mask": torch.ones(2, 3)}, "mask must have dtype bool, got float32"),
        ({"quant_min": 5, "quant_max": 5}, "quant_min and quant_max must satisfy"),
        ({"group_size": 2}, "dim must be given with group_size, got None"),
        ({"group_size": 2, "dim": 0}, "group_size must divide the 3 elements of a slice, got 2"),
        ({"group_size": 3, "dim": 0}, r"scale must have shape \[2, 1\], got \[\]"),
    ],
)
def test_error_messages(change, message):
    arguments = {"x": torch.zeros(2, 3), "scale": torch.tensor(1.0), **change}
    with pytest.raises(ValueError, match="fake_quantize: " + message):
        ops.fake_quantize(**arguments)

from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, layouts

from lampyris import ops, reference

CASES = [
    ((2, 3, 40, 8, 8), 2, None),
    ((1, 2, 33, 7, 9), 2, None),
    ((2, 1, 64, 7, 7), 3, 2),
    ((1, 1, 5, 6, 5), 2, 1),
    ((1, 2, 1, 7, 7), 2, 3),
    ((3, 32, 4, 4), 4, None),
    ((2, 96, 5, 5), 1, 1),
]
EMPTY = [((0, 2, 3, 4, 4), 2, None), ((0, 3, 4, 4), 2, None)]


def maps(shape, device, density=0.3):
    return (torch.rand(shape, device=device) < density).float()


def pooled(x, kernel_size, stride):
    out = torch.nn.functional.max_pool2d(x.flatten(0, -4), kernel_size, stride)
    return out.unflatten(0, x.shape[:-3])


def test_by_hand():
    spikes = torch.tensor([[0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]).view(1, 1, 2, 4).requires_grad_()
    out = ops.spike_max_pool2d(ops.pack_spikes(spikes, dim=1))
    assert out.words.flatten().tolist() == [1, 0]
    out.dense().backward(torch.tensor([[[[5.0, 7.0]]]]))
    # The first spike of a window takes its gradient; without spikes the first element does.
    assert spikes.grad.view(2, 4).tolist() == [[0.0, 5.0, 7.0, 0.0], [0.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("shape, kernel_size, stride", CASES + EMPTY, ids=str)
def test_equals_reference_and_torch(shape, kernel_size, stride, device, isa):
    dense = maps(shape, device)
    for name, x in layouts(dense):
        ours = ops.spike_max_pool2d(ops.pack_spikes(x, dim=len(shape) - 3), kernel_size, stride)
        twin = reference.spike_max_pool2d(ops.pack_spikes(x, dim=len(shape) - 3), kernel_size, stride)
        assert_same(ours.words, twin.words, name)
        assert ours.shape == twin.shape and ours.dim == len(shape) - 3
        assert_same(ops.spike_max_pool2d(x, kernel_size, stride), pooled(x, kernel_size, stride), name)


@pytest.mark.parametrize("shape, kernel_size, stride", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_gradient_is_torchs(shape, kernel_size, stride, dtype, device, isa):
    for density in (0.0, 0.1, 0.6):
        dense = maps(shape, device, density).to(dtype)
        theirs = dense.clone().requires_grad_()
        out = pooled(theirs, kernel_size, stride)
        for name, grad in layouts(torch.randn_like(out)):
            theirs.grad = None
            out.backward(grad, retain_graph=True)
            ours = dense.clone().requires_grad_()
            packed = ops.pack_spikes(ours, dim=len(shape) - 3)
            ops.spike_max_pool2d(packed, kernel_size, stride).dense().backward(grad)
            assert_same(ours.grad, theirs.grad, name)


def test_gradient_is_dense_channels_last(device):
    packed = ops.pack_spikes(maps((2, 40, 6, 6), device), dim=1)
    carrier = packed.carrier.clone().requires_grad_()
    out = ops.spike_max_pool2d(ops.Spikes(packed.words, carrier, 1)).carrier
    (grad,) = torch.autograd.grad(out.sum(), carrier)
    assert grad.is_contiguous(memory_format=torch.channels_last)
    assert grad.sum() == 2 * 40 * 9


def test_commutes_with_channel_permutation(device):
    dense = maps((2, 70, 6, 6), device)
    order = torch.randperm(70, device=device)
    straight = ops.spike_max_pool2d(ops.pack_spikes(dense, dim=1)).dense()[:, order]
    assert_same(ops.spike_max_pool2d(ops.pack_spikes(dense[:, order], dim=1)).dense(), straight, "permuted")


def test_opcheck_and_compile():
    packed = ops.pack_spikes(maps((2, 3, 40, 7, 6), "cpu"), dim=2)
    words, carrier = packed.words.flatten(0, 1), packed.carrier.flatten(0, 1)
    for kernel_size, stride in ((2, 2), (3, 2)):
        inputs = words, carrier.clone().requires_grad_(), kernel_size, stride
        check_operator(torch.ops.lampyris.spike_max_pool2d.default, *inputs)
    grad = torch.randn(6, 40, 3, 3)
    check_operator(torch.ops.lampyris._spike_max_pool2d_backward.default, grad, words, 2, 2)

    def both(x):
        leaf = x.detach().requires_grad_()
        out = ops.spike_max_pool2d(ops.pack_spikes(leaf, dim=2), 3, 2).dense()
        return out, *torch.autograd.grad(out.sum(), leaf)

    check_compiles(lambda x: [ops.spike_max_pool2d(ops.pack_spikes(x, dim=2)).dense()], packed.dense())
    assert both(packed.dense())[1].sum() == 6 * 40 * 3 * 2


SPIKES = ops.pack_spikes(torch.zeros(2, 40, 4, 6), dim=1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.spike_max_pool2d(SPIKES, 0), "kernel_size must be >= 1, got 0"),
        (lambda: ops.spike_max_pool2d(SPIKES, 2, 0), "stride must be >= 1, got 0"),
        (
            lambda: ops.spike_max_pool2d(SPIKES, 5),
            r"kernel_size must be <= H and W of \[2, 40, 4, 6\], got 5",
        ),
        (
            lambda: ops.spike_max_pool2d(ops.pack_spikes(torch.zeros(3, 4))),
            r"spikes must have shape \[T, B, C, H, W\] or \[N, C, H, W\], got \[3, 4\]",
        ),
        (
            lambda: ops.spike_max_pool2d(ops.pack_spikes(torch.zeros(2, 3, 4, 4))),
            "spikes must be packed along C, dimension 1, got 3",
        ),
        (
            lambda: torch.ops.lampyris.spike_max_pool2d(SPIKES.words, SPIKES.carrier[:1], 2, 2),
            r"words must have shape \[1, 4, 6, 2\], got \[2, 4, 6, 2\]",
        ),
        (
            lambda: torch.ops.lampyris._spike_max_pool2d_backward(
                torch.zeros(2, 40, 2, 2), SPIKES.words, 2, 2
            ),
            r"grad must have shape \[2, 40, 2, 3\], got \[2, 40, 2, 2\]",
        ),
    ],
)
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=f"spike_max_pool2d(_backward)?: {message}"):
        call()

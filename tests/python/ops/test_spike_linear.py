from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

# (leading sizes, K, N); the event kernel has blocks of 128 columns and slices of 1024 rows.
CASES = [
    ((5,), 40, 7),
    ((1,), 1, 1),
    ((2, 3), 64, 130),
    ((33,), 1100, 128),
    ((2, 2, 2), 96, 257),
    ((), 70, 5),
]
EMPTY = [((0,), 32, 4), ((3,), 0, 4), ((3,), 32, 0)]
# Sums of up to 1100 terms in float32, in two orders: about sqrt(1100) roundings of 6e-8.
FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
# Operands of 8 bits, and a result that a dense product may round to 8 bits.
BFLOAT16 = {"rtol": 1e-2, "atol": 5e-2}


def spikes_of(lead, inputs, device, density=0.1):
    return (torch.rand(*lead, inputs, device=device) < density).float()


def test_by_hand():
    spikes = ops.pack_spikes(torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    weight = torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    assert ops.spike_linear(spikes, weight, torch.tensor([0.5, 0.25])).tolist() == [
        [101.5, 202.25],
        [0.5, 0.25],
    ]


@pytest.mark.parametrize("lead, inputs, outputs", CASES + EMPTY, ids=str)
@pytest.mark.parametrize("density", [0.0, 0.1, 0.8], ids=str)
def test_equals_reference(lead, inputs, outputs, density, device, tiles):
    dense = spikes_of(lead, inputs, device, density)
    weight, bias = torch.randn(outputs, inputs, device=device), torch.randn(outputs, device=device)
    want = reference.spike_linear(dense, weight, bias)
    for name, x in layouts(dense):
        torch.testing.assert_close(ops.spike_linear(x, weight, bias), want, **FLOAT32, msg=name)
    packed = ops.pack_spikes(dense)
    turned = weight.t().contiguous().t()
    torch.testing.assert_close(ops.spike_linear(packed, turned), want - bias, **FLOAT32)
    for precision, bound in (("mixed", FLOAT32), ("bfloat16", BFLOAT16)):
        ours = ops.spike_linear(packed, weight, bias, precision=precision)
        twin = reference.spike_linear(packed, weight, bias, precision=precision)
        torch.testing.assert_close(ours, twin, **bound)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_other_dtypes(dtype, device, isa):
    dense = spikes_of((9,), 100, device)
    weight, bias = torch.randn(6, 100, dtype=dtype, device=device), torch.randn(6, dtype=dtype, device=device)
    ours = ops.spike_linear(dense, weight, bias)
    assert ours.dtype == dtype
    want = reference.spike_linear(dense.double(), weight.double(), bias.double())
    torch.testing.assert_close(ours, want.to(dtype))


@pytest.mark.parametrize("lead, inputs, outputs", CASES, ids=str)
@pytest.mark.parametrize("density", [0.1, 0.8], ids=str)
@pytest.mark.parametrize("precision", ["float32", "mixed", "bfloat16"])
def test_gradients(lead, inputs, outputs, density, precision, device, tiles):
    dense = spikes_of(lead, inputs, device, density)
    weight, bias = torch.randn(outputs, inputs, device=device), torch.randn(outputs, device=device)
    upstream = [torch.randn(*lead, outputs, device=device)]
    tensors = [dense, weight, bias]
    _, ours = gradients(lambda *a: [ops.spike_linear(*a, precision=precision)], tensors, upstream)
    _, want = gradients(lambda *a: [reference.spike_linear(*a)], tensors, upstream)
    bound = FLOAT32 if precision == "float32" else {"rtol": 2e-2, "atol": 0.25}
    for name, mine, twin in zip(("spikes", "weight", "bias"), ours, want, strict=True):
        torch.testing.assert_close(mine, twin, **bound, msg=lambda m, name=name: f"{name}: {m}")


def test_gradcheck():
    weight = torch.randn(3, 40, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    spikes = ops.pack_spikes((torch.rand(5, 40) < 0.3).double())
    assert torch.autograd.gradcheck(lambda w, b: ops.spike_linear(spikes, w, b), (weight, bias))


def test_same_sums_whatever_the_rows(tiles):
    """A row's sum depends on its spikes alone: batching and threads do not change a bit."""
    dense, weight = spikes_of((200,), 1500, "cpu"), torch.randn(140, 1500)
    whole = ops.spike_linear(dense, weight)
    parts = torch.cat([ops.spike_linear(part, weight) for part in dense.split(33)])
    assert_same(whole, parts, "split")
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    assert_same(ops.spike_linear(dense, weight), whole, "threads")
    torch.set_num_threads(threads)


def test_kernel_follows_density():
    weight = torch.randn(64, 256)
    with ops.record_kernels() as ran:
        for density in (0.05, 0.9):
            ops.spike_linear(spikes_of((64,), 256, "cpu", density), weight)
    assert [(r.operator, r.kernel.split()[0]) for r in ran] == [
        ("spike_linear", "event"),
        ("spike_linear", "torch"),
    ]


def test_int8_is_exact(device):
    dense = spikes_of((4, 9), 300, device, 0.5)
    weight = torch.randint(-128, 128, (70, 300), dtype=torch.int8, device=device)
    bias = torch.randint(-(2**20), 2**20, (70,), dtype=torch.int32, device=device)
    want = (dense.double() @ weight.double().t() + bias.double()).to(torch.int32)
    assert_same(ops.spike_linear(dense, weight, bias), want, "int32")
    scale = torch.rand(70, device=device)
    assert_same(ops.spike_linear(dense, weight, bias, scale=scale), want * scale, "scale per output")
    assert_same(ops.spike_linear(dense, weight, bias, scale=0.5), want * 0.5, "scale")


def test_opcheck_and_compile():
    packed = ops.pack_spikes(spikes_of((6,), 70, "cpu"))
    weight, bias = torch.randn(9, 70, requires_grad=True), torch.randn(9, requires_grad=True)
    carrier = packed.carrier.clone().requires_grad_()
    for precision in ("float32", "mixed"):
        inputs = packed.words, carrier, weight, bias, precision
        check_operator(torch.ops.lampyris.spike_linear.default, *inputs)
    grad = torch.randn(6, 9)
    inputs = packed.words, packed.carrier, grad, weight.detach(), "float32"
    check_operator(torch.ops.lampyris._spike_linear_grad_weight.default, *inputs)
    check_operator(torch.ops.lampyris._spike_linear_grad_input.default, grad, weight.detach(), "float32")
    check_compiles(lambda x, w: [ops.spike_linear(x, w)], packed.dense(), weight.detach())


X, W = torch.zeros(3, 40), torch.zeros(5, 40)
WORDS = torch.zeros(3, 2, dtype=torch.int32)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.spike_linear(torch.zeros(()), W), r"spikes must have shape \[..., K\], got \[\]"),
        (lambda: ops.spike_linear(X, W[:, :39]), r"weight must have shape \[N, 40\], got \[5, 39\]"),
        (lambda: ops.spike_linear(X, W, torch.zeros(4)), r"bias must have shape \[5\], got \[4\]"),
        (lambda: ops.spike_linear(X, W.int()), "weight must have dtype float32, .* got int32"),
        (
            lambda: ops.spike_linear(X, W, torch.zeros(5).double()),
            "bias must have dtype float32, got float64",
        ),
        (lambda: ops.spike_linear(X, W, scale=1.0), "scale must be None without int8 weights"),
        (
            lambda: ops.spike_linear(X, W, precision="half"),
            "precision must be one of 'float32', .* got 'half'",
        ),
        (
            lambda: ops.spike_linear(ops.pack_spikes(X, dim=0), W),
            r"spikes must be packed along K \(dim 1\), got dim 0",
        ),
        (
            lambda: torch.ops.lampyris.spike_linear(WORDS, X[:2], W, None, "float32"),
            r"words must have shape \[2, 2\], got \[3, 2\]",
        ),
        (
            lambda: torch.ops.lampyris._spike_linear_grad_weight(WORDS, X, X, W, "float32"),
            r"grad must have shape \[3, 5\], got \[3, 40\]",
        ),
    ],
)
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=f"spike_linear(_grad_weight)?: {message}"):
        call()

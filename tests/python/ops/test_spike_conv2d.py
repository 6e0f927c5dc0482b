from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

# maps, output channels, kernel, options
CASES = [
    ((1, 1, 1, 1, 1), 1, (1, 1), {}),
    ((2, 2, 33, 5, 7), 14, (3, 3), {"padding": 1}),
    ((2, 1, 64, 8, 9), 64, (3, 3), {"padding": 1}),
    ((1, 3, 32, 9, 8), 70, (3, 3), {"padding": 1, "stride": 2}),
    ((2, 1, 40, 6, 6), 130, (1, 1), {}),
    ((1, 1, 3, 17, 15), 48, (7, 7), {"padding": 3, "stride": 2}),
    ((1, 2, 5, 6, 5), 4, (2, 3), {"padding": 2, "stride": 3}),
    ((1, 2, 48, 6, 5), 48, (3, 3), {"padding": 1, "groups": 48}),
    ((1, 1, 96, 6, 7), 36, (3, 3), {"padding": 1, "groups": 3, "stride": 2}),
    ((1, 1, 34, 5, 5), 6, (5, 5), {"groups": 2}),
    ((3, 2, 65, 3, 2), 33, (3, 3), {"padding": 4}),
]
# float32 sums of up to a few hundred terms in another order than the reference's float64.
FLOAT32 = 4e-6


def make(case, dtype=torch.float32, device="cpu", density=0.3, bias=True):
    shape, out, kernel, options = case
    generator = torch.Generator().manual_seed(sum(shape) + out)
    spikes = (torch.rand(shape, generator=generator) < density).to(dtype).to(device)
    group_in = shape[2] // options.get("groups", 1)
    weight = torch.randn(out, group_in, *kernel, generator=generator, dtype=dtype).to(device)
    shift = torch.randn(out, generator=generator, dtype=dtype).to(device) if bias else None
    return spikes, weight, shift, options


def assert_close(ours, wanted, case, tolerance=FLOAT32):
    assert ours.shape == wanted.shape and ours.dtype == wanted.dtype, case
    largest = wanted.abs().max().clamp(min=1.0)
    assert (ours - wanted).abs().max() <= tolerance * largest, case


def test_by_hand():
    # Two channels, the middle pixel of the second one spikes: the kernel appears mirrored around it.
    spikes = torch.zeros(1, 1, 2, 3, 3)
    spikes[0, 0, 1, 1, 1] = 1
    weight = torch.arange(18.0).view(1, 2, 3, 3)
    out = ops.spike_conv2d(spikes, weight, torch.tensor([100.0]), padding=1)
    assert out.flatten().tolist() == [100 + v for v in range(17, 8, -1)]
    assert out.shape == (1, 1, 1, 3, 3)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_equals_reference(case, dtype, device, tiles):
    tolerance = FLOAT32 if dtype == torch.float32 else 1e-13
    for density in (0.0, 0.1, 0.5, 1.0):
        spikes, weight, bias, options = make(case, dtype, device, density)
        wanted = reference.spike_conv2d(spikes, weight, bias, **options)
        for name, x in layouts(spikes):
            assert_close(ops.spike_conv2d(x, weight, bias, **options), wanted, name, tolerance)
        packed = ops.pack_spikes(spikes, dim=2)
        ours = ops.spike_conv2d(packed, weight.transpose(0, 1).contiguous().transpose(0, 1), **options)
        assert_close(ours, reference.spike_conv2d(packed, weight, **options), "packed", tolerance)
        assert ours.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_gradients_equal_float64(case, precision, device, tiles):
    spikes, weight, bias, options = make(case, device=device)
    out = reference.spike_conv2d(spikes, weight, bias, **options)
    upstream = torch.randn(out.shape, device=device)
    tensors = [spikes.double(), weight.double(), bias.double()]
    _, wanted = gradients(
        lambda s, w, b: [reference.spike_conv2d(s, w, b, **options)], tensors, [upstream.double()]
    )
    tolerance = FLOAT32 if precision == "float32" else 2e-2
    for name, grad in layouts(upstream):
        _, ours = gradients(
            lambda s, w, b: [ops.spike_conv2d(s, w, b, precision=precision, **options)],
            [spikes, weight, bias],
            [grad],
        )
        for mine, reference_grad in zip(ours, wanted, strict=True):
            assert_close(mine, reference_grad.float(), name, tolerance)


def test_images_without_time():
    spikes, weight, bias, options = make(CASES[1])
    whole = ops.spike_conv2d(spikes, weight, bias, **options)
    flat = ops.spike_conv2d(spikes.flatten(0, 1), weight, bias, **options)
    assert_same(flat, whole.flatten(0, 1), "rank 4")


def test_any_value_but_zero_is_a_spike(device):
    spikes, weight, bias, options = make(CASES[2], device=device)
    loud = spikes * torch.where(torch.rand_like(spikes) < 0.5, -3.0, float("inf")).nan_to_num(posinf=7.0)
    wanted = ops.spike_conv2d(spikes, weight, bias, **options)
    assert_same(ops.spike_conv2d(loud, weight, bias, **options), wanted, "values")


def test_linear_in_the_spikes(device, isa):
    # Disjoint spikes: the sum of two convolutions is the convolution of both.
    _, weight, _, options = make(CASES[2], torch.float64, device)
    first = torch.rand(2, 1, 64, 8, 9, device=device) < 0.2
    second = (torch.rand(2, 1, 64, 8, 9, device=device) < 0.2) & ~first
    parts = [ops.spike_conv2d(s.double(), weight, **options) for s in (first, second)]
    both = ops.spike_conv2d((first | second).double(), weight, **options)
    assert_close(parts[0] + parts[1], both, "sum", 1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_weights_sum_in_float32(dtype, device):
    spikes, weight, bias, options = make(CASES[2], device=device)
    weight, bias = weight.to(dtype), bias.to(dtype)
    ours = ops.spike_conv2d(spikes, weight, bias, **options)
    wanted = ops.spike_conv2d(spikes, weight.float(), bias.float(), **options).to(dtype)
    assert_same(ours, wanted, dtype)
    _, grads = gradients(
        lambda s, w, b: [ops.spike_conv2d(s, w, b, **options)],
        [spikes, weight, bias],
        [torch.ones_like(ours)],
    )
    assert [g.dtype for g in grads] == [torch.float32, dtype, dtype]


def test_bfloat16_rounds_the_operands(device, tiles):
    spikes, weight, bias, options = make(CASES[2], device=device)
    ours = ops.spike_conv2d(spikes, weight, bias, precision="bfloat16", **options)
    assert_close(ours, reference.spike_conv2d(spikes, weight, bias, precision="bfloat16", **options), "sums")
    upstream = torch.randn_like(ours)
    _, (dx, dw) = gradients(
        lambda s, w: [ops.spike_conv2d(s, w, precision="bfloat16", **options)], [spikes, weight], [upstream]
    )
    rounded = [t.bfloat16().double() for t in (spikes, weight, upstream)]
    _, (want_dx, want_dw) = gradients(
        lambda s, w: [reference.spike_conv2d(s, w, **options)], rounded[:2], rounded[2:]
    )
    assert_close(dw, want_dw.float(), "dW")
    assert_close(dx, want_dx.float(), "dX", 5e-3)  # its result may be rounded to bfloat16


def test_int8_is_exact(device):
    spikes = torch.rand(2, 1, 40, 6, 5, device=device) < 0.4
    weight = torch.randint(-128, 128, (10, 40, 3, 3), device=device, dtype=torch.int8)
    bias = torch.randint(-1000, 1000, (10,), device=device, dtype=torch.int32)
    wanted = reference.spike_conv2d(spikes, weight, bias, padding=1)
    assert_same(ops.spike_conv2d(spikes, weight, bias, padding=1), wanted, "int32")
    for scale in (0.25, torch.rand(10, device=device)):
        real = ops.spike_conv2d(spikes, weight, bias, padding=1, scale=scale)
        factor = scale if isinstance(scale, float) else scale.view(-1, 1, 1)
        assert_same(real, wanted * factor, "scaled")


def test_gradcheck(device):
    spikes, weight, bias, _ = make(CASES[1], torch.float64, device)
    packed = ops.pack_spikes(spikes[:1, :1, :, :3, :4], dim=2)
    weight, bias = weight[:2].requires_grad_(), bias[:2].requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w, b: ops.spike_conv2d(packed, w, b, padding=1, stride=2), (weight, bias)
    )


@pytest.mark.parametrize("case", CASES[1:], ids=str)
def test_results_do_not_depend_on_threads(case, isa):
    spikes, weight, bias, options = make(case, density=0.03)
    upstream = torch.randn_like(reference.spike_conv2d(spikes, weight, bias, **options))

    def run():
        outputs, grads = gradients(
            lambda w, b: [ops.spike_conv2d(spikes, w, b, **options)], [weight, bias], [upstream]
        )
        return [*outputs, grads[0]]

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with ops.record_kernels() as ran:
            alone = run()
        torchs = ["onednn" in record.kernel for record in ran]
        for count in (2, 3):
            torch.set_num_threads(count)
            for ours, wanted, by_torch in zip(run(), alone, torchs, strict=True):
                if not by_torch:  # oneDNN splits sums among threads
                    assert_same(ours, wanted, f"{count} threads")
    finally:
        torch.set_num_threads(threads)


def ran(spikes, weight, **options):
    """The kernels of a forward and backward pass."""
    weight = weight.clone().requires_grad_()
    with ops.record_kernels() as records:
        ops.spike_conv2d(spikes.requires_grad_(), weight, **options).sum().backward()
    return {record.operator.removeprefix("spike_conv2d").strip(): record for record in records}


@pytest.mark.parametrize("density, kernel", [(0.02, "event float32"), (0.95, "onednn float32")])
def test_density_chooses_the_kernel(density, kernel, isa):
    spikes, weight, _, options = make(CASES[2], density=density)
    records = ran(spikes, weight, **options)
    assert set(records) == {"", "dW", "dX"}
    for part in ("", "dW"):
        wanted = f"{kernel} {isa}" if kernel.startswith("event") else kernel
        assert isa == "amx" or records[part].kernel == wanted
        assert abs(records[part].density - density) < 0.02
    assert records["dX"].density is None


def test_other_kernels(device):
    names = {part: r.kernel for part, r in ran(*make(CASES[7])[:2], groups=48, padding=1).items()}
    assert names[""].startswith("depthwise float32") and names["dW"].startswith("depthwise float32")
    double = ran(*make(CASES[2], torch.float64)[:2])
    assert double[""].kernel == double["dW"].kernel == "plain float64"


def test_opcheck_and_compile():
    spikes, weight, bias, _ = make(CASES[1])
    packed = ops.pack_spikes(spikes.flatten(0, 1), dim=1)
    carrier = packed.carrier.clone().requires_grad_()
    leaves = (weight.requires_grad_(), bias.requires_grad_())
    op = torch.ops.lampyris.spike_conv2d.default
    check_operator(op, packed.words, carrier, *leaves, 1, 1, 1, "float32")
    check_operator(op, packed.words, carrier, weight, None, 2, 0, 1, "mixed")
    check_compiles(lambda s, w: [ops.spike_conv2d(s, w, padding=1)], spikes, weight.detach())

    def step(s, w):
        out = ops.spike_conv2d(s, w, padding=1)
        return torch.autograd.grad((out * out).sum(), (s, w))

    eager = step(spikes.requires_grad_(), weight)
    torch._dynamo.reset()
    # The product may be formed in another order than eagerly.
    for ours, wanted in zip(torch.compile(step, backend="aot_eager")(spikes, weight), eager, strict=True):
        assert_close(ours, wanted, "compiled backward")


SPIKES = torch.ones(2, 1, 4, 5, 5)
WEIGHT = torch.ones(6, 4, 3, 3)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: ops.spike_conv2d(SPIKES[0, 0], WEIGHT),
            r"spikes must have shape \[T, B, C, H, W\] or \[N, C, H, W\] .*, got \[4, 5, 5\]",
        ),
        (lambda: ops.spike_conv2d(SPIKES[:0], WEIGHT), r"with T, B, N and C >= 1, got \[0, 1, 4, 5, 5\]"),
        (lambda: ops.spike_conv2d(SPIKES[:, :0], WEIGHT), r"T, B, N and C >= 1, got \[2, 0, 4, 5, 5\]"),
        (lambda: ops.spike_conv2d(SPIKES[:, :, :0], WEIGHT), r"C >= 1, got \[2, 1, 0, 5, 5\]"),
        (
            lambda: ops.spike_conv2d(ops.pack_spikes(SPIKES), WEIGHT),
            r"spikes must be packed along C \(dim 2\), got dim 4",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT[0]),
            r"weight must have shape \[Co, C / groups, kh, kw\], got \[4, 3, 3\]",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT[:, :3]),
            r"weight must have shape \[Co, 4, kh, kw\] with Co a multiple of 1 groups, got \[6, 3, 3, 3\]",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT[:, :1], groups=4),
            r"weight must have shape \[Co, 1, kh, kw\] with Co a multiple of 4 groups, got \[6, 1, 3, 3\]",
        ),
        (lambda: ops.spike_conv2d(SPIKES, WEIGHT, groups=3), "groups must divide the 4 channels .*, got 3"),
        (lambda: ops.spike_conv2d(SPIKES, WEIGHT, groups=0), "groups must be >= 1, got 0"),
        (lambda: ops.spike_conv2d(SPIKES, WEIGHT, stride=0), "stride must be >= 1, got 0"),
        (lambda: ops.spike_conv2d(SPIKES, WEIGHT, stride=-1), "stride must be >= 1, got -1"),
        (lambda: ops.spike_conv2d(SPIKES, WEIGHT, padding=-1), "padding must be >= 0, got -1"),
        (
            lambda: ops.spike_conv2d(SPIKES[..., :2, :2], WEIGHT),
            r"weight must have a kernel within the padded maps \[2, 2\], got \[3, 3\]",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT, torch.ones(5)),
            r"bias must have shape \[6\], got \[5\]",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT, torch.ones(6).double()),
            "bias must have dtype float32, got float64",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT.int()),
            "weight must have dtype float32, float64, bfloat16 or float16, got int32",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES.half(), WEIGHT),
            "pack_spikes: spikes must have dtype .*, got float16",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT, scale=0.5),
            "scale must be None without int8 weights, got torch.float32",
        ),
        (
            lambda: ops.spike_conv2d(SPIKES, WEIGHT, precision="float16"),
            "precision must be one of 'float32', 'mixed', 'bfloat16', got 'float16'",
        ),
        (
            lambda: torch.ops.lampyris.spike_conv2d(
                torch.zeros(2, 5, 5, 2, dtype=torch.int32), SPIKES[:, 0], WEIGHT, None, 1, 1, 1, "float32"
            ),
            r"words must have shape \[2, 5, 5, 1\], got \[2, 5, 5, 2\]",
        ),
        (
            lambda: torch.ops.lampyris._spike_conv2d_grad_weight(
                torch.zeros(2, 5, 5, 1, dtype=torch.int32), SPIKES[:, 0], SPIKES[:, 0], WEIGHT,
                1, 1, 1, "float32",
            ),
            r"_spike_conv2d_grad_weight: grad must have shape \[2, 6, 5, 5\], got \[2, 4, 5, 5\]",
        ),
    ],
)  # fmt: skip
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_double_backward():
    weight = WEIGHT.clone().requires_grad_()
    (grad,) = torch.autograd.grad(ops.spike_conv2d(SPIKES, weight).square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="spike_conv2d: must not be differentiated twice"):
        grad.sum().backward()

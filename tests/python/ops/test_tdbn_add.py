from __future__ import annotations

import itertools

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

SHAPES = [
    (1, 1, 1, 1, 2),
    (2, 1, 3, 1, 1),
    (3, 2, 33, 7, 5),
    (4, 2, 64, 5, 4),
    (2, 1, 300, 3, 3),
    (19, 1, 5, 20, 31),
]
SUMS = 2e-6  # float32 sums of at most 128 values, then float64; the reference sums in another order
NEURON = {"decay": 0.25, "threshold": 0.5, "gain": 0.75}


def _inputs(shape, dtype=torch.float64, device="cpu", residual=True):
    channels = shape[2]
    x = torch.randn(shape, dtype=dtype, device=device) * 3 + torch.arange(channels, device=device).view(
        -1, 1, 1
    )
    skip = torch.randn(shape, dtype=dtype, device=device) if residual else None
    weight = torch.rand(channels, dtype=dtype, device=device) + 0.5
    bias = torch.randn(channels, dtype=dtype, device=device)
    return x, skip, weight, bias


def _running(x):
    channels = x.shape[2]
    return x.new_zeros(channels), x.new_ones(channels) * 2


def _present(*tensors):
    return [t for t in tensors if t is not None]


def test_by_hand():
    # channel of values 1 and 3: mean 2, variance 1; then 0.5 y + 0.25 and the residual
    x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
    mean, var = torch.zeros(1), torch.ones(1)
    out = ops.tdbn_add(
        x, torch.ones_like(x), torch.tensor([0.5]), torch.tensor([0.25]), mean, var, training=True, eps=0.0
    )
    assert out.flatten().tolist() == [0.75, 1.75]
    assert mean.item() == pytest.approx(0.2) and var.item() == pytest.approx(1.1)  # unbiased variance 2
    stream, spikes, v = ops.tdbn_add_lif(
        x, None, None, None, None, None, training=True, eps=0.0, decay=0.5, threshold=0.25, output="dense"
    )
    assert stream.flatten().tolist() == [-1.0, 1.0]
    assert spikes.flatten().tolist() == [0.0, 1.0] and v.item() == 0.0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference_in_float64(shape, device, isa):
    for training, residual in itertools.product((True, False), (True, False)):
        inputs = _inputs(shape, device=device, residual=residual)
        for (name, x), (_, skip) in itertools.product(layouts(inputs[0]), layouts(inputs[0] * 0.5)):
            tensors = [x, skip if residual else None, *inputs[2:]]
            upstream = [torch.randn_like(x)]

            def run(op, *t, training=training):
                return [op(*t, *_running(t[0]), training=training)]

            ours = gradients(lambda *t: run(ops.tdbn_add, *t), tensors, upstream)
            expected = gradients(lambda *t: run(reference.tdbn_add, *t), tensors, upstream)
            for a, b in zip(_present(*ours[0], *ours[1]), _present(*expected[0], *expected[1]), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float32_is_accurate(shape, device, isa):
    x, skip, weight, bias = _inputs(shape, torch.float32, device)
    for name, strided in layouts(x):
        running = _running(x)
        ours = ops.tdbn_add(strided, skip, weight, bias, *running, training=True)
        wide = [t.double() for t in (x, skip, weight, bias)]
        exact_running = _running(wide[0])
        exact = reference.tdbn_add(*wide, *exact_running, training=True)
        scale = (strided.abs().max() + 1) * weight.max() / strided.std((0, 1, 3, 4)).min().clamp(min=0.1)
        assert (ours - exact).abs().max() <= SUMS * scale, name
        torch.testing.assert_close(running[0].double(), exact_running[0], rtol=SUMS, atol=SUMS)
        torch.testing.assert_close(running[1].double(), exact_running[1], rtol=1e-5, atol=1e-5)


def test_statistics_survive_a_large_mean(isa):
    """E[x^2] - E[x]^2 in float32 would be off by several times the variance here."""
    x = torch.randn(2, 2, 8, 16, 16) + 3000
    mean, var = torch.zeros(8), torch.zeros(8)
    ops.tdbn_add(x, None, None, None, mean, var, training=True, momentum=1.0)
    exact = x.double()
    torch.testing.assert_close(mean.double(), exact.mean((0, 1, 3, 4)), rtol=1e-7, atol=0)
    torch.testing.assert_close(var.double(), exact.var((0, 1, 3, 4)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("output", ["dense", "packed"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_neurons_are_those_of_lif_on_the_stream(shape, output, device, isa):
    """Bit for bit, in every layout; the stream is the one of tdbn_add."""
    for (reset, membrane), with_stream in itertools.product(
        (("hard", "last"), ("soft", None)), (True, False)
    ):
        inputs = _inputs(shape, torch.float32, device)
        for name, x in layouts(inputs[0]):
            tensors = [x, *inputs[1:]]
            options = {**NEURON, "reset": reset, "membrane": membrane, "output": output}
            stream, spikes, v = ops.tdbn_add_lif(
                *tensors, *_running(x), training=True, stream=with_stream, **options
            )
            expected = ops.tdbn_add(*tensors, *_running(x), training=True)
            want, last = ops.lif(expected, **options)
            assert (stream is not None) == with_stream
            if with_stream:
                assert_same(stream, expected, name)
            if output == "packed":
                assert_same(spikes.words, want.words, name)
            else:
                assert_same(spikes, want, name)
            assert (v is None) == (last is None)
            if v is not None:
                assert_same(v, last, name)


@pytest.mark.parametrize("reset, detach", [("hard", True), ("soft", True), ("soft", False), ("hard", False)])
@pytest.mark.parametrize("steps", [1, 4, 6, 35])
def test_gradients_equal_reference_in_float64(steps, reset, detach, device, isa):
    for with_stream, membrane in ((True, "last"), (False, None), (False, "trace")):
        inputs = _inputs((steps, 2, 6, 5, 3), device=device)
        for name, x in layouts(inputs[0]):
            options = {"reset": reset, "detach_reset": detach, "membrane": membrane, "output": "dense"}
            options.update(NEURON, v_init=None)
            first = torch.randn(x.shape[1:], dtype=x.dtype, device=device)

            def run(op, *t, options=options, with_stream=with_stream):
                out = op(
                    *t[:4], *_running(t[0]), training=True, stream=with_stream, **{**options, "v_init": t[4]}
                )
                return _present(*out)

            tensors = [x, *inputs[1:], first]
            upstream = [torch.randn_like(o) for o in run(reference.tdbn_add_lif, *tensors)]
            ours = gradients(lambda *t: run(ops.tdbn_add_lif, *t), tensors, upstream)
            expected = gradients(lambda *t: run(reference.tdbn_add_lif, *t), tensors, upstream)
            for a, b in zip([*ours[0], *ours[1]], [*expected[0], *expected[1]], strict=True):
                torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("shape", [*SHAPES, (4, 2, 32, 1, 1), (1, 1, 3, 1, 2), (2, 3, 1, 4, 4)], ids=str)
def test_gradient_without_residual_is_the_one_with(shape, device, isa):
    """The gradient of x is then written over dz."""
    x, skip, weight, bias = _inputs(shape, torch.float32, device)
    for name, strided in layouts(x):

        def run(*tensors):
            out = ops.tdbn_add_lif(
                *tensors, *_running(tensors[0]), training=True, stream=False, output="packed", **NEURON
            )
            return [out[1].carrier]

        upstream = [torch.randn_like(x)]
        plain = gradients(lambda *t: run(t[0], None, *t[1:]), [strided, weight, bias], upstream)[1]
        full = gradients(lambda *t: run(*t), [strided, torch.zeros_like(skip), weight, bias], upstream)[1]
        for a, b in zip(plain, [full[0], *full[2:]], strict=True):
            assert_same(a, b, name)


def test_packed_gradients_equal_dense_ones(device):
    x, skip, weight, bias = _inputs((5, 2, 40, 4, 3), torch.float32, device)
    maps = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (5, 2))
    for t in (x, maps):
        upstream = [torch.randn_like(t), torch.randn_like(t)]

        def run(output, *tensors):
            stream, spikes, _ = ops.tdbn_add_lif(
                *tensors, *_running(tensors[0]), training=True, output=output, **NEURON
            )
            return [stream, spikes.carrier if output == "packed" else spikes]

        tensors = [t, skip, weight, bias]
        packed = gradients(lambda *a: run("packed", *a), tensors, upstream)[1]
        dense = gradients(lambda *a: run("dense", *a), tensors, upstream)[1]
        for a, b in zip(packed, dense, strict=True):
            assert_same(a, b, "packed")


def test_learned_parameters_have_gradients():
    x, skip, weight, bias = _inputs((4, 2, 3, 4, 4))
    decay, threshold, gain = (torch.rand(3, 1, 1, dtype=torch.float64) + 0.2 for _ in range(3))

    def run(op, x, decay, threshold, gain):
        out = op(x, skip, weight, bias, None, None, training=True, decay=decay, threshold=threshold,
                 gain=gain, output="dense", membrane=None)  # fmt: skip
        return _present(*out)

    tensors = [x, decay, threshold, gain]
    upstream = [torch.randn_like(x), torch.randn_like(x)]
    ours = gradients(lambda *t: run(ops.tdbn_add_lif, *t), tensors, upstream)[1]
    expected = gradients(lambda *t: run(reference.tdbn_add_lif, *t), tensors, upstream)[1]
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_gradcheck(training):
    x, skip, weight, bias = (t.requires_grad_() for t in _inputs((2, 2, 3, 2, 2)))
    mean, var = torch.randn(3, dtype=torch.float64), torch.rand(3, dtype=torch.float64) + 0.5

    def run(*t):
        return ops.tdbn_add(*t, mean.clone(), var.clone(), training=training)

    def membrane(*t):  # no spike: V is linear in the stream
        out = ops.tdbn_add_lif(
            *t, mean.clone(), var.clone(), training=training, decay=0.5, threshold=1e6, stream=True
        )
        return out[0], out[2]

    assert torch.autograd.gradcheck(run, (x, skip, weight, bias))
    assert torch.autograd.gradcheck(membrane, (x, skip, weight, bias))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_inputs_are_computed_in_float32(dtype):
    x, skip, weight, bias = _inputs((4, 2, 32, 4, 4), torch.float32)
    x, skip = x.to(dtype), skip.to(dtype)
    wide = ops.tdbn_add(x.float(), skip.float(), weight, bias, None, None, training=True)
    assert_same(ops.tdbn_add(x, skip, weight, bias, None, None, training=True), wide.to(dtype), dtype)
    x.requires_grad_()
    stream, spikes, _ = ops.tdbn_add_lif(x, skip, weight, bias, None, None, training=True, **NEURON)
    assert_same(stream, wide.to(dtype), dtype)
    assert_same(spikes.words, ops.lif(wide, **NEURON, output="packed")[0].words, dtype)
    (stream.float().sum() + spikes.carrier.sum()).backward()
    assert x.grad.dtype == dtype


def test_channels_can_be_permuted():
    x, skip, weight, bias = _inputs((3, 2, 48, 4, 4), torch.float32)
    order = torch.randperm(48)

    def run(*t):
        return ops.tdbn_add_lif(*t, *_running(t[0]), training=True, output="dense", **NEURON)[1]

    assert_same(
        run(x[:, :, order], skip[:, :, order], weight[order], bias[order]),
        run(x, skip, weight, bias)[:, :, order],
        "permuted",
    )


def test_backward_keeps_two_bits_a_neuron_step_and_x():
    x, skip, weight, bias = (t.requires_grad_() for t in _inputs((8, 2, 64, 8, 8), torch.float32))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        ops.tdbn_add_lif(x, skip, weight, bias, None, None, training=True, **NEURON)
    steps = {t.data_ptr(): t.numel() * t.element_size() for t in kept if t.numel() >= x.numel() // 4}
    assert sorted(steps.values()) == [x.numel() // 4, x.numel() * 4]
    assert x.data_ptr() in steps


def test_nan_is_not_hidden():
    x = torch.zeros(2, 1, 2, 2, 2)
    x[0, 0, 1, 0, 0] = float("nan")
    out = ops.tdbn_add(x, None, None, None, None, None, training=True)
    assert out[:, :, 1].isnan().all() and not out[:, :, 0].isnan().any()


def test_empty_batch_in_evaluation():
    x = torch.zeros(4, 0, 3, 2, 2)
    stream, spikes, v = ops.tdbn_add_lif(x, None, None, None, *_running(x), training=False, **NEURON)
    assert stream.shape == x.shape and spikes.words.shape == (4, 0, 2, 2, 1) and v.shape == x.shape[1:]


@pytest.mark.parametrize("output", ["dense", "packed"])
def test_opcheck(output):
    for x in (
        torch.randn(3, 2, 33, 4, 4),
        torch.randn(3, 2, 32, 4, 4).to(memory_format=torch.channels_last_3d),
    ):
        x.requires_grad_()
        weight = torch.rand(x.shape[2], requires_grad=True)
        sums = torch.ops.lampyris._tdbn_stats(x.detach())
        moments = torch.ops.lampyris._tdbn_moments(sums, None, None, 0.1, 1e-5)
        lampyris = torch.ops.lampyris
        check_operator(lampyris._tdbn_stats.default, x.detach())
        check_operator(lampyris._tdbn_moments.default, sums, *_running(x.detach()), 0.1, 1e-5)
        check_operator(lampyris.tdbn_add.default, x, x * 2, weight, weight, moments, False, "")
        values = [0.5, 1.0, 1.0, 1.0, 0.0]
        for membrane, stream in (("last", True), ("none", False)):
            options = (values, "hard", True, False, output, membrane, stream, True, False, "")
            neurons = (None, None, None, None, None)
            check_operator(
                lampyris.tdbn_add_lif.default, x, None, weight, weight, moments, *neurons, *options
            )


def test_compiles():
    x, skip, weight, bias = _inputs((3, 2, 32, 4, 4), torch.float32)

    def run(x, mean, var):
        stream, spikes, v = ops.tdbn_add_lif(x, skip, weight, bias, mean, var, training=True, **NEURON)
        return stream, spikes.dense(), v

    check_compiles(lambda x: run(x, None, None), x)
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    ours, eager = _running(x), _running(x)
    leaf, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    sum(o.sum() for o in compiled(leaf, *ours)).backward()
    sum(o.sum() for o in run(other, *eager)).backward()
    for a, b in zip((*ours, leaf.grad), (*eager, other.grad), strict=True):
        assert_same(a, b, "compiled")


def test_double_backward_raises():
    x = torch.randn(2, 1, 3, 2, 2, requires_grad=True)
    out = ops.tdbn_add(x, None, None, None, None, None, training=True)
    (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="tdbn_add: must not be differentiated twice"):
        grad.sum().backward()


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"x": torch.zeros(2, 3)},
            r"tdbn_add: x must have shape \[T, B, C, H, W\] with T, C >= 1, got \[2, 3\]",
        ),
        ({"x": torch.zeros(2, 2, 3, 2, 2).int()}, "x must have dtype float32 or float64, got int32"),
        ({"residual": torch.zeros(2, 2, 3, 2, 1)}, r"residual must have x's shape \[2, 2, 3, 2, 2\], got \["),
        ({"residual": torch.zeros(2, 2, 3, 2, 2).double()}, "residual must have dtype float32, got float64"),
        ({"weight": torch.zeros(4)}, r"tdbn_add: weight must have shape \[C\] = \[3\], got \[4\]"),
        ({"bias": torch.zeros(3).double()}, "tdbn_add: bias must have dtype float32, got float64"),
        ({"running_mean": torch.zeros(4)}, r"running_mean must be float32 or float64 \[C\] = \[3\], got"),
        ({"x": torch.zeros(1, 1, 3, 1, 1)}, "x must have more than 1 value per channel when training"),
        ({"training": False}, "running_mean and running_var must be given unless training, got None"),
        ({"output": "bits"}, "tdbn_add_lif: output must be one of 'dense', 'packed', got 'bits'"),
        ({"membrane": "all"}, "lif: membrane must be one of 'last', 'trace', None, got 'all'"),
        ({"width": 0.0}, "lif: width must be > 0, got 0"),
        ({"v_init": torch.zeros(3)}, r"lif: v_init must have shape x.shape\[1:\] \[2, 3, 2, 2\], got \[3\]"),
    ],
)
def test_error_messages(change, message):
    arguments = {"x": torch.zeros(2, 2, 3, 2, 2), "residual": None, "weight": None, "bias": None}
    arguments.update(running_mean=None, running_var=None, training=True, decay=0.5, threshold=1.0)
    with pytest.raises(ValueError, match=message):
        ops.tdbn_add_lif(**{**arguments, **change})

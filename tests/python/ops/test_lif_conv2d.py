from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, gradients, layouts

from lampyris import ops, reference

# (T, B, C, H, W), Co, kernel, stride, padding, groups
CASES = [
    ((4, 2, 32, 9, 7), 64, 3, 1, 1, 1),
    ((3, 1, 40, 8, 8), 33, 3, 2, 1, 1),
    ((5, 2, 5, 6, 6), 7, 1, 1, 0, 1),
    ((1, 1, 64, 5, 5), 64, 3, 1, 1, 4),
    ((4, 1, 33, 7, 7), 33, 3, 1, 1, 33),
    ((2, 1, 3, 11, 9), 8, 7, 2, 3, 1),
]
RULE = {"decay": 0.5, "threshold": 1.0, "gain": 0.5}
# Sums of some hundred products in float32 in another order; gradients sum more.
BOUNDS = {
    "float32": {"rtol": 1e-4, "atol": 1e-4},
    "mixed": {"rtol": 2e-2, "atol": 0.3},
    "bfloat16": {"rtol": 2e-2, "atol": 0.3},
}


def inputs(case, device):
    shape, out, kernel, _, _, groups = case
    x = torch.randn(shape, device=device) * 1.5
    weight = torch.randn(out, shape[2] // groups, kernel, kernel, device=device)
    return x, weight, torch.randn(out, device=device)


def geometry(case):
    return dict(zip(("stride", "padding", "groups"), case[3:], strict=True))


def test_by_hand():
    x = torch.tensor([0.6, 0.6, 0.6, 1.2]).view(4, 1, 1, 1, 1).requires_grad_()
    weight = torch.full((1, 1, 1, 1), 2.0, requires_grad=True)
    current, v = ops.lif_conv2d(x, weight, torch.tensor([0.5]), decay=0.5, threshold=1.0, membrane="trace")
    assert current.flatten().tolist() == [0.5, 0.5, 2.5, 2.5]
    assert v[2:].flatten().tolist() == [0.0, 0.0]
    current[2].sum().backward()
    # Steps 2, 1 and 0 lie within the window: 2 (1, decay, decay^2); weight: one spike.
    assert x.grad.flatten().tolist() == [0.5, 1.0, 2.0, 0.0]
    assert weight.grad.item() == 1.0


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("precision", ["float32", "mixed", "bfloat16"])
def test_bit_equal_to_lif_then_conv(case, precision, device, isa):
    x, weight, bias = inputs(case, device)
    options = {**geometry(case), "precision": precision}
    for name, maps in layouts(x):
        current, v = ops.lif_conv2d(maps, weight, bias, **RULE, **options)
        spikes, v_two = ops.lif(maps, **RULE, output="packed")
        assert_same(current, ops.spike_conv2d(spikes, weight, bias, **options), name)
        assert_same(v, v_two, name)
        assert current[0].is_contiguous(memory_format=torch.channels_last), name


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("precision", ["float32", "mixed", "bfloat16"])
def test_gradients_equal_reference(case, precision, device, isa):
    x, weight, bias = inputs(case, device)
    channels = x.shape[2], 1, 1
    decay, threshold, gain = ((low + torch.rand(channels, device=device) / 4) for low in (0.4, 0.9, 0.5))
    v_init = torch.randn(x.shape[1:], device=device) / 2

    def run(function, x, weight, bias, decay, threshold, gain, v_init):
        rule = {"decay": decay, "threshold": threshold, "gain": gain, "v_init": v_init}
        return function(x, weight, bias, **rule, **geometry(case), precision=precision)

    for name, maps in layouts(x):
        tensors = [maps, weight, bias, decay, threshold, gain, v_init]
        out, v = run(ops.lif_conv2d, *tensors)
        upstream = [torch.randn(out.shape, device=device) / 8, torch.randn(v.shape, device=device) / 8]
        ours = gradients(lambda *a: run(ops.lif_conv2d, *a), tensors, upstream)
        twin = gradients(lambda *a: run(reference.lif_conv2d, *a), tensors, upstream)
        for mine, want in zip((*ours[0], *ours[1]), (*twin[0], *twin[1]), strict=True):
            torch.testing.assert_close(mine, want, **BOUNDS[precision], msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize(
    "reset, detach_reset", [("hard", True), ("hard", False), ("soft", True), ("soft", False)]
)
def test_gradients_of_every_reset(reset, detach_reset, device):
    case = CASES[0]
    x, weight, _ = inputs(case, device)
    options = {**RULE, **geometry(case), "reset": reset, "detach_reset": detach_reset, "precision": "float32"}
    upstream = [torch.randn(4, 2, 64, 9, 7, device=device) / 8]
    _, ours = gradients(lambda *a: ops.lif_conv2d(*a, **options)[:1], [x, weight], upstream)
    _, want = gradients(lambda *a: reference.lif_conv2d(*a, **options)[:1], [x, weight], upstream)
    for mine, twin in zip(ours, want, strict=True):
        torch.testing.assert_close(mine, twin, **BOUNDS["float32"])


def test_float64_gradient(device):
    """The window's gradient in float64, away from its edges: equal to the reference to rounding."""
    x = torch.randn(3, 1, 4, 5, 5, dtype=torch.float64, device=device)
    weight = torch.randn(6, 4, 3, 3, dtype=torch.float64, device=device)
    upstream = [torch.randn(3, 1, 6, 5, 5, dtype=torch.float64, device=device)]
    options = {**RULE, "padding": 1, "membrane": None}
    _, ours = gradients(lambda *a: ops.lif_conv2d(*a, **options)[:1], [x, weight], upstream)
    _, want = gradients(lambda *a: reference.lif_conv2d(*a, **options)[:1], [x, weight], upstream)
    for mine, twin in zip(ours, want, strict=True):
        torch.testing.assert_close(mine, twin, rtol=1e-12, atol=1e-12)


def test_saves_three_bits_a_neuron_step():
    x = torch.randn(4, 2, 64, 16, 16).requires_grad_()
    weight = torch.randn(64, 64, 3, 3)
    saved = []

    def keep(tensor):
        storage = tensor.untyped_storage()
        saved.append((storage.data_ptr(), storage.nbytes()))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        ops.lif_conv2d(x, weight, padding=1, **RULE)
    known = {t.untyped_storage().data_ptr() for t in (x, weight)}
    extra = sum(size for pointer, size in set(saved) if pointer not in known)
    assert extra <= x.numel() * 3 / 8 + 64


@pytest.mark.parametrize("shape", [(4, 50), (3, 2, 70), (2, 2, 3, 33)], ids=str)
def test_lif_linear(shape, device, isa):
    x, weight = torch.randn(shape, device=device) * 1.5, torch.randn(9, shape[-1], device=device)
    bias = torch.randn(9, device=device)
    for name, currents in layouts(x):
        current, v = ops.lif_linear(currents, weight, bias, **RULE)
        spikes, v_two = ops.lif(currents, **RULE, output="packed")
        assert_same(current, ops.spike_linear(spikes, weight, bias, precision="mixed"), name)
        assert_same(v, v_two, name)
    upstream = [torch.randn(current.shape, device=device), torch.randn(v.shape, device=device)]
    rule = {**RULE, "precision": "float32"}
    _, ours = gradients(lambda *a: ops.lif_linear(*a, **rule), [x, weight, bias], upstream)
    _, want = gradients(lambda *a: reference.lif_linear(*a, **rule), [x, weight, bias], upstream)
    for mine, twin in zip(ours, want, strict=True):
        torch.testing.assert_close(mine, twin, **BOUNDS["float32"])


def test_neurons_say_where_gradients_are_read():
    """lif hands its windows to the convolution for channels_last maps and a rectangle alone."""
    x = torch.randn(4, 1, 64, 6, 6).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    x = x.unflatten(0, (4, 1)).requires_grad_()
    weight = torch.randn(64, 64, 3, 3)

    def kernels(x, **options):
        with ops.record_kernels() as ran:
            current, _ = ops.lif_conv2d(x, weight, padding=1, precision="float32", **RULE, **options)
            current.sum().backward()
        return [r.kernel for r in ran if r.operator == "lif_conv2d dX"]

    assert kernels(x) == ["windows float32"]
    assert kernels(x, surrogate="atan") == kernels(x, detach_reset=False) == []
    assert kernels(x.detach().contiguous().requires_grad_()) == []


def test_compiles_to_one_graph():
    x, weight = torch.randn(2, 1, 8, 5, 5), torch.randn(6, 8, 3, 3)
    check_compiles(lambda *a: [ops.lif_conv2d(*a, padding=1, **RULE)[0]], x, weight)
    check_compiles(lambda *a: [ops.lif_linear(*a, **RULE)[0]], torch.randn(3, 40), torch.randn(5, 40))


@pytest.mark.parametrize(
    "error, call, message",
    [
        (
            ValueError,
            lambda x, w: ops.lif_conv2d(x[0], w, **RULE),
            r"lif_conv2d: x must have shape \[T, B, C, H, W\], got \[1, 4, 5, 5\]",
        ),
        (
            ValueError,
            lambda x, w: ops.lif_linear(x, w[:, :, 0, 0], **RULE),
            r"lif_linear: x must have shape \[T, ..., K\] with 2 to 4 dimensions, got \[2, 1, 4, 5, 5\]",
        ),
        (
            TypeError,
            lambda x, w: ops.lif_conv2d(x, w, **RULE, output="dense"),
            "lif_conv2d: options must not contain output, got 'dense'",
        ),
        (TypeError, lambda x, w: ops.lif_conv2d(x, w, **RULE, leak=1), "leak"),
        (ValueError, lambda x, w: ops.lif_conv2d(x, w[:, :3], **RULE), "weight must have shape"),
        (ValueError, lambda x, w: ops.lif_conv2d(x, w, **RULE, precision="half"), "precision must be one of"),
    ],
)
def test_error_messages(error, call, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(2, 1, 4, 5, 5), torch.zeros(6, 4, 3, 3))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("precision", ["float32", "mixed", "bfloat16"])
def test_gradient_only_where_windows_are_open(case, precision, isa):
    """dX of the windows equals the whole dX there, and is 0 elsewhere or left whole."""
    (steps, batch, *maps), _, _, stride, padding, groups = case
    x, weight, _ = inputs(case, "cpu")
    words = ops.pack_spikes((x > 1).float(), dim=2)
    codes = torch.zeros((steps + 3) // 4, batch, *maps[1:], maps[0], dtype=torch.uint8).movedim(-1, 2)
    open_at = torch.rand(x.shape) < 0.2
    for t in range(steps):
        codes[t // 4] |= open_at[t].to(torch.uint8) << (2 * (t % 4))
    options = {"stride": stride, "padding": padding, "groups": groups, "precision": precision}

    def gradient(windows):
        carrier = words.carrier.clone().requires_grad_()
        spikes = ops.Spikes(words.words, carrier, 2, windows)
        out = ops.spike_conv2d(spikes, weight, **options)
        upstream = torch.randn(out.shape, generator=torch.manual_seed(1))
        return torch.autograd.grad(out, carrier, upstream)[0]

    with ops.record_kernels() as ran:
        ours = gradient(codes)
    whole = gradient(None)
    torch.testing.assert_close(ours[open_at], whole[open_at], **BOUNDS[precision])
    fits = stride == 1 and groups == 1 and weight[:, 0].numel() >= 128
    if fits and precision == "float32":
        assert [r.kernel for r in ran if r.operator == "lif_conv2d dX"] == ["windows float32"]
        assert not ours[~open_at].any()


def test_opcheck_of_windows():
    spikes = ops.pack_spikes((torch.rand(4, 1, 32, 5, 5) < 0.2).float(), dim=2)
    codes = torch.randint(0, 2, (1, 1, 5, 5, 32), dtype=torch.uint8).movedim(-1, 2)
    weight = torch.randn(8, 32, 3, 3, requires_grad=True)
    words, carrier = spikes.words.flatten(0, 1), spikes.carrier.flatten(0, 1).clone().requires_grad_()
    geometry = 1, 1, 1, "float32"
    check_operator(torch.ops.lampyris._window_conv2d.default, words, carrier, codes, weight, None, *geometry)
    grad = torch.randn(4, 8, 5, 5)
    arguments = carrier.detach(), codes, grad, weight.detach(), *geometry
    check_operator(torch.ops.lampyris._window_conv2d_grad_input.default, *arguments)
    with pytest.raises(ValueError, match=r"codes must have shape \[ceil\(T / 4\), B, C, H, W\]"):
        torch.ops.lampyris._window_conv2d_grad_input(arguments[0], codes.contiguous(), *arguments[2:])

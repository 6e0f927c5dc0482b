from __future__ import annotations

import pytest
import torch
from operator_harness import assert_same, check_compiles, check_operator, layouts

from lampyris import ops, reference

# maps, output channels, kernel, geometry
CASES = [
    ((1, 1, 1, 1, 1), 1, (1, 1), {}),
    ((4, 2, 64, 9, 7), 64, (3, 3), {"padding": 1}),
    ((3, 2, 33, 6, 8), 40, (3, 3), {"padding": 1, "stride": 2}),
    ((2, 1, 16, 5, 5), 70, (1, 1), {}),
    ((2, 3, 48, 6, 5), 48, (3, 3), {"padding": 1, "groups": 48}),
    ((5, 1, 12, 40, 40), 33, (3, 3), {"padding": 1, "groups": 3}),
]
NEURONS = [
    {"decay": 0.25, "threshold": 300.0},
    {"decay": 1.0, "threshold": 211.0, "inclusive": True},
    {"decay": 0.5, "gain": 0.5, "threshold": 150.0, "reset": "soft"},
    {"decay": 0.5, "threshold": 90.0, "reset": "none", "v_reset": 12.0},
]


def make(case, form, device="cpu"):
    shape, out, kernel, geometry = case
    spikes = ops.pack_spikes((torch.rand(shape, device=device) < 0.2), dim=2)
    group_in = shape[2] // geometry.get("groups", 1)
    weight = torch.randint(-128, 128, (out, group_in, *kernel), device=device)
    current = reference.spike_conv2d(spikes, weight.to(torch.int8), **geometry)
    bias = torch.randint(-200, 200, (out,), device=device)
    residual = torch.randint(-400, 400, current.shape, device=device)
    if form == "exact":
        return spikes, weight.to(torch.int8), bias.to(torch.int32), residual.to(torch.int16), geometry
    # Quarters: every order of summation gives the same float32, whichever kernel spike_conv2d takes.
    weight = weight.to(torch.int8) if form == "scaled" else weight / 4
    return spikes, weight, bias / 4, residual / 4, geometry


def composed(spikes, weight, bias, residual, geometry, neuron, scale=None, shift=0):
    """The public operators one after the other."""
    if weight.dtype == torch.int8 and scale is None:
        x = ops.spike_conv2d(spikes, weight, **geometry).long() << shift
        x = x if bias is None else x + bias.view(-1, 1, 1)
        x = (x if residual is None else x + residual).clamp(-(2**15), 2**15 - 1).to(torch.int16)
        fired, v = ops.lif(x.float(), rounding="floor", output="packed", **neuron)
        return fired, v, x
    if scale is None:
        x = ops.spike_conv2d(spikes, weight, bias, **geometry)
    else:
        x = ops.spike_conv2d(spikes, weight, scale=scale, **geometry)
        x = x if bias is None else x + bias.view(-1, 1, 1)
    x = x if residual is None else x + residual
    fired, v = ops.lif(x, output="packed", **neuron)
    return fired, v, x


def assert_equal(ours, wanted, case):
    assert_same(ours[0].words, wanted[0].words, f"{case} spikes")
    assert_same(ours[1], wanted[1], f"{case} membrane")
    assert_same(ours[2], wanted[2], f"{case} stream")


def test_by_hand():
    # Two steps of one neuron: P = 1 (channel 0), then 2 (channel 1); X = (P << 2) + 3 - 2.
    spikes = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(2, 1, 2, 1, 1)
    weight = torch.tensor([1, 2], dtype=torch.int8).view(1, 2, 1, 1)
    residual = torch.full((2, 1, 1, 1, 1), -2, dtype=torch.int16)
    fired, v, x = ops.spike_conv_lif(
        spikes, weight, torch.tensor([3], dtype=torch.int32), decay=0.5, threshold=11.0, residual=residual,
        shift=2, stream=True, membrane=True,
    )  # fmt: skip
    # V = 5, then U = floor(2.5) + 9 computed as floor(2.5 + 9) = 11: not above the threshold.
    assert x.flatten().tolist() == [5, 9] and v.item() == 11.0
    assert fired.dense().flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("form", ["exact", "scaled", "float32"])
@pytest.mark.parametrize("neuron", NEURONS, ids=str)
def test_equals_the_operators_it_fuses(case, form, neuron, device, isa):
    spikes, weight, bias, residual, geometry = make(case, form, device)
    options = {"scale": 0.37} if form == "scaled" else {}
    for b, a in ((bias, residual), (None, None)):
        ours = ops.spike_conv_lif(
            spikes, weight, b, residual=a, stream=True, membrane=True, **neuron, **geometry, **options
        )
        wanted = composed(spikes, weight, b, a, geometry, neuron, **options)
        assert_equal(ours, wanted, form)
        alone = ops.spike_conv_lif(spikes, weight, b, residual=a, **neuron, **geometry, **options)
        assert_same(alone[0].words, ours[0].words, "without stream")
        assert alone[1] is None and alone[2] is None
    if form != "float32":  # the reference's float64 sums are exact too
        wanted = reference.spike_conv_lif(
            spikes, weight, bias, residual=residual, stream=True, membrane=True,
            **neuron, **geometry, **options,
        )  # fmt: skip
        ours = ops.spike_conv_lif(
            spikes, weight, bias, residual=residual, stream=True, membrane=True,
            **neuron, **geometry, **options,
        )  # fmt: skip
        assert_equal(ours, wanted, "reference")


def test_real_weights_equal_the_event_kernel(device, isa):
    spikes, weight, bias, residual, geometry = make(CASES[1], "float32", device)
    weight = torch.randn_like(weight)
    with ops.record_kernels() as ran:
        wanted = composed(spikes, weight, bias, residual, geometry, NEURONS[0])
    ours = ops.spike_conv_lif(
        spikes, weight, bias, residual=residual, stream=True, membrane=True, **NEURONS[0], **geometry
    )
    if any(record.kernel.startswith("event") for record in ran):
        assert_equal(ours, wanted, "event")
    else:  # sums in another order
        assert (ours[2] - wanted[2]).abs().max() <= 1e-5 * wanted[2].abs().max()


def test_clamps_and_saturates(device, isa):
    spikes = torch.ones(6, 1, 64, 3, 3, device=device)
    for value, bound in ((127, 2**15 - 1), (-128, -(2**15))):
        weight = torch.full((32, 64, 3, 3), value, dtype=torch.int8, device=device)
        for shift in (0, 4):
            ours = ops.spike_conv_lif(
                spikes,
                weight,
                decay=1.0,
                threshold=131071.0,
                shift=shift,
                padding=1,
                stream=True,
                membrane=True,
            )
            wanted = composed(
                spikes, weight, None, None, {"padding": 1}, {"decay": 1.0, "threshold": 131071.0}, shift=shift
            )
            assert_equal(ours, wanted, value)
            assert ours[2][0, 0, 0, 1, 1].item() == bound
            assert ours[1][0, 0, 1, 1].item() == (2**17 - 1 if value > 0 else -(2**17))


def test_parameters_per_channel(device, isa):
    spikes, weight, bias, residual, geometry = make(CASES[2], "exact", device)
    channels = weight.shape[0]
    neuron = {
        "decay": torch.tensor([0.25, 0.5], device=device).repeat(channels // 2).view(-1, 1, 1),
        "threshold": torch.arange(100.0, 100.0 + channels, device=device).view(-1, 1, 1),
        "gain": torch.tensor(1.0, device=device),
    }
    v_init = torch.randint(-90, 90, residual.shape[1:], device=device).float()
    ours = ops.spike_conv_lif(
        spikes,
        weight,
        bias,
        residual=residual,
        v_init=v_init,
        stream=True,
        membrane=True,
        **neuron,
        **geometry,
    )
    wanted = composed(spikes, weight, bias, residual, geometry, {**neuron, "v_init": v_init})
    assert_equal(ours, wanted, "per channel")
    flat = {name: p.flatten() if p.dim() else p for name, p in neuron.items()}
    again = ops.spike_conv_lif(spikes, weight, bias, residual=residual, v_init=v_init, **flat, **geometry)
    assert_same(again[0].words, ours[0].words, "flat")


def test_layouts_and_dense_input(device):
    spikes, weight, bias, residual, geometry = make(CASES[1], "exact", device)
    options = {**NEURONS[0], **geometry, "stream": True, "membrane": True}
    wanted = ops.spike_conv_lif(spikes, weight, bias, residual=residual, **options)
    for name, x in layouts(residual):
        assert_equal(ops.spike_conv_lif(spikes.dense(), weight, bias, residual=x, **options), wanted, name)
    assert wanted[2].flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_continues_from_its_membrane(device):
    spikes, weight, bias, residual, geometry = make(CASES[1], "exact", device)
    dense = spikes.dense()
    options = {**NEURONS[0], **geometry, "membrane": True}
    whole = ops.spike_conv_lif(dense, weight, bias, residual=residual, **options)
    first = ops.spike_conv_lif(dense[:1], weight, bias, residual=residual[:1], **options)
    rest = ops.spike_conv_lif(dense[1:], weight, bias, residual=residual[1:], v_init=first[1], **options)
    assert_same(torch.cat([first[0].words, rest[0].words]), whole[0].words, "spikes")
    assert_same(rest[1], whole[1], "membrane")


def test_threads_do_not_change_spikes():
    spikes, weight, bias, residual, geometry = make(CASES[5], "float32")
    before = torch.get_num_threads()
    words = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            out = ops.spike_conv_lif(spikes, weight, bias, residual=residual, **NEURONS[0], **geometry)
            words.append(out[0].words)
    finally:
        torch.set_num_threads(before)
    assert_same(*words, "threads")


def test_opcheck_and_compile():
    spikes, weight, bias, residual, geometry = make(CASES[2], "exact")
    stride, padding = geometry["stride"], geometry["padding"]
    values = [0.25, 300.0, 1.0, 1.0, 0.0]
    check_operator(
        torch.ops.lampyris.spike_conv_lif.default, spikes.words, spikes.carrier, weight, bias, residual,
        None, None, None, None, None, values, "hard", False, False, 1, stride, padding, 1, True, True,
    )  # fmt: skip
    check_compiles(
        lambda s, w: list(
            ops.spike_conv_lif(s, w, decay=0.25, threshold=300.0, membrane=True, stream=True, **geometry)[1:]
        ),
        spikes.dense(),
        weight,
    )


def test_is_not_differentiable():
    weight = torch.ones(1, 1, 1, 1, requires_grad=True)
    _, v, _ = ops.spike_conv_lif(torch.ones(1, 1, 1, 1, 1), weight, decay=0.5, threshold=3.0, membrane=True)
    with pytest.raises(RuntimeError, match="spike_conv_lif: is an inference operator, got a backward"):
        v.sum().backward()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"residual": torch.zeros(1)}, r"residual must have shape \[2, 1, 4, 5, 5\], got \[1\]"),
        ({"residual": torch.zeros(2, 1, 4, 5, 5)}, "residual must have dtype int16, got float32"),
        ({"bias": torch.zeros(4)}, "bias must have dtype int32, got float32"),
        ({"decay": torch.zeros(3)}, r"decay must be a number or have one value a channel \[4\], got \[3\]"),
        ({"shift": 5}, "shift must be 0, or up to 4 with int8 weights without scale, got 5"),
        ({"reset": "zero"}, "reset must be one of 'hard', 'soft', 'none', got 'zero'"),
        ({"v_init": torch.zeros(1, 4, 5, 6)}, r"v_init must have shape \[1, 4, 5, 5\], got \[1, 4, 5, 6\]"),
        ({"weight": torch.ones(4, 3, 1, 1), "scale": 2.0}, "scale must be None without int8 weights"),
        ({"weight": torch.ones(4, 3, 1, 1).double()}, "weight must have dtype float32 or int8, got float64"),
        ({"spikes": torch.zeros(3, 5, 5)}, r"spikes must have shape \[T, B, C, H, W\], got \[3, 5, 5\]"),
    ],
)
def test_error_messages(options, message):
    arguments = {
        "spikes": torch.zeros(2, 1, 3, 5, 5),
        "weight": torch.ones(4, 3, 1, 1, dtype=torch.int8),
        "decay": 0.5,
        "threshold": 3.0,
        **options,
    }
    with pytest.raises(ValueError, match="spike_conv_lif: " + message):
        ops.spike_conv_lif(arguments.pop("spikes"), arguments.pop("weight"), **arguments)

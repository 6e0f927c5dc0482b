"""The residual families: published sizes and costs, what each option changes, heads, ablation blocks."""

from __future__ import annotations

import pytest
import torch

from lampyris import models, nn, ops

PARAMETERS = {  # two classes, eighty classes
    ("wide", 10, None): (17_381_482, 17_561_662),
    ("wide", 18, None): (15_247_594, 15_427_774),
    ("wide", 34, None): (33_847_274, 34_027_454),
    ("wide", 34, "cat"): (25_268_842, 25_449_022),
    ("lite", 10, None): (6_207_050, 6_387_230),
    ("lite", 18, None): (9_343_370, 9_523_550),
    ("lite", 34, None): (14_399_306, 14_579_486),
}
PUBLISHED = {  # millions, of the same
    ("wide", 10, None): (17.38, 17.56),
    ("wide", 18, None): (15.25, 15.43),
    ("wide", 34, None): (33.85, 34.03),
    ("wide", 34, "cat"): (25.27, 25.45),
    ("lite", 10, None): (6.207, 6.39),
    ("lite", 18, None): (9.34, 9.52),
    ("lite", 34, None): (14.399, 14.58),
}
# GMAC per time step at 640 x 640: stem, blocks, SiLU convolutions, outputs; released order, 80 classes
GIGAMACS = {
    ("wide", 10, None): (0.963, 13.455, 0, 0.157),
    ("wide", 18, None): (0.963, 14.739, 1.887, 0.157),
    ("wide", 34, None): (0.963, 35.946, 0, 0.157),
    ("wide", 34, "cat"): (0.963, 29.996, 1.887, 0.157),
    ("lite", 10, None): (0.088, 5.751, 0, 0.157),
    ("lite", 34, None): (0.088, 17.075, 0, 0.157),
}
TOTAL_320 = {  # GMAC per step at 320 x 320, two classes
    ("wide", 10, None): 3.61,
    ("wide", 18, None): 4.40,
    ("wide", 34, None): 9.23,
    ("lite", 10, None): 1.46,
    ("lite", 18, None): 2.41,
    ("lite", 34, None): 4.29,
}


def build(key, **options):
    family, depth, variant = key
    return models.ems_yolo(depth, family, variant=variant, **{"num_classes": 2, **options})


def image(size=64, channels=3, batch=1):
    torch.manual_seed(0)
    return torch.randint(0, 256, (batch, channels, size, size), dtype=torch.uint8)


def macs(model, scale):
    """Multiply-accumulates of a step at (64 sqrt(scale))^2 pixels by layer: every stride divides 64."""
    found = {}

    def count(name):
        def hook(conv, arguments, out):
            found[name] = conv.weight.numel() * out.shape[-2] * out.shape[-1] * scale

        return hook

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count(name))
    with torch.no_grad():
        model(image())
    return found


@pytest.mark.parametrize("key", PARAMETERS)
def test_parameters_are_the_published_ones(key):
    counts = []
    for classes in (2, 80):
        with torch.device("meta"):
            sizes = {
                full: sum(p.numel() for p in build(key, num_classes=classes, full_spike=full).parameters())
                for full in (True, False)
            }
        assert sizes[True] == sizes[False]
        counts.append(sizes[True])
    assert tuple(counts) == PARAMETERS[key]
    for count, millions in zip(counts, PUBLISHED[key], strict=True):
        digits = len(str(millions).partition(".")[2])
        assert round(count / 1e6, digits) == millions


@pytest.mark.parametrize("key", GIGAMACS)
def test_operations_are_the_published_ones(key):
    model = build(key, num_classes=80, full_spike=False, block_order="released", time_steps=1)
    silu = tuple(name for name, m in model.named_modules() if isinstance(m, nn.SiLUConv))
    parts = dict.fromkeys(("stem", "blocks", "silu", "outputs"), 0)
    for name, count in macs(model, 100).items():
        stem, output = name.startswith("stem."), name.startswith("head.outputs.")
        part = "stem" if stem else "outputs" if output else "silu" if name.startswith(silu) else "blocks"
        parts[part if silu or part != "silu" else "blocks"] += count
    assert tuple(round(count / 1e9, 3) for count in parts.values()) == GIGAMACS[key]


@pytest.mark.parametrize("key", TOTAL_320)
def test_operations_at_320(key):
    total = sum(macs(build(key, block_order="released", time_steps=1), 25).values())
    assert round(total / 1e9, 2) == TOTAL_320[key]


def test_paper_order_saves_three_quarters_of_the_concatenating_shortcuts():
    """EMS-Block2 pools 2 x 2 before its 1 x 1 convolution, not after."""
    costs = {
        order: macs(build(("wide", 34, "cat"), block_order=order, time_steps=1), 1)
        for order in ("paper", "released")
    }
    changed = [name for name in costs["paper"] if costs["paper"][name] != costs["released"][name]]
    assert changed == [f"stages.{stage}.0.shortcut.conv" for stage in (1, 2, 3)]
    assert all(4 * costs["paper"][name] == costs["released"][name] for name in changed)


def not_spikes(model):
    """Names of convolutions that read anything but 0 and 1, the stem aside."""
    found = []

    def hook(name):
        def look(conv, arguments):
            x = arguments[0]
            if not bool(((x == 0) | (x == 1)).all()):
                found.append(name)

        return look

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and not name.startswith("stem"):
            module.register_forward_pre_hook(hook(name))
    with torch.no_grad():
        model(image(batch=2))
    return found


OUTPUTS = ["head.outputs.0.out", "head.outputs.1.out"]


@pytest.mark.parametrize("head", ["anchors", "anchor_free"])
@pytest.mark.parametrize("key", PARAMETERS)
def test_full_spike_lets_every_convolution_read_spikes(key, head):
    assert not_spikes(build(key, time_steps=2, head=head).train()) == []


@pytest.mark.parametrize(
    "key, real",
    [
        (("wide", 10, None), []),
        (("wide", 18, None), ["head.coarse.conv", "head.merges.0.block.conv"]),
        (("wide", 34, "cat"), ["head.coarse.conv", "head.merges.0.block.conv"]),
        (
            ("lite", 10, None),
            ["head.merges.0.block.shortcut.0", "head.merges.0.lateral.shortcut.0", "head.top.shortcut.0"],
        ),
    ],
)
def test_released_files_convolve_currents(key, real):
    assert sorted(not_spikes(build(key, time_steps=2, full_spike=False).train())) == sorted([*real, *OUTPUTS])


@pytest.mark.parametrize("block", ["ms", "sew"])
def test_ablation_blocks_multiply_numbers_in_their_shortcuts(block):
    found = not_spikes(build(("lite", 18, None), time_steps=2, block=block).train())
    assert "stages.1.0.shortcut.0" in found


@pytest.mark.parametrize("block", ["sew", "ms", "plain"])
@pytest.mark.parametrize("family", ["wide", "lite"])
def test_ablation_blocks_learn(block, family):
    model = build((family, 10, None), block=block, time_steps=2)
    sum(y.square().sum() for y in model(image(batch=2))).backward()
    # a norm's bias behind dead surrogates may miss; every convolution must be reached
    dead = [n for n, p in model.named_parameters() if p.dim() == 4 and (p.grad is None or not p.grad.any())]
    assert dead == []


def test_two_scale_head():
    model = models.ems_yolo34(num_classes=3, time_steps=2)
    assert model.strides == (16, 32) and model.stride == 32 and model.head_format == "anchors"
    assert [list(y.shape) for y in model(image(96))] == [[1, 24, 6, 6], [1, 24, 3, 3]]
    assert model.anchors.tolist() == [
        [[10, 14], [23, 27], [37, 58]],
        [[81, 82], [135, 169], [344, 319]],
    ]
    bias = model.head.outputs[0].out.bias.view(3, 8)
    objectness = torch.tensor(8 / (640 / 16) ** 2).log()
    assert torch.equal(bias[:, 4], objectness.expand(3))
    assert torch.equal(bias[:, 5:], torch.tensor(0.3).log().expand(3, 3))
    assert not bias[:, :4].any()


def test_three_scale_head():
    model = models.ems_yolo18(num_classes=3, time_steps=2, head="anchor_free")
    assert model.strides == (8, 16, 32) and model.head_format == "anchor_free" and model.anchors is None
    assert [list(y.shape) for y in model(image())] == [[1, 7, 8, 8], [1, 7, 4, 4], [1, 7, 2, 2]]


def test_single_scale_families_describe_their_head_alike():
    model = models.ems_yolo()
    assert model.strides == (8,) and model.head_format == "cells" and model.anchors is None


def test_last_membrane_is_the_leaky_sum_of_the_outputs():
    model = build(("lite", 10, None), readout="last", time_steps=3)
    seen = {}
    for index, output in enumerate(model.head.outputs):
        output.out.register_forward_hook(lambda m, a, out, index=index: seen.update({index: out}))
    with torch.no_grad():
        results = model(image())
    for index, result in enumerate(results):
        first, second, third = seen[index]
        assert torch.equal(result, (first * 0.25 + second) * 0.25 + third)


def test_mean_and_last_differ_only_in_the_read_out():
    mean, last = build(("lite", 10, None)), build(("lite", 10, None), readout="last")
    assert list(mean.state_dict()) == list(last.state_dict())


def test_time_steps_at_run_time():
    torch.manual_seed(0)
    model = build(("lite", 10, None), time_steps=1).train()
    one = model(image(batch=2))[0]
    nn.set_time_steps(model, 4)
    assert model.time_steps == 4
    assert not torch.equal(model(image(batch=2))[0], one)


def test_integer_spikes_are_their_binary_expansion():
    """Every convolution of an I-LIF network gives for counts what it gives for D binary steps, summed."""
    torch.manual_seed(0)
    model = build(("lite", 10, None), neuron="ilif", max_spikes=4, time_steps=2).train()
    checked, largest = [], 0
    neurons = {id(m): m for m in model.modules() if isinstance(m, nn.ILIF)}
    assert len(neurons) > 20

    def compare(conv, arguments, out):
        nonlocal largest
        counts = arguments[0]
        largest = max(largest, int(counts.max()))
        spikes = ops.ilif_expand(counts.contiguous(), 4)
        assert bool(((spikes == 0) | (spikes == 1)).all())
        assert torch.equal(spikes.unflatten(0, (2, 4)).sum(1), counts)
        # integers of the weight: the sums are exact in any order
        weight = (conv.weight.double() * 2**12).round()
        once = torch.nn.functional.conv2d(
            counts.flatten(0, 1).double(), weight, None, conv.stride, conv.padding
        )
        steps = torch.nn.functional.conv2d(
            spikes.flatten(0, 1).double(), weight, None, conv.stride, conv.padding
        )
        steps = steps.unflatten(0, (2, 4, counts.shape[1])).sum(1).flatten(0, 1)
        assert torch.equal(once, steps)
        checked.append(conv)

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and not name.startswith("stem"):
            module.register_forward_hook(compare)
    with torch.no_grad():
        model(image(batch=2))
    assert largest > 1
    assert len(checked) == 26


def test_most_spikes_per_step_at_run_time():
    model = build(("lite", 10, None), neuron="ilif", max_spikes=4, time_steps=2).train()
    nn.set_max_spikes(model, 1)
    assert not_spikes(model) == []
    nn.set_max_spikes(model, 3)
    assert len(not_spikes(model)) > 0


@pytest.mark.parametrize("key", [("wide", 34, "cat"), ("lite", 10, None)])
def test_options_rebuild_the_model(key):
    model = build(key, head="anchor_free", readout="last", full_spike=False, block_order="released")
    again = models.ems_yolo(**model.options)
    assert [str(m) for m in again.modules()] == [str(m) for m in model.modules()]
    assert again.options == model.options


@pytest.mark.parametrize("depth, make", [(10, models.ems_yolo10), (18, models.ems_yolo18)])
def test_short_names(depth, make):
    with torch.device("meta"):
        assert make(num_classes=2).options["depth"] == depth
        assert make(family="wide").options["family"] == "wide"


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((), {"family": "lite"}, "depth .and variant. of family lite must be one of 10, 18, 34, got None"),
        ((50, "wide"), {}, "must be one of 10, 18, 34, 34 'cat', got 50"),
        ((18, "wide"), {"variant": "cat"}, "must be one of 10, 18, 34, 34 'cat', got 18 'cat'"),
        ((10,), {}, "depth must be None for family tiny, got 10"),
        ((), {"block": "sew"}, "block must be ems for family tiny, got 'sew'"),
        ((), {"head": "anchors"}, "head must be one of cells for family tiny, got 'anchors'"),
        ((10, "lite"), {"head": "cells"}, "head must be one of anchors, anchor_free for family lite"),
        ((10, "lite"), {"readout": "first"}, "readout must be one of mean, last, got 'first'"),
        ((10, "lite"), {"neuron": "relu"}, "neuron must be one of lif, ilif, got 'relu'"),
        ((10, "lite"), {"block": "resnet"}, "block must be one of ems, sew, ms, plain, got 'resnet'"),
        ((10, "lite"), {"block_order": "code"}, "block_order must be one of paper, released, got 'code'"),
        ((10, "lite"), {"image_size": 100}, "image_size must be a multiple of 32, got 100"),
    ],
)
def test_errors(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        models.ems_yolo(*arguments, **options)

"""From float networks to exact ones: folding, frozen numbers, plans, checkpoints, refusals."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
import torch

from lampyris import compress, models, nn
from lampyris.compress.folding import fold_norm


class Net(torch.nn.Module):
    """Stem, body, LIF, output."""

    def __init__(self, body, channels, neuron=nn.LIF, p=8, **layers):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Stem(3, 8, time_steps=1, input_exponent=p)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.lif = neuron()
        self.out = nn.Conv2d(channels, 5, 1, bias=True)
        self.mean = nn.TimeMean()
        self.body = body

    def forward(self, x):
        return self.mean(self.out(self.lif(self.body(self, self.stem(x)))))


def scale(conv, largest):
    with torch.no_grad():
        conv.weight.mul_(largest / conv.weight.abs().max())


def identity_norms(model, bias=0.0):
    """Norms that fold to W' = W, b' = bias."""
    for module in model.modules():
        if isinstance(module, nn.TDBatchNorm2d):
            module.eps = 0.0
            torch.nn.init.ones_(module.weight)
            torch.nn.init.constant_(module.bias, bias)


def images(size=16, batch=2):
    return torch.randint(
        0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def prepare(model, example=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = images() if example is None else example
        return compress.prepare(model, compress.ExactConfig(**options), example)


def trained(family="tiny", **options):
    """A detector with uneven norms and moving statistics, as after training."""
    torch.manual_seed(3)
    model = models.ems_yolo(family=family, **options)
    generator = torch.Generator().manual_seed(4)
    for module in model.modules():
        if isinstance(module, nn.TDBatchNorm2d):
            shape = module.weight.shape
            module.weight.data = torch.rand(shape, generator=generator) + 0.3
            module.bias.data = torch.randn(shape, generator=generator) * 0.2 + 0.2
            module.running_mean.copy_(torch.randn(shape, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(shape, generator=generator) + 0.2)
    return model.eval()


def test_folding_is_rounded_once_from_float64():
    conv, norm = torch.nn.Conv2d(3, 4, 3, bias=True), torch.nn.BatchNorm2d(4)
    for tensor in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        tensor.uniform_(0.1, 3.0)
    w, b = fold_norm(conv.weight, conv.bias, norm)

    def as64(tensor):
        return tensor.detach().double().numpy()

    v = as64(norm.weight) / np.sqrt(as64(norm.running_var) + norm.eps)
    assert (w.numpy() == (as64(conv.weight) * v[:, None, None, None]).astype(np.float32)).all()
    want = ((as64(conv.bias) - as64(norm.running_mean)) * v + as64(norm.bias)).astype(np.float32)
    assert (b.numpy() == want).all()
    x = torch.randn(1, 3, 5, 5)
    assert torch.allclose(torch.nn.functional.conv2d(x, w, b), norm.eval()(conv(x)), atol=1e-5)


def test_group_steps_and_shifts_by_hand():
    """EMS-Block1, MS: one group of three convolutions with maxima 0.8, 0.2, 0.1 -> S = 3."""
    net = Net(lambda s, x: s.ms(s.e1(x)), 16, e1=nn.EMSBlock1(8, 16), ms=nn.MSBlock(16))
    identity_norms(net)
    scale(net.stem.conv, 0.4)
    scale(net.e1.branch[0].conv, 0.3)
    scale(net.e1.branch[1].conv, 0.8)
    scale(net.e1.shortcut.conv, 0.2)
    scale(net.ms.branch[0].conv, 0.3)
    scale(net.ms.branch[1].conv, 0.1)
    plan = prepare(net)
    groups = {g["name"]: g for g in plan["groups"]}
    main = groups["e1.branch.1.conv"]
    # floor(2^3 * 127.5 * 0.5 / float32(0.8)) = 637 (0.8 in float32 is above 0.8)
    assert (main["theta"], main["span"], main["bound"]) == (637, 3, "weights")
    shifts = {n["name"]: n["shift"] for n in plan["nodes"] if n["op"] == "conv"}
    assert shifts == {
        "e1.branch.0.conv": 0,
        "e1.branch.1.conv": 3,
        "e1.shortcut.conv": 1,
        "ms.branch.0.conv": 0,
        "ms.branch.1.conv": 0,
    }
    stem = next(n for n in plan["nodes"] if n["op"] == "stem")
    # alone: Theta 256; k = floor(log2(127.5 * 0.5 / 256 * 256 / 0.4)) = floor(log2 159.4)
    assert (stem["theta"], stem["k"]) == (256, 7)
    network = compress.integer_network(net)
    assert abs(network.node("e1.branch.1.conv").arrays["weight"]).max() == 127
    assert abs(network.node("ms.branch.1.conv").arrays["weight"]).max() == 127  # 0.1 * 637 / 0.5 = 127.4
    assert network.node("ms.branch.1.conv").inputs == ("ms.branch.1.lif", "e1.branch.1.conv")
    assert network.node("ms.branch.1.conv").params["add"] == "ms.add"
    assert [n.name for n in network.nodes].index("e1.shortcut.conv") < [n.name for n in network.nodes].index(
        "e1.branch.1.conv"
    )


def test_quantized_integers_are_the_contracts_formulas():
    model = trained()
    folded = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.LCB):
            folded[f"{name}.conv"] = fold_norm(module.conv.weight, None, module.norm)
    folded["stem"] = fold_norm(model.stem.conv.weight, None, model.stem.norm)
    folded["head.out"] = (model.head.out.weight.detach(), model.head.out.bias.detach())
    plan = prepare(model, calibration_name="noise")
    network = compress.integer_network(model)
    shifts = set()
    for entry in plan["nodes"]:
        if entry["op"] not in ("stem", "conv", "output"):
            continue
        arrays = network.node(entry["name"]).arrays
        w, b = (x.double().numpy() for x in folded[entry["name"]])
        if entry["op"] == "conv":
            theta, v, s = entry["theta"], entry["v_th"], entry["shift"]
            shifts.add(s)
            want = np.clip(np.rint((w * theta) / (v * 2**s)), -127, 127), np.rint((b * theta) / v)
        elif entry["op"] == "stem":
            theta, v, k = entry["theta"], entry["v_th"], entry["k"]
            assert k == math.floor(math.log2(127.5 * (v / theta) * 256 / abs(w).max()))
            want = (
                np.clip(np.rint((w * 2.0 ** (k - 8) * theta) / v), -127, 127),
                np.rint((b * 2.0**k * theta) / v),
            )
        else:
            step = np.maximum(abs(w).reshape(len(w), -1).max(1) / 127, abs(b) / 32767)
            assert (arrays["step"] == step).all()
            want = np.clip(np.rint(w / step[:, None, None, None]), -127, 127), np.rint(b / step)
        assert (arrays["weight"] == want[0]).all()
        assert (arrays["bias"] == want[1]).all()
    assert len(shifts) > 1


def test_stem_inside_a_group():
    net = Net(lambda s, x: s.ms(x), 8, ms=nn.MSBlock(8))
    identity_norms(net)
    scale(net.stem.conv, 0.5)
    scale(net.ms.branch[1].conv, 0.25)
    scale(net.ms.branch[0].conv, 0.25)
    plan = prepare(net)
    group = plan["groups"][0]
    # the stem enters as 0.5 / 256; Theta = 127.5 * 0.5 / 0.25 = 255
    assert (group["name"], group["theta"], group["span"]) == ("stem", 255, 0)
    assert group["max_bias"] == 0.0
    stem = plan["nodes"][1]
    assert (stem["theta"], stem["k"]) == (255, 7)  # 127.5 * 0.5 / 255 * 256 / 0.5 = 128


def test_stem_of_counts_can_be_the_maximum_of_its_group():
    net = Net(lambda s, x: s.ms(x), 8, p=0, ms=nn.MSBlock(8))
    identity_norms(net)
    scale(net.stem.conv, 1.0)
    for lcb in net.ms.branch:
        scale(lcb.conv, 0.125)
    plan = prepare(net, images() % 2)
    # Theta = floor(127.5 * 0.5 / 1.0) = 63, S = 0, k = floor(log2(127.5 * 0.5 / 63)) = 0
    assert (plan["groups"][0]["theta"], plan["groups"][0]["span"], plan["nodes"][1]["k"]) == (63, 0, 0)


def test_bias_and_stream_bounds_name_what_forced_them():
    net = Net(lambda s, x: s.a(x), 8, a=nn.LCB(8, 8))
    identity_norms(net)
    scale(net.a.conv, 0.3)
    net.a.norm.bias.data.fill_(-900.0)
    with pytest.warns(UserWarning) as caught:
        plan = compress.prepare(net, compress.ExactConfig(), images())
    group = plan["groups"][1]
    assert group["max_stream"] > 890
    assert group["theta"] == math.floor(16383 * 0.5 / group["max_stream"]) == 9
    assert group["bound"] == "stream"
    texts = [str(w.message) for w in caught]
    assert "group a.conv: Theta = 9 is below 16, forced by currents up to 900.6" in texts
    assert "a.conv: max|q_W| = 5 is below 32, forced by the stream of group a.conv (Theta 9)" in texts
    assert plan["warnings"] == texts

    net = Net(lambda s, x: s.a(x), 8, a=nn.LCB(8, 8))
    identity_norms(net)
    scale(net.a.conv, 0.3)
    net.a.norm.bias.data[0] = 1e5
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ValueError, match=r"a.conv: group has Theta = 0, forced by its bias"):
        prepare(net)
    assert isinstance(net.a.conv, nn.Conv2d) and not isinstance(net.a.conv, compress.ExactConv2d)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_readers_with_different_thresholds():
    layers = {"a": nn.LCB(8, 8), "b": nn.LCB(8, 8), "cat": nn.Concat()}
    net = Net(lambda s, x: s.cat(s.a(x), s.b(x)), 16, neuron=lambda: nn.LIF(threshold=1.0), **layers)
    net.b.lif = nn.LIF(threshold=0.7, inclusive=True)
    identity_norms(net)
    scale(net.a.conv, 0.3)
    scale(net.b.conv, 0.5)
    prepare(net)
    network = compress.integer_network(net)
    # the stem's readers are at 0.5 and 0.7: V_th 0.5, Theta 256; 0.7 * 256 / 0.5 = 358.4, inclusive: 357
    assert network.node("a.lif").arrays["threshold"].tolist() == [256] * 8
    assert network.node("b.lif").arrays["threshold"].tolist() == [357] * 8
    # the joined reader has one threshold per source: 127.5 / 0.3 = 424.99.. and 127.5 / 0.5 = 255
    assert network.node("lif").arrays["threshold"].tolist() == [424] * 8 + [255] * 8


def test_plan_rebuilds_the_model_and_loads_strictly(tmp_path):
    model = trained()
    plan = prepare(model, images(32), class_names=tuple("0123456789"))
    path = tmp_path / "exact.pt"
    torch.save({"plan": plan, "state": model.state_dict()}, path)
    content = torch.load(path, weights_only=True)
    fresh = compress.apply_plan(models.ems_yolo(), json.loads(json.dumps(content["plan"])))
    fresh.load_state_dict(content["state"], strict=True)
    x = images(32)
    with torch.no_grad():
        assert torch.equal(fresh.eval()(x), model(x))
    assert compress.integer_network(fresh).class_names == tuple("0123456789")
    assert fresh.time_steps == 4


def test_wrong_plans_and_checkpoints():
    model = trained()
    plan = prepare(model)
    with pytest.raises(ValueError, match=r"plan: format must be 'lampyris.plan', got None"):
        compress.apply_plan(models.ems_yolo(), {"nodes": []})
    with pytest.raises(
        ValueError, match=r"apply_plan: model must have the plan's LIF 'blocks.0.branch.0.lif', got none"
    ):
        compress.apply_plan(models.ems_yolo(family="v1"), plan)
    wide = models.ems_yolo(num_classes=3)
    with pytest.raises(ValueError, match=r"apply_plan: 'head.out' must have"):
        compress.apply_plan(wide, plan)
    assert not any(isinstance(m, compress.ExactConv2d) for m in wide.modules())
    with pytest.raises(ValueError, match="apply_plan: model must be a float model"):
        compress.apply_plan(model, plan)
    with pytest.raises(ValueError, match="prepare: model must be a float model"):
        prepare(model)
    with pytest.raises(ValueError, match="plan_of: model must be exact"):
        compress.integer_network(models.ems_yolo())
    other = json.loads(json.dumps(plan))
    next(n for n in other["nodes"] if n["name"] == "head.hidden.conv")["theta"] += 1
    with pytest.raises(
        ValueError, match=r"exact checkpoint: head.hidden.conv must have theta = \d+ as in the plan"
    ):
        compress.apply_plan(models.ems_yolo(), other).load_state_dict(model.state_dict())


def test_float_and_exact_agree_closely():
    model = trained()
    x = images(32)
    nn.set_time_steps(model, 4)
    with torch.no_grad():
        real = model(x)
        prepare(model, x)
        exact = model(x)
    # spikes of an untrained network flip at the slightest change: only the outputs' likeness is asked for
    assert torch.corrcoef(torch.stack([real.flatten(), exact.flatten()]))[0, 1] > 0.9


def test_gradients_are_the_float_ones_where_nothing_rounds():
    """Weights, biases and currents on the integer grid and neurons without leak: float and exact forward are
    equal, so the straight-through gradients must be those of the float network."""
    generator = torch.Generator().manual_seed(5)
    net = Net(
        lambda s, x: s.b(s.a(x)) + x, 8, nn.IF, a=nn.LCB(8, 8, neuron=nn.IF), b=nn.LCB(8, 8, neuron=nn.IF)
    )
    identity_norms(net)
    convs = [net.stem.conv, net.a.conv, net.b.conv]
    for conv in convs:
        with torch.no_grad():
            grid = torch.randint(-20, 21, conv.weight.shape, generator=generator)
            grid.view(-1)[0] = 127
            # in the group of Theta 64 the stem gets k = 9 and q = W 256; the others q = W 128
            conv.weight.copy_(grid // 4 / 64 if conv is net.stem.conv else grid / 128)
    for norm in (net.a.norm, net.b.norm):
        norm.bias.data = torch.randint(-40, 41, (8,), generator=generator) / 128
    with torch.no_grad():
        net.out.weight.copy_(torch.randint(-127, 128, net.out.weight.shape, generator=generator) / 64)
        net.out.weight[:, 0] = 127 / 64
        net.out.bias.copy_(torch.randint(-30, 31, (5,), generator=generator) / 64)
    x = images(8) // 128 * 128  # with weights in multiples of 4: the stem's shift by 9 rounds nothing
    net.eval()
    nn.set_time_steps(net, 4)
    leaves = [net.stem.conv.weight, net.a.conv.weight, net.b.conv.weight, net.out.weight, net.out.bias]
    leaves += [net.stem.norm.bias, net.a.norm.bias, net.b.norm.bias]
    real = net(x)
    slope = torch.randn(real.shape, generator=generator)
    want = torch.autograd.grad((real * slope).sum(), leaves)

    plan = prepare(net, x)
    assert {g["theta"] for g in plan["groups"]} == {64}
    assert next(n["k"] for n in plan["nodes"] if n["op"] == "stem") == 9
    exact = net(x)
    assert torch.equal(exact, real)
    leaves = [net.stem.weight, net.a.conv.weight, net.b.conv.weight, net.out.weight, net.out.bias]
    leaves += [net.stem.bias, net.a.conv.bias, net.b.conv.bias]
    for ours, theirs in zip(torch.autograd.grad((exact * slope).sum(), leaves), want, strict=True):
        assert theirs.abs().max() > 0
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda n: setattr(n.lif, "decay", 0.9),
            r"lif: has \(decay, gain\) = \(0.9, 1\); remedy: on ems train with",
        ),
        (
            lambda n: setattr(n.lif, "decay", torch.rand(8)),
            r"lif: has \(decay, gain\) = \(a tensor \[8\], 1\)",
        ),
        (
            lambda n: setattr(n.lif, "reset", "soft"),
            "lif: has reset 'soft' to 0; remedy: train with hard reset",
        ),
        (lambda n: setattr(n.lif, "threshold", -1.0), "lif: has threshold -1"),
        (lambda n: setattr(n, "pool", nn.MaxPool2d(4)), "pool: pools 4 x 4; remedy: use MaxPool2d"),
        (lambda n: setattr(n.a, "conv", nn.Conv2d(8, 8, 3, groups=8)), "a.conv: is grouped"),
        (lambda n: setattr(n, "out", nn.Conv2d(33000, 5, 1, bias=True)), "out: must read 33000 channels"),
    ],
)
def test_refused_settings(change, message):
    net = Net(lambda s, x: s.pool(s.a(x)), 8, a=nn.LCB(8, 8), pool=nn.MaxPool2d(2))
    change(net)
    with pytest.raises(ValueError, match=message):
        prepare(net)


def test_all_problems_are_listed_at_once():
    net = Net(lambda s, x: s.a(x), 8, a=nn.LCB(8, 8))
    net.lif.reset = "soft"
    net.a.lif.decay = 0.3
    with pytest.raises(ValueError, match=r"a\.lif: has \(decay.*\| lif: has reset 'soft'"):
        prepare(net)


def test_v1_refuses_streams_and_leaks():
    with pytest.raises(
        ValueError, match=r"blocks.0.add: \(add\) needs a stored stream; remedy: use target ems"
    ):
        prepare(models.ems_yolo(family="tiny"), target="v1")
    with pytest.raises(ValueError, match=r"on v1 train with \(1, 1\) or \(0.5, 0.5\);?"):
        prepare(models.ems_yolo(family="v1", decay=0.25), target="v1")


def test_v1_steps():
    for decay, gain, leak in ((1.0, 1.0, "none"), (0.5, 0.5, "half_after")):
        model = trained("v1", decay=decay, gain=gain)
        plan = prepare(model, images(16), target="v1")
        assert all(len(g["convs"]) == 1 and g["span"] == 0 for g in plan["groups"])
        network = compress.integer_network(model)
        assert network.node("blocks.0.lif").params["leak"] == leak
        assert not network.node("blocks.0.conv").params["saturate"]


def test_config_errors():
    with pytest.raises(ValueError, match="ExactConfig: target must be one of ems, v1, got 'v2'"):
        compress.ExactConfig("v2")
    with pytest.raises(ValueError, match="ExactConfig: time_steps must be >= 1, got 0"):
        compress.ExactConfig(time_steps=0)
    with pytest.raises(ValueError, match="prepare: calibration must give at least one batch"):
        prepare(models.ems_yolo(), calibration=[])


def test_calibration_takes_pairs_and_counts():
    model = trained()
    plan = prepare(
        model, calibration=[(images(), []), (images(batch=3), []), images()], calibration_batches=2
    )
    assert plan["calibration"] == {"name": "example", "batches": 2, "images": 5}

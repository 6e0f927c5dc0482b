"""Blocks on the fused path: when they take it, and that nothing but the order of sums changes."""

from __future__ import annotations

import copy

import pytest
import torch

from lampyris import compress, models, nn, ops, reference
from lampyris.capture import capture

BLOCKS = {
    "lcb": lambda: nn.LCB(33, 40),
    "lcb pooled": lambda: nn.LCB(32, 40, 1, pool=True),
    "lcb stride 2": lambda: nn.LCB(16, 40, stride=2),
    "if": lambda: nn.LCB(16, 24, neuron=nn.IF),
    "soft": lambda: nn.MSBlock(32, neuron=lambda: nn.LIF(0.5, gain=0.5, reset="soft")),
    "rest": lambda: nn.MSBlock(32, neuron=lambda: nn.LIF(v_reset=-0.25)),
    "state": lambda: nn.MSBlock(16, neuron=lambda: nn.LIF(detach_reset=False)),
    "ms": lambda: nn.MSBlock(32),
    "ems1": lambda: nn.EMSBlock1(32, 48),
    "ems2": lambda: nn.EMSBlock2(32, 64),
    "ems2 released": lambda: nn.EMSBlock2(16, 40, order="released"),
    "ems2 stride 1": lambda: nn.EMSBlock2(16, 40, stride=1),
}
SUMS = 2e-5  # float32 sums in another order: of K = 9 x 48 weights, of statistics, of gradients


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def currents(block, steps=4, side=8):
    channels = next(m for m in block.modules() if isinstance(m, nn.Conv2d)).in_channels
    return torch.randn(steps, 2, channels, side, side)


def twins(make):
    block = make()
    other = copy.deepcopy(block)
    nn.set_fused(other, False)
    return block, other


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", BLOCKS)
def test_fused_equals_layer_by_layer(name, training):
    """Outputs and every gradient; the seed has no current within SUMS of a threshold."""
    block, other = twins(BLOCKS[name])
    block.train(training)
    other.train(training)
    assert nn.takes_fused_path(block) and not nn.takes_fused_path(other)
    x = currents(block)
    for layout in (
        x,
        x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2]),
    ):
        ours, plain = layout.clone().requires_grad_(), layout.clone().requires_grad_()
        out, expected = block(ours), other(plain)
        torch.testing.assert_close(out, expected, rtol=SUMS, atol=SUMS)
        upstream = torch.randn_like(expected)
        out.backward(upstream)
        expected.backward(upstream)
        pairs = [(ours.grad, plain.grad)]
        pairs += [(p.grad, q.grad) for p, q in zip(block.parameters(), other.parameters(), strict=True)]
        for a, b in pairs:
            torch.testing.assert_close(a, b, rtol=SUMS, atol=SUMS * float(b.abs().max()))
        for a, b in zip(block.buffers(), other.buffers(), strict=True):
            torch.testing.assert_close(a, b, rtol=SUMS, atol=SUMS)


def test_in_float64_they_are_equal():
    block, other = twins(BLOCKS["ems1"])
    x = currents(block).double()
    torch.testing.assert_close(block.double()(x), other.double()(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_spikes_are_equal(training, monkeypatch):
    """Inside a branch and after every block, against layers and the reference neuron: no flip on this seed.

    A current flips only when the rounding of another order of sums carries it over the threshold.
    """
    inside = []

    def recording(*args, **kwargs):
        out = tdbn_add_lif(*args, **kwargs)
        inside.append(out[1].dense())
        return out

    tdbn_add_lif = ops.tdbn_add_lif
    monkeypatch.setattr(ops, "tdbn_add_lif", recording)
    widths = nn.EMSBlock1(16, 32), nn.MSBlock(32), nn.EMSBlock2(32, 64), nn.MSBlock(64)
    hidden, compared = currents(widths[0], side=16), 0
    with torch.no_grad():
        for block in widths:
            block.train(training)
            plain = copy.deepcopy(block)
            fired = []
            plain.branch[1].lif.register_forward_hook(lambda _, __, out, fired=fired: fired.append(out))
            after, expected = block(hidden), plain(hidden)
            assert torch.equal(inside.pop(), fired.pop())
            spikes = [reference.lif(current, 0.25, 0.5)[0] for current in (after, expected)]
            assert torch.equal(*spikes)
            compared += 2 * spikes[0].numel()
            hidden = after
    assert compared > 90_000


def test_hooks_switch_it_off():
    hooks = [
        lambda m: m.register_forward_hook(lambda *_: None),
        lambda m: m.register_forward_pre_hook(lambda *_: None),
        lambda m: m.register_full_backward_hook(lambda *_: None),
        lambda m: m.register_full_backward_pre_hook(lambda *_: None),
    ]
    block = nn.EMSBlock2(8, 24)
    for name, child in block.named_modules():
        for register in hooks if child is not block else []:
            handle = register(child)
            assert nn.reason(block) == f"{name} has hooks"
            handle.remove()
            assert nn.reason(block) is None
    handle = block.register_forward_hook(lambda *_: None)  # its own are called whatever it does inside
    assert nn.takes_fused_path(block)
    handle.remove()
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert nn.reason(block) == "there are global hooks"
    handle.remove()


def test_monitors_see_every_layer():
    model = torch.nn.Sequential(nn.MSBlock(8), nn.EMSBlock1(8, 16))
    x = currents(model)
    with nn.monitor(model) as record:
        watched = model(x)
    assert len(record.rates) == 5
    torch.testing.assert_close(model(x), watched, rtol=SUMS, atol=SUMS)


def test_streaming_pieces_equal_the_whole():
    model = torch.nn.Sequential(nn.MSBlock(8), nn.EMSBlock1(8, 16)).eval()
    x = currents(model)
    with nn.streaming(model):
        pieces = torch.cat([model(x[:1]), model(x[1:])])
    torch.testing.assert_close(model(x), pieces, rtol=SUMS, atol=SUMS)


def test_what_else_switches_it_off():
    def after(change):
        block = nn.MSBlock(8)
        change(block)
        return nn.reason(block)

    def set_in(path, name, value):
        return lambda block: setattr(block.get_submodule(path), name, value)

    class Other(nn.LIF):
        pass

    assert after(lambda b: setattr(b, "fused", False)) == "fused is off"
    assert after(set_in("branch.0", "lif", Other())) == "branch.0.lif is a Other"
    assert after(set_in("branch.1", "lif", nn.PLIF())) is None
    assert after(set_in("branch.1", "norm", torch.nn.Identity())) == "branch.1.norm is a Identity"
    assert after(set_in("branch.0.conv", "dilation", (2, 2))).startswith("branch.0.conv has options")
    assert after(set_in("branch.0.conv", "stride", (2, 1))).startswith("branch.0.conv has options")
    assert after(set_in("branch.0.norm", "momentum", None)).startswith("branch.0.norm has options")
    assert after(lambda b: b.half()) == "parameters are torch.float16"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert nn.reason(nn.MSBlock(8)) == "autocast is on"
    block = nn.MSBlock(8)
    torch.nn.utils.parametrize.register_parametrization(block.branch[0].conv, "weight", torch.nn.Tanh())
    assert nn.reason(block) is not None
    inner = nn.EMSBlock1(8, 16)
    inner.branch[0].lif = Other()
    assert nn.takes_fused_path(inner.shortcut) and not nn.takes_fused_path(inner)


def test_exact_mode_switches_it_off():
    model = models.ems_yolo(family="tiny", num_classes=3, time_steps=2)
    example = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    assert all(nn.takes_fused_path(m) for m in model.modules() if hasattr(m, "fused"))
    compress.prepare(model, compress.ExactConfig(), example)
    assert not any(nn.takes_fused_path(m) for m in model.modules() if hasattr(m, "fused"))


def test_capture_export_and_compile():
    model = models.ems_yolo(family="tiny", num_classes=3, time_steps=2).eval()
    example = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    plain = copy.deepcopy(model)
    nn.set_fused(plain, False)
    names = lambda m: list(capture(m, example).nodes)  # noqa: E731
    assert names(model) == names(plain)
    assert nn.takes_fused_path(model.blocks[0])
    expected = model(example)
    torch.testing.assert_close(expected, plain(example), rtol=SUMS, atol=SUMS)
    exported = torch.export.export(model, (example,)).module()
    assert torch.equal(exported(example), expected)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(example), expected)


def test_state_dict_does_not_know():
    for make in BLOCKS.values():
        block = make()
        assert not any("fused" in key for key in block.state_dict())


def test_errors_are_those_of_the_layers():
    block = nn.LCB(4, 4, 1, pool=True)
    for fused in (True, False):
        nn.set_fused(block, fused)
        with pytest.raises(ValueError, match="MaxPool2d: x must have H and W that are multiples of 2"):
            block(torch.zeros(2, 1, 4, 3, 4))
        with pytest.raises(ValueError, match=r"must have shape \[T, B, C, H, W\], got \[2, 4\]"):
            nn.LCB(4, 4, fused=fused)(torch.zeros(2, 4))


def test_training_a_detector_gives_the_same_losses():
    """Flips of single spikes make trajectories part slowly; five steps stay within 1e-3."""
    losses = {}
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    for fused in (True, False):
        torch.manual_seed(0)
        model = models.ems_yolo(family="tiny", num_classes=3, time_steps=4)
        nn.set_fused(model, fused)
        optimizer = torch.optim.SGD(model.parameters(), 0.05)
        losses[fused] = []
        for _ in range(5):
            optimizer.zero_grad()
            loss = (model(images) - 1).square().mean()
            loss.backward()
            optimizer.step()
            losses[fused].append(loss.item())
    assert losses[True][-1] < losses[True][0]
    torch.testing.assert_close(torch.tensor(losses[True]), torch.tensor(losses[False]), rtol=1e-3, atol=0)

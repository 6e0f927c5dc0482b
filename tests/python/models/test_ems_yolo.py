"""Ready-made detectors: sizes, tracing, T at run time, refusals."""

from __future__ import annotations

import pytest
import torch

from lampyris import models, nn


@pytest.mark.parametrize(
    "family, classes, parameters", [("tiny", 10, 378_910), ("v1", 10, 163_678), ("tiny_events", 2, 182_854)]
)
def test_parameters_and_shape(family, classes, parameters):
    model = models.ems_yolo(num_classes=classes, family=family, image_size=80)
    assert sum(p.numel() for p in model.parameters()) == parameters
    images = torch.zeros(2, model.in_channels, 80, 80, dtype=torch.uint8)
    assert model(images).shape == (2, 4 + classes, 10, 10)
    assert model.stride == 8


class Tracer(torch.fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, nn.LAYERS)


@pytest.mark.parametrize("family", models.FAMILIES)
def test_forward_is_layers_and_sums(family):
    graph = Tracer().trace(models.ems_yolo(num_classes=2, family=family))
    calls = {node.target for node in graph.nodes if node.op == "call_function"}
    assert calls <= {torch.add, __import__("operator").add}
    assert not [node for node in graph.nodes if node.op == "call_method"]


def test_v1_is_a_chain_of_3x3_stride_1_integrate_and_fire():
    model = models.ems_yolo(family="v1", num_classes=10)
    inner = [m for m in model.blocks.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.kernel_size == (3, 3) and m.stride == (1, 1) and m.bias is None for m in inner)
    assert {m.decay for m in model.modules() if isinstance(m, nn.LIF)} == {1.0}
    leaky = models.ems_yolo(family="v1", num_classes=10, decay=0.5, gain=0.5)
    assert {(m.decay, m.gain) for m in leaky.modules() if isinstance(m, nn.LIF)} == {(0.5, 0.5)}


def test_time_steps_at_run_time():
    torch.manual_seed(0)
    model = models.ems_yolo(
        num_classes=10, time_steps=1
    )  # batch statistics: a fresh network in evaluation is silent
    image = torch.randint(0, 256, (1, 3, 80, 80), dtype=torch.uint8)
    one = model(image)
    nn.set_time_steps(model, 4)
    assert model.time_steps == 4
    four = model(image)
    assert one.shape == four.shape and not torch.equal(one, four)


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = models.ems_yolo(num_classes=10, time_steps=2)
    model(torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_options_rebuild_the_model():
    model = models.ems_yolo(family="v1", num_classes=3, in_channels=2, time_steps=6)
    again = models.ems_yolo(**model.options)
    assert {n: v.shape for n, v in model.state_dict().items()} == {
        n: v.shape for n, v in again.state_dict().items()
    }
    assert again.time_steps == 6 and again.num_classes == 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"family": "huge"}, "family must be one of tiny, tiny_events, v1, wide, lite, got 'huge'"),
        ({"num_classes": 0}, "num_classes must be >= 1, got 0"),
        ({"time_steps": 0}, "time_steps must be >= 1, got 0"),
        ({"image_size": 81}, "image_size must be a multiple of 8, got 81"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        models.ems_yolo(**options)

"""compress -> export -> verify on every published network: scales, bottlenecks, 7 x 7 stems, clamps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lampyris import capture, compress, deploy, firefly, models

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "detection"))

from random_detectors import NETWORKS, make_exact, make_loud, prove, random_detector

LITE = ("lite", 10, None)


def proved(key, size=64, loud=False, **options):
    model, images = random_detector(key, size, **options)
    make_exact(model, images)
    if loud:
        make_loud(model)
    report, clamped = prove(model, images)
    assert report.ok, report.summary()
    assert report.differences == 0
    assert report.implementations == ("forward", "reference", "device")
    assert min(report.rates.values()) > 0.02
    return report, clamped


@pytest.mark.parametrize("key", NETWORKS)
def test_published_networks(key):
    _, clamped = proved(key)
    assert clamped < 0.01


@pytest.mark.parametrize("key", [LITE, ("wide", 10, None)])
def test_more_than_one_percent_of_the_currents_clamps(key):
    _, clamped = proved(key, loud=True)
    assert clamped > 0.01


@pytest.mark.parametrize(
    "key, options",
    [
        (("wide", 34, "cat"), {"num_classes": 80}),
        (LITE, {"head": "anchor_free", "num_classes": 3}),
        (LITE, {"block_order": "released"}),
        (LITE, {"block": "plain"}),
        (LITE, {"decay": 0.5, "time_steps": 2}),
    ],
)
def test_variants(key, options):
    proved(key, **options)


def test_not_square_and_batched():
    model, images = random_detector(LITE, 64, batch=2, time_steps=2)
    images = images[..., :32]
    make_exact(model, images)
    report, _ = prove(model, images)
    assert report.ok, report.summary()


def test_the_image_names_every_output(tmp_path):
    model, images = random_detector(LITE, 64, time_steps=2, head="anchor_free")
    make_exact(model, images)
    image = firefly.load(deploy.export(model).save(tmp_path / "image.safetensors"))
    names = [f"head.outputs.{i}.out" for i in range(3)]
    found = [image.plan["host_output"], *image.plan["further_outputs"]]
    assert [output["name"] for output in found] == names
    result = firefly.Driver(firefly.Device()).run(image, images[0].numpy())
    with torch.no_grad():
        maps = model(images)
    for name, ours in zip(names, maps, strict=True):
        assert np.array_equal(result.readout(name).astype(np.float32), ours[0].numpy())


def test_a_single_output_has_no_further_ones():
    model = make_exact(*random_detector_tiny())
    assert "further_outputs" not in deploy.export(model).plan


def random_detector_tiny():
    torch.manual_seed(0)
    return models.ems_yolo().eval(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)


def test_outputs_are_given_once_and_known():
    program = firefly.Program(time_steps=1)
    x = program.input("x", channels=1, height=2, width=2)
    s = program.neuron("s", x, threshold=0)
    weight = np.ones((1, 1, 1, 1), np.int8)
    for name in ("a", "b"):
        program.output(name, s, weight, np.zeros(1, np.int16))
        program.host_output(name, step=np.ones(1))
    with pytest.raises(ValueError, match='host_output: name must be given once, got "b" again'):
        program.host_output("b", step=np.ones(1))
    image = program.build()
    plan = image.plan["further_outputs"]
    for broken, message in (
        ([{**plan[0], "name": "a"}], "must be another int32 map"),
        ([{**plan[0], "step": ["0x0p+0"]}], "must be finite and above 0"),
        ([], "must be left out or have entries"),
    ):
        image.plan["further_outputs"] = broken
        with pytest.raises(ValueError, match=message):
            firefly.Driver(firefly.Device()).run(image, np.zeros((1, 1, 2, 2), np.int16))


@pytest.mark.parametrize(
    "options, layer, reason",
    [
        ({"full_spike": False}, "head.top.shortcut.0", "must read spikes, got stream"),
        (
            {"family": "wide", "depth": 18, "full_spike": False},
            "head.coarse.conv",
            "must read spikes, got str",
        ),
        ({"neuron": "ilif"}, "stages.0.0.branch.0.lif", "emits up to 4 spikes a step"),
        ({"readout": "last"}, "head.outputs.0.mean", "reads the last membrane"),
        ({"block": "sew"}, "stages.0.0.add", "must add streams, got spikes and stream"),
    ],
)
def test_what_cannot_be_exported_is_named(options, layer, reason):
    options = {"family": "lite", "depth": 10, "time_steps": 2, **options}
    model = models.ems_yolo(**options)
    example = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    found = deploy.explain(model, "ems", example=example)
    assert not found.ok
    match = [v for v in found.violations if v.layer == layer]
    assert match and reason in match[0].reason, [(v.layer, v.reason) for v in found.violations]
    assert all(v.remedy for v in found.violations)
    with pytest.raises((ValueError, capture.CaptureError)):
        compress.prepare(model, compress.ExactConfig(), example)


def test_capture_of_a_deep_network_is_quick():
    """Depths are counted once: walking every path doubled the time with each block."""
    import time

    model = models.ems_yolo(34, "wide", variant="cat")
    start = time.process_time()
    capture.capture(model, torch.zeros(1, 3, 640, 640, dtype=torch.uint8))
    assert time.process_time() - start < 10  # it was 30 s; now a fraction of one

"""explain: exact and float models, all violations at once, prices."""

from __future__ import annotations

import json

import integer_networks
import pytest
import torch

from lampyris import deploy, models, nn

IMAGES = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)


def test_float_models_that_fit():
    for family, target in [("tiny", "ems"), ("v1", "v1"), ("v1", "ems")]:
        found = deploy.explain(models.ems_yolo(family=family), target, example=IMAGES)
        assert found.ok, found.violations
        assert found.timing is not None
        assert any("float model" in note for note in found.notes)


def test_exact_network_has_prices():
    network, _ = integer_networks.residual_network()
    found = deploy.explain(network, "ems")
    assert found.ok
    assert found.timing is not None
    assert json.loads(json.dumps(found.to_json()))["ok"]


def test_violations_and_prices_as_tables(capsys):
    from rich.console import Console

    network, _ = integer_networks.residual_network()
    console = Console(width=250)
    console.print(deploy.explain(network, "ems").table())
    assert "e1.c1" in capsys.readouterr().out
    console.print(deploy.explain(network, "v1").table())
    assert "a residual" in capsys.readouterr().out


def test_every_layer_of_a_float_model_is_named():
    model = models.ems_yolo(family="tiny")
    model.blocks[0].branch[0].lif = nn.LIF(0.3)
    model.blocks[1].branch[0].lif = nn.LIF(0.25, reset="soft")
    model.blocks[2].branch[0].conv = nn.Conv2d(96, 96, 3, groups=96)
    model.head.hidden.conv = torch.nn.Conv2d(96, 96, 3)
    found = deploy.explain(model, "ems", example=IMAGES)
    reasons = {violation.layer: violation.reason for violation in found.violations}
    assert "(decay, gain) must be one of" in reasons["blocks.0.branch.0.lif"]
    assert "reset must be hard to 0, got soft" in reasons["blocks.1.branch.0.lif"]
    assert "groups must be 1, got 96" in reasons["blocks.2.branch.0.conv"]
    assert "torch.nn" in reasons["head.hidden.conv"]
    assert found.timing is None
    assert all(violation.remedy for violation in found.violations)


def test_tiny_model_on_v1():
    found = deploy.explain(models.ems_yolo(family="tiny"), "v1", example=IMAGES)
    layers = {violation.layer for violation in found.violations}
    assert {"blocks.0.branch.0.conv", "blocks.0.shortcut.conv", "blocks.1.concat", "head.lif"} <= layers


def test_without_example_only_layers_are_checked():
    found = deploy.explain(models.ems_yolo(family="tiny"), "ems")
    assert found.ok
    assert found.timing is None
    assert any("no example" in note for note in found.notes)


def test_odd_image_size():
    found = deploy.explain(models.ems_yolo(family="tiny"), "ems", example=IMAGES[:, :, :20, :20])
    assert not found.ok


def test_unknown_target():
    with pytest.raises(ValueError, match="target must be one of v1, ems"):
        deploy.explain(models.ems_yolo(), "v3")

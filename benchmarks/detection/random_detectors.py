"""Random detectors whose neurons fire, made exact: what the chain from training to FireFly is proved on."""

from __future__ import annotations

import warnings

import torch

from lampyris import compress, deploy, models, nn

NETWORKS = tuple(key for key in models.RESNETS if key[2] is None)
"""(family, depth, variant) of the six published networks."""

LOUD_BIAS = 32000
"""Bias in integer steps of every third channel: with 32,767 as the limit, sums with it clamp."""
LOUDER = 8.0


def random_detector(
    key: tuple[str, int, str | None], size: int, *, batch: int = 1, time_steps: int = 4, **options
) -> tuple[torch.nn.Module, torch.Tensor]:
    """A float network with random weights and the norm statistics of a batch of random pictures, and these.

    A fresh network in evaluation mode is silent: its statistics are 0 and 1. One training pass with momentum
    1 gives every norm those of the pictures, so that all layers fire.
    """
    family, depth, variant = key
    torch.manual_seed(0)
    options = {"num_classes": 2, "time_steps": time_steps, **options}
    model = models.ems_yolo(depth, family, variant=variant, **options)
    images = torch.randint(0, 256, (batch, model.in_channels, size, size), dtype=torch.uint8)
    norms = [module for module in model.modules() if isinstance(module, nn.TDBatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(images)
    for norm in norms:
        norm.momentum = 0.1
    return model.eval(), images


def make_exact(model: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    """Int8 weights and integer thresholds, calibrated on ``images``; in place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights use little of some ranges
        compress.prepare(model, compress.ExactConfig(time_steps=model.time_steps), images)
    return model


@torch.no_grad()
def make_loud(model: torch.nn.Module) -> torch.nn.Module:
    """Scale an exact model's weights by 8 and a third of its biases to the limit: its currents clamp."""
    for layer in model.modules():
        if isinstance(layer, compress.ExactConv2d):
            layer.weight.mul_(LOUDER)
            step = layer.entry["v_th"] / layer.entry["theta"]
            loud = layer.bias[::3]
            loud.copy_(torch.where(loud < 0, -LOUD_BIAS * step, LOUD_BIAS * step))
    return model


def prove(model: torch.nn.Module, images: torch.Tensor) -> tuple[deploy.VerifyReport, float]:
    """Verify an exact model on ``images``: the report, and the share of currents that clamped."""
    report = deploy.verify(model, deploy.export(model), images)
    currents = sum(c.values for c in report.comparisons if c.quantity == "stream")
    clamped = sum(counters.get("clamped", 0) for counters in report.counters.values())
    return report, clamped / currents

"""EMS-YOLO detectors and the plain ones for the released accelerator, from the tables of `tables`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lampyris import nn

from .ems_resnet import SCALES, EmsResNet
from .making import BLOCK_STYLES, BlockMaker
from .tables import FAMILIES, RESNETS, Family

__all__ = ["EmsYolo", "ems_yolo", "ems_yolo10", "ems_yolo18", "ems_yolo34"]


BLOCKS: dict[str, tuple[Callable[..., torch.nn.Module], int]] = {
    "ems1": (nn.EMSBlock1, 2),
    "ems2": (nn.EMSBlock2, 2),
    "ms": (lambda cin, cout, neuron: nn.MSBlock(cout, neuron), 1),
    "plain": (nn.LCB, 1),
    "pool": (partial(nn.LCB, pool=True), 2),
}
"""Block makers (cin, cout, neuron=...) and their stride."""

STEM_STRIDE = 2


class EmsYolo(torch.nn.Module):
    """A stem, a chain of blocks and a detection head at one scale.

    Attributes:
        stride: pixels per output cell; ``strides`` is (stride,).
        head_format: "cells".
        anchors: None.
        num_classes, in_channels: of output and input.
        options: the arguments that rebuild the model with `ems_yolo`.
    """

    head_format = "cells"
    anchors = None

    def __init__(
        self,
        table: Family,
        neuron: Callable[[], torch.nn.Module],
        num_classes: int,
        in_channels: int,
        time_steps: int,
        input_exponent: int,
        readout: str,
    ) -> None:
        super().__init__()
        self.stem = nn.Stem(in_channels, table.stem, time_steps=time_steps, input_exponent=input_exponent)
        self.stride = STEM_STRIDE
        self.num_classes = num_classes
        self.in_channels = in_channels
        blocks: list[torch.nn.Module] = []
        channels = table.stem
        for kind, width in table.blocks:
            make, stride = BLOCKS[kind]
            blocks.append(make(channels, width, neuron=neuron))
            self.stride *= stride
            channels = width
        self.blocks = torch.nn.Sequential(*blocks)
        self.strides = (self.stride,)
        self.head = nn.DetectionHead(channels, table.hidden, num_classes, neuron, readout)
        self.options: dict[str, Any] = {}

    @property
    def time_steps(self) -> int:
        """T that still images are run for; change it with `lampyris.nn.set_time_steps`."""
        return self.stem.time_steps

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, C, H, W] or [T, B, C, H, W] -> prediction map [B, 4 + num_classes, H/s, W/s]."""
        return self.head(self.blocks(self.stem(images)))


def ems_yolo(
    depth: int | None = None,
    family: str = "tiny",
    *,
    num_classes: int = 10,
    full_spike: bool = True,
    block_order: str = "paper",
    variant: str | None = None,
    head: str | None = None,
    readout: str = "mean",
    neuron: str = "lif",
    max_spikes: int = 4,
    block: str = "ems",
    time_steps: int = 4,
    in_channels: int | None = None,
    image_size: int | None = None,
    input_exponent: int | None = None,
    decay: float | None = None,
    gain: float | None = None,
) -> torch.nn.Module:
    """Build a detector with fresh weights (Kaiming normal, fan-out; the outputs small).

    Args:
        depth: 10, 18 or 34 for "wide" and "lite"; None for the others, which have one depth.
        family: "wide" (COCO), "lite" (bottlenecks, Gen1), "tiny", "tiny_events" or "v1".
        num_classes: number of classes.
        full_spike: a neuron before every convolution, which export needs. False builds what the released
            files hold: SiLU convolutions before the outputs ("wide" 18 and 34 "cat"), head shortcuts without
            a neuron ("lite"), and output convolutions that read currents. The parameters are the same.
        block_order: of EMS-Block2: "paper" pools before the 1 x 1 convolution, "released" after it.
        variant: "cat" of "wide" 34 (the released COCO checkpoint: EMS-Block2 in three stages), or None.
        head: "anchors" (strides 16 and 32, three boxes per cell) or "anchor_free" (strides 8, 16, 32) for
            "wide" and "lite", "cells" for the others; None takes the first that fits.
        readout: "mean" over T (the released code) or "last" membrane (the paper's description).
        neuron: "lif", or "ilif": integer spikes, for training and for networks that stay on GPUs.
        max_spikes: D of "ilif"; `lampyris.nn.set_max_spikes` changes it later.
        block: "ems", or for comparisons "sew", "ms" or "plain" in place of every EMS block.
        time_steps: T; `lampyris.nn.set_time_steps` changes it later.
        in_channels: image channels; None takes the family's.
        image_size: height and width in pixels, checked against the stride; None checks nothing.
        input_exponent: p of the real value ``pixel * 2^-p``; None takes the family's.
        decay, gain: of all neurons, None for the family's; ``v1`` with 0.5 and 0.5 is the accelerator's
            ``half_after`` leak.

    Returns:
        A module from uint8 images to one prediction map [B, outputs, H/s, W/s], or a tuple of them in
        increasing stride ("wide", "lite"). It has ``strides``, ``head_format``, ``anchors`` (in pixels, a
        buffer [scales, 3, 2], or None), ``num_classes``, ``in_channels``. Channels of a map:
        "cells": 4 box values, then class logits (`lampyris.tasks.detection.decode`).
        "anchors": per anchor x, y, w, h, objectness, then class logits.
        "anchor_free": distances left, top, right, bottom, then class logits.

    Raises:
        ValueError: an unknown family, or an argument out of range.

    Example:
        >>> import torch
        >>> model = ems_yolo(num_classes=10, family="tiny", time_steps=4)
        >>> sum(p.numel() for p in model.parameters())
        378910
        >>> model(torch.zeros(1, 3, 80, 80, dtype=torch.uint8)).shape
        torch.Size([1, 14, 10, 10])
        >>> model = ems_yolo(10, "lite", num_classes=2)
        >>> [list(m.shape) for m in model(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))]
        [[1, 21, 4, 4], [1, 21, 2, 2]]
    """
    options = dict(locals())
    for name in ("num_classes", "time_steps"):
        if options[name] < 1:
            raise ValueError(f"ems_yolo: {name} must be >= 1, got {options[name]}")
    _check_words(options)
    make = _single_scale if family in FAMILIES else _residual
    model = make(options)
    if image_size is not None and image_size % model.stride:
        raise ValueError(f"ems_yolo: image_size must be a multiple of {model.stride}, got {image_size}")
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    model.options = options
    return model.to(memory_format=torch.channels_last)


def ems_yolo10(**options: Any) -> EmsResNet:
    """`ems_yolo(10)`, by default of family "lite": 6,207,050 parameters for two classes."""
    return ems_yolo(10, options.pop("family", "lite"), **options)


def ems_yolo18(**options: Any) -> EmsResNet:
    """`ems_yolo(18)`, by default of family "lite": 9,343,370 parameters for two classes."""
    return ems_yolo(18, options.pop("family", "lite"), **options)


def ems_yolo34(**options: Any) -> EmsResNet:
    """`ems_yolo(34)`, by default of family "lite": 14,399,306 parameters for two classes."""
    return ems_yolo(34, options.pop("family", "lite"), **options)


def _check_words(options: dict[str, Any]) -> None:
    families = tuple(dict.fromkeys((*FAMILIES, *(name for name, _, _ in RESNETS))))
    formats = ("cells",) if options["family"] in FAMILIES else tuple(SCALES)
    for name, words in (
        ("family", families),
        ("block_order", ("paper", "released")),
        ("head", (None, *formats)),
        ("readout", ("mean", "last")),
        ("neuron", ("lif", "ilif")),
        ("block", BLOCK_STYLES),
    ):
        if options[name] not in words:
            shown = ", ".join(word for word in words if word)
            of = f" for family {options['family']}" if name == "head" else ""
            raise ValueError(f"ems_yolo: {name} must be one of {shown}{of}, got {options[name]!r}")


def _neuron(options: dict[str, Any], decay: float, gain: float) -> Callable[[], torch.nn.Module]:
    decay = decay if options["decay"] is None else options["decay"]
    gain = gain if options["gain"] is None else options["gain"]
    if options["neuron"] == "ilif":
        # one spike is worth what LIF's threshold is, so that norms start alike
        return partial(nn.ILIF, options["max_spikes"], decay, 0.5, gain=gain)
    return partial(nn.LIF, decay, gain=gain)


def _single_scale(options: dict[str, Any]) -> EmsYolo:
    table = FAMILIES[options["family"]]
    fixed = {"depth": None, "variant": None, "block": "ems", "block_order": "paper", "full_spike": True}
    for name, value in fixed.items():
        if options[name] != value:
            family = options["family"]
            raise ValueError(f"ems_yolo: {name} must be {value} for family {family}, got {options[name]!r}")
    given = {k: options[k] for k in ("in_channels", "input_exponent") if options[k] is not None}
    table = replace(table, **given)
    return EmsYolo(
        table,
        _neuron(options, table.decay, table.gain),
        options["num_classes"],
        table.in_channels,
        options["time_steps"],
        table.input_exponent,
        options["readout"],
    )


def _residual(options: dict[str, Any]) -> EmsResNet:
    family, depth, variant = options["family"], options["depth"], options["variant"]
    if (family, depth, variant) not in RESNETS:
        known = [f"{d}{f' {v!r}' if v else ''}" for f, d, v in RESNETS if f == family]
        raise ValueError(
            f"ems_yolo: depth (and variant) of family {family} must be one of {', '.join(known)}, "
            f"got {depth}{f' {variant!r}' if variant else ''}"
        )
    table = RESNETS[family, depth, variant]
    decay = 0.25 if options["decay"] is None else options["decay"]
    make = BlockMaker(
        _neuron(options, decay, 1.0),
        decay,
        options["block"],
        options["block_order"],
        options["full_spike"],
        table.squeeze,
    )
    return EmsResNet(
        table,
        make,
        options["num_classes"],
        options["in_channels"] or 3,
        options["time_steps"],
        8 if options["input_exponent"] is None else options["input_exponent"],
        options["head"] or "anchors",
        options["readout"],
    )

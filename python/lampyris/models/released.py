"""From the released checkpoints to the families "wide" and "lite"."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from lampyris import nn
from lampyris.nn.pyramid import ANCHOR_FIELDS, ANCHORS_PER_CELL

from .ems_resnet import EmsResNet
from .ems_yolo import ems_yolo
from .released_file import read_released
from .tables import RESNETS

__all__ = ["ImportReport", "import_released"]

PIXEL_SCALE = 256 / 255
"""The released code divides pixels by 255, `nn.Stem` by 256: the stem's weights make up for it."""

NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass
class ImportReport:
    """What became of a checkpoint's tensors.

    Attributes:
        family, depth, variant: of the network built.
        file_classes, num_classes: in the file and in the network.
        matched: (name in the file, name in the network).
        dropped: (name in the file, why) of everything that was not used.
        fresh: (name in the network, why) of parameters that the file does not give.
        changed: (layer, what) where values or structure differ from the file.
    """

    family: str
    depth: int
    variant: str | None
    file_classes: int
    num_classes: int
    matched: list[tuple[str, str]] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    fresh: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    def table(self):
        """A `rich` table of all lists."""
        from rich.table import Table

        name = f"{self.family} {self.depth}" + (f" {self.variant}" if self.variant else "")
        table = Table("what", "in the file", "in the network", title=f"{name}, {self.num_classes} classes")
        for what, rows, place in (
            ("matched", self.matched, None),
            ("dropped", self.dropped, 1),
            ("fresh", self.fresh, 0),
            ("changed", self.changed, 0),
        ):
            for left, right in rows:
                cells = (left, right) if place is None else (left, f"({right})")
                table.add_row(what, *(cells if place != 0 else (cells[1], cells[0])))
        return table


@dataclass
class _Layer:
    """A convolution of the file: its name, tensors, and the norm behind it."""

    name: str
    weight: Tensor
    bias: Tensor | None = None
    norm: str | None = None
    statistics: dict[str, Tensor] = field(default_factory=dict)


def import_released(
    source: str | os.PathLike | dict[str, Tensor],
    *,
    family: str | None = None,
    depth: int | None = None,
    variant: str | None = None,
    num_classes: int | None = None,
    make_spiking: bool = False,
    block_order: str = "released",
    time_steps: int = 4,
) -> tuple[EmsResNet, ImportReport]:
    """A network with the weights of a released checkpoint.

    Layers are recognised by their place and shapes, not by their names: the file's numbered layers, in order,
    against the stem, the blocks and the outputs of the network.

    Args:
        source: a file for `read_released`, or its tensors by name.
        family, depth, variant: of `ems_yolo`; left out, the one that fits is found.
        num_classes: of the network; another number than the file's keeps box and objectness rows of the
            outputs and starts the class rows anew. None takes the file's.
        make_spiking: build with ``full_spike``: neurons in place of SiLU layers and before every
            convolution. The network then computes something else and must be fine-tuned.
        block_order: of EMS-Block2; the released weights were trained with "released".
        time_steps: T.

    Returns:
        The network in evaluation mode, and an `ImportReport`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, or one that fits no family, with the first layer that does not.

    Source: facts about the released files: their layers, in order, and the shapes of these.
    """
    state = source if isinstance(source, dict) else read_released(source)
    groups = _groups(state)
    wanted = (family, depth, variant)
    keys = [key for key in RESNETS if all(w is None or w == k for w, k in zip(wanted, key, strict=True))]
    reasons = []
    for key in keys:
        with torch.device("meta"):
            reason = _misfit(_units(ems_yolo(key[1], key[0], variant=key[2])), groups)
        if reason is None:
            break
        reasons.append(f"{key[0]} {key[1]}{f' {key[2]}' if key[2] else ''}: {reason}")
    else:
        tried = " | ".join(reasons) or f"no family {wanted}"
        raise ValueError(f"import_released: source must fit a family, got {tried}")
    file_classes = _classes(groups[-1])
    classes = file_classes if num_classes is None else num_classes
    model = ems_yolo(
        key[1],
        key[0],
        variant=key[2],
        num_classes=classes,
        full_spike=make_spiking,
        block_order=block_order,
        time_steps=time_steps,
    )
    report = ImportReport(*key, file_classes, classes)
    with torch.no_grad():
        for unit, layers in zip(_units(model), groups, strict=True):
            _fill(unit, layers, report)
        model.stem.conv.weight.mul_(PIXEL_SCALE)
        report.changed.append(("stem.conv.weight", "times 256/255: pixels are divided by 256 here"))
        _anchors(model, state, report)
    if make_spiking:
        report.changed += _spiking(model, *key)
    used = {name for name, _ in report.matched} | {name for name, _ in report.dropped}
    for name in (name for name in state if name not in used):
        counter = name.endswith(".num_batches_tracked")
        report.dropped.append(
            (name, "a counter that nothing reads" if counter else "no place in the network")
        )
    return model.eval(), report


def _groups(state: dict[str, Tensor]) -> list[list[_Layer]]:
    """Convolutions with their norms, by numbered layer; layers without any are left out."""
    numbered: dict[int, list[_Layer]] = {}
    for name, value in state.items():
        found = re.match(r"(?:model\.)*(\d+)\.(.+)\.(\w+)$", name)
        if not found:
            continue
        layers = numbered.setdefault(int(found[1]), [])
        prefix, leaf = name.rpartition(".")[0], found[3]
        if leaf == "weight" and value.dim() == 4:
            layers.append(_Layer(prefix, value))
        elif layers and layers[-1].name == prefix and leaf == "bias":
            layers[-1].bias = value
        elif layers and leaf in NORM and value.dim() == 1 and layers[-1].norm in (None, prefix):
            layers[-1].norm = prefix
            layers[-1].statistics[leaf] = value
    return [numbered[number] for number in sorted(numbered) if numbered[number]]


def _units(model: EmsResNet) -> list[tuple[str, torch.nn.Module]]:
    """The network's parts in the order of the file's layers."""
    units = [("stem", model.stem)]
    for s, stage in enumerate(model.stages):
        units += [(f"stages.{s}.{b}", block) for b, block in enumerate(stage)]
    head, merge = model.head, model.head.merges[0]
    units += [("head.top", head.top), ("head.coarse", head.coarse)]
    units += [("head.merges.0.lateral", merge.lateral), ("head.merges.0.block", merge.block)]
    return [*units, ("head.outputs", head.outputs)]


def _convolutions(name: str, unit: torch.nn.Module) -> list[tuple[str, nn.Conv2d, Any]]:
    """(name, convolution, the norm behind it or None) in order."""
    found: list[list[Any]] = []
    for path, module in unit.named_modules():
        if isinstance(module, nn.Conv2d):
            found.append([f"{name}.{path}", module, None])
        elif isinstance(module, nn.TDBatchNorm2d):
            found[-1][2] = (f"{name}.{path}", module)
    return [tuple(row) for row in found]


def _pairs(name: str, unit: torch.nn.Module, layers: list[_Layer]) -> list[tuple[_Layer, tuple]] | str:
    """The file's layer of each convolution: same shape, shortcuts with shortcuts; or what does not fit."""
    left, pairs = list(layers), []
    for row in _convolutions(name, unit):
        shape, shortcut = tuple(row[1].weight.shape), "shortcut" in row[0]
        rows = slice(1, None) if name == "head.outputs" else slice(None)
        fitting = [layer for layer in left if tuple(layer.weight.shape)[rows] == shape[rows]]
        if row[2] is not None:
            fitting = [layer for layer in fitting if set(layer.statistics) == set(NORM)]
        if not fitting:
            shapes = ", ".join(str(list(layer.weight.shape)) for layer in layers)
            return f"{row[0]} must find a layer with weight {list(shape)}, got {shapes}"
        best = min(fitting, key=lambda layer: ("shortcut" in layer.name) != shortcut)
        left.remove(best)
        pairs.append((best, row))
    return f"{name} must use every layer, got {left[0].name} left" if left else pairs


def _misfit(units: list[tuple[str, torch.nn.Module]], groups: list[list[_Layer]]) -> str | None:
    """The first reason why the file is not this network."""
    if len(units) != len(groups):
        return f"must have {len(units)} layers with weights, got {len(groups)}"
    for (name, unit), layers in zip(units, groups, strict=True):
        pairs = _pairs(name, unit, layers)
        if isinstance(pairs, str):
            return pairs
    rows = {layer.weight.shape[0] for layer in groups[-1]}
    if len(rows) != 1 or min(rows) % ANCHORS_PER_CELL or min(rows) < ANCHORS_PER_CELL * (ANCHOR_FIELDS + 1):
        return f"outputs must have 3 (5 + classes) channels, got {sorted(rows)}"
    return None


def _classes(outputs: list[_Layer]) -> int:
    return outputs[0].weight.shape[0] // ANCHORS_PER_CELL - ANCHOR_FIELDS


def _fill(unit: tuple[str, torch.nn.Module], layers: list[_Layer], report: ImportReport) -> None:
    pairs = _pairs(*unit, layers)
    assert not isinstance(pairs, str), "the family was found by these pairs"
    for layer, (name, conv, norm) in pairs:
        for leaf, value in (("weight", layer.weight), ("bias", layer.bias)):
            if value is None:
                continue
            report.matched.append((f"{layer.name}.{leaf}", f"{name}.{leaf}"))
            _copy(getattr(conv, leaf), value, f"{layer.name}.{leaf}", f"{name}.{leaf}", report)
        if norm is not None:
            for leaf in NORM:
                getattr(norm[1], leaf).copy_(layer.statistics[leaf])
                report.matched.append((f"{layer.norm}.{leaf}", f"{norm[0]}.{leaf}"))


def _copy(target: Tensor, value: Tensor, source: str, name: str, report: ImportReport) -> None:
    """Copy; of an output with another number of classes the box and objectness rows only."""
    if target.shape == value.shape:
        target.copy_(value)
        return
    ours = target.view(ANCHORS_PER_CELL, -1, *target.shape[1:])
    theirs = value.reshape(ANCHORS_PER_CELL, -1, *value.shape[1:])
    ours[:, :ANCHOR_FIELDS] = theirs[:, :ANCHOR_FIELDS]
    rows = "rows of {} classes for each of 3 anchors"
    report.dropped.append((source, rows.format(report.file_classes)))
    report.fresh.append((name, rows.format(report.num_classes)))


def _anchors(model: EmsResNet, state: dict[str, Tensor], report: ImportReport) -> None:
    """Pixels from ``anchor_grid``, else from ``anchors``, which are in strides there."""
    shape = model.anchors.shape
    fitting = [name for name, value in state.items() if value.numel() == shape.numel()]
    for leaf in ("anchor_grid", "anchors"):
        name = next((name for name in fitting if name.endswith(f".{leaf}")), None)
        if name is not None:
            values = state[name].reshape(shape)
            strides = torch.tensor(model.strides, dtype=values.dtype).view(-1, 1, 1)
            model.anchors.copy_(values if leaf == "anchor_grid" else values * strides)
            report.matched.append((name, "anchors"))
            return
    report.fresh.append(("anchors", "the COCO ones: the file has none"))


def _spiking(model: EmsResNet, family: str, depth: int, variant: str | None) -> list[tuple[str, str]]:
    """(layer, what) of everything that ``full_spike`` changed."""
    with torch.device("meta"):
        released = ems_yolo(depth, family, variant=variant, full_spike=False)
    modules = dict(released.named_modules())
    changes = [
        (name, "a neuron before the convolution in place of SiLU behind it")
        for name, module in modules.items()
        if isinstance(module, nn.SiLUConv)
    ]
    silu = tuple(name for name, _ in changes)
    changes += [
        (name, "a neuron before the convolution")
        for name, module in model.named_modules()
        if isinstance(module, nn.LIF) and name not in modules and not name.startswith(silu or ("-",))
    ]
    return changes

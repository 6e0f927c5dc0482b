"""EMS-YOLO on residual networks, at two or three scales."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lampyris import nn
from lampyris.nn.pyramid import ANCHOR_FIELDS, ANCHORS_PER_CELL, start_anchor_free, start_anchors

from .making import BlockMaker
from .tables import COCO_ANCHORS, Resnet

__all__ = ["EmsResNet"]

STRIDES = (4, 8, 16, 32)
SCALES = {"anchors": 2, "anchor_free": 3}
TOP, LATERAL = 256, 128
BOX_OUTPUTS = 4


class EmsResNet(torch.nn.Module):
    """Stem, four residual stages, and a head on the last two or three of them.

    Attributes:
        strides: pixels per cell of each output, increasing.
        stride: the largest: image sides are multiples of it.
        head_format: "anchors" or "anchor_free".
        anchors: float buffer [scales, 3, 2], width and height in pixels; None for "anchor_free".
        num_classes, in_channels: of output and input.
        options: the arguments that rebuild the model with `ems_yolo`.
    """

    anchors: Tensor | None

    def __init__(
        self,
        table: Resnet,
        make: BlockMaker,
        num_classes: int,
        in_channels: int,
        time_steps: int,
        input_exponent: int,
        head: str,
        readout: str,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.head_format = head
        self.strides = STRIDES[-SCALES[head] :]
        self.stride = self.strides[-1]
        self.options: dict[str, Any] = {}
        self.stem = nn.Stem(
            in_channels, table.stem, table.kernel, time_steps=time_steps, input_exponent=input_exponent
        )
        # SEW blocks read spikes, the others currents
        self.spikes = make.neuron() if make.style == "sew" else None
        self.stages = torch.nn.ModuleList()
        channels = table.stem
        for kind, width, count in table.stages:
            blocks = [make(kind, channels, width, 2)]
            blocks += [make(kind, width, width) for _ in range(count - 1)]
            self.stages.append(torch.nn.Sequential(*blocks))
            channels = width
        widths = [width for _, width, _ in table.stages][-SCALES[head] :]
        self.head = _head(table, make, widths, self._outputs(), readout)
        if head == "anchors":
            self.register_buffer("anchors", torch.tensor(COCO_ANCHORS, dtype=torch.float32))
            start_anchors(self.head, self.strides, num_classes)
        else:
            self.anchors = None
            start_anchor_free(self.head)

    def _outputs(self) -> int:
        if self.head_format == "anchors":
            return ANCHORS_PER_CELL * (ANCHOR_FIELDS + self.num_classes)
        return BOX_OUTPUTS + self.num_classes

    @property
    def time_steps(self) -> int:
        """T that still images are run for; change it with `lampyris.nn.set_time_steps`."""
        return self.stem.time_steps

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """uint8 [B, C, H, W] or [T, B, C, H, W] -> one prediction map [B, outputs, H/s, W/s] per stride."""
        x = self.stem(images)
        if self.spikes is not None:
            x = self.spikes(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return self.head(*maps[-len(self.strides) :])


def _head(table: Resnet, make: BlockMaker, widths: list[int], outputs: int, readout: str) -> nn.PyramidHead:
    """The head on maps of ``widths`` channels, fine to coarse; each scale halves the lateral channels."""
    merges, channels, lateral = [], TOP, LATERAL
    for fine in reversed(widths[:-1]):
        squeeze, block = partial(make, table.lateral, kernel_size=1), partial(make, table.fine)
        merges.append(nn.Merge(channels, fine, lateral, fine, squeeze, block))
        channels, lateral = fine, lateral // 2
    neuron = make.neuron if make.full_spike else None
    return nn.PyramidHead(
        make(table.top, widths[-1], TOP, hidden=table.top_hidden),
        make(table.coarse, TOP, widths[-1]),
        merges,
        [nn.ScaleOutput(width, outputs, neuron, readout) for width in widths],
    )

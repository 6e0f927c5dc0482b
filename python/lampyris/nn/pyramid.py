"""The detection heads at several scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .blocks import Neuron
from .conv import Conv2d
from .head import BOX_OUTPUTS, CLASS_BIAS, OUTPUT_STD, read_out
from .maps import Concat, Upsample

__all__ = ["ANCHORS_PER_CELL", "Merge", "PyramidHead", "ScaleOutput", "start_anchor_free", "start_anchors"]

ANCHORS_PER_CELL = 3
ANCHOR_FIELDS = 5  # x, y, w, h, objectness; then one logit per class
OBJECTS_PER_IMAGE = 8
REFERENCE_SIZE = 640
CLASS_SHARE = 0.6

Block = Callable[[int, int], torch.nn.Module]


class ScaleOutput(torch.nn.Module):
    """Neuron (or none), 1 x 1 convolution with bias, read-out over T: [T, B, C, H, W] -> [B, outputs, H, W].

    Args:
        cin, outputs: channels.
        neuron: makes the neuron layer; None lets the convolution read currents, as the released files do.
        readout: "mean" over T, or "last": the membrane after the last step.

    Example:
        >>> import torch
        >>> ScaleOutput(8, 21, None)(torch.zeros(4, 2, 8, 5, 5)).shape
        torch.Size([2, 21, 5, 5])
    """

    def __init__(self, cin: int, outputs: int, neuron: Neuron | None, readout: str = "mean") -> None:
        super().__init__()
        self.lif = None if neuron is None else neuron()
        self.out = Conv2d(cin, outputs, 1, bias=True)
        self.mean = read_out(readout)
        torch.nn.init.normal_(self.out.weight, std=OUTPUT_STD)
        torch.nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.mean(self.out(x if self.lif is None else self.lif(x)))


class Merge(torch.nn.Module):
    """Coarse currents through a 1 x 1 block, twice as large, beside the finer ones, through a block.

    Args:
        coarse, fine: channels of the two inputs.
        lateral: channels that the coarse input is brought to.
        cout: channels of the result.
        squeeze: makes the 1 x 1 block (cin, cout).
        block: makes the block behind the concatenation (cin, cout).

    Example:
        >>> import torch
        >>> from lampyris import nn
        >>> merge = Merge(16, 8, 4, 8, lambda i, o: nn.LCB(i, o, 1), nn.LCB)
        >>> merge(torch.zeros(2, 1, 16, 3, 3), torch.zeros(2, 1, 8, 6, 6)).shape
        torch.Size([2, 1, 8, 6, 6])
    """

    def __init__(self, coarse: int, fine: int, lateral: int, cout: int, squeeze: Block, block: Block) -> None:
        super().__init__()
        self.lateral = squeeze(coarse, lateral)
        self.up = Upsample(2)
        self.concat = Concat()
        self.block = block(lateral + fine, cout)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return self.block(self.concat(self.up(self.lateral(coarse)), fine))


class PyramidHead(torch.nn.Module):
    """A top-down pyramid with one output per scale.

    The coarsest map goes through ``top``, then through ``coarse`` to its output; every finer map is merged
    with the result before it (the top's, for the first) and gives its own output.

    Args:
        top: block on the coarsest map.
        coarse: block before the coarsest output.
        merges: one `Merge` per finer map, coarse to fine.
        outputs: one `ScaleOutput` per map, *fine to coarse*.

    Example:
        >>> import torch
        >>> from lampyris import nn
        >>> merge = Merge(16, 8, 4, 8, lambda i, o: nn.LCB(i, o, 1), nn.LCB)
        >>> outputs = [ScaleOutput(8, 6, nn.LIF), ScaleOutput(24, 6, nn.LIF)]
        >>> head = PyramidHead(nn.LCB(32, 16), nn.LCB(16, 24), [merge], outputs)
        >>> fine, coarse = head(torch.zeros(2, 1, 8, 6, 6), torch.zeros(2, 1, 32, 3, 3))
        >>> fine.shape, coarse.shape
        (torch.Size([1, 6, 6, 6]), torch.Size([1, 6, 3, 3]))
    """

    def __init__(
        self,
        top: torch.nn.Module,
        coarse: torch.nn.Module,
        merges: Sequence[Merge],
        outputs: Sequence[ScaleOutput],
    ) -> None:
        super().__init__()
        if len(outputs) != len(merges) + 1:
            raise ValueError(f"PyramidHead: outputs must be {len(merges) + 1}, got {len(outputs)}")
        self.top = top
        self.coarse = coarse
        self.merges = torch.nn.ModuleList(merges)
        self.outputs = torch.nn.ModuleList(outputs)

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """Currents [T, B, C, H, W] of each scale, fine to coarse -> prediction maps in the same order."""
        merged = self.top(maps[-1])
        results = [self.coarse(merged)]
        for merge, fine in zip(self.merges, reversed(maps[:-1]), strict=True):
            merged = merge(merged, fine)
            results.append(merged)
        return tuple(output(x) for output, x in zip(self.outputs, reversed(results), strict=True))


@torch.no_grad()
def start_anchors(head: PyramidHead, strides: Sequence[int], num_classes: int) -> None:
    """Biases of an anchor head: objectness ``log(8 / (640 / s)^2)``, classes ``log(0.6 / (C - 1))``."""
    for output, stride in zip(head.outputs, strides, strict=True):
        bias = output.out.bias.view(ANCHORS_PER_CELL, ANCHOR_FIELDS + num_classes)
        bias[:, ANCHOR_FIELDS - 1] = math.log(OBJECTS_PER_IMAGE / (REFERENCE_SIZE / stride) ** 2)
        bias[:, ANCHOR_FIELDS:] = math.log(CLASS_SHARE / max(num_classes - 1, 1))


@torch.no_grad()
def start_anchor_free(head: PyramidHead) -> None:
    """Class biases of an anchor-free head: a score of 0.018 in every cell."""
    for output in head.outputs:
        output.out.bias[BOX_OUTPUTS:] = CLASS_BIAS

"""pack_spikes along the channels of maps against shifts and a sum in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.harness import Case
from lampyris import ops

SHAPES = [(4, 4, 64, 40, 40), (4, 4, 128, 20, 20)]


def shifts(spikes: Tensor) -> Tensor:
    bits = spikes.movedim(2, -1).unflatten(-1, (-1, 32)).to(torch.int64)
    words = (bits << torch.arange(32)).sum(-1)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


def cases() -> list[Case]:
    out = []
    for shape in SHAPES:
        spikes = (torch.rand(shape, generator=torch.manual_seed(0)) < 0.1).float()
        maps = spikes.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, shape[:2])
        for order, x in (("NCHW", spikes), ("NHWC", maps)):
            name = f"pack_spikes {'x'.join(map(str, shape))} {order}"
            out.append(
                Case(name, lambda x=x: ops.pack_spikes(x, dim=2), lambda x=x: shifts(x), "torch shifts", 0.1)
            )
        packed = ops.pack_spikes(spikes, dim=2)
        name = f"unpack_spikes {'x'.join(map(str, shape))} NCHW"
        out.append(Case(name, packed.dense, spikes.bool().float, "bool to float", 0.1))
    return out

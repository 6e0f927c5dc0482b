"""magnitude_mask over several weights against one topk over their concatenation."""

from __future__ import annotations

import torch

from benchmarks.harness import Case
from lampyris import ops

SIZES = [100_000, 1_000_000, 4_000_000]


def cases() -> list[Case]:
    out = []
    for size in SIZES:
        weights = list(torch.randn(size, generator=torch.manual_seed(0)).split(size // 4))

        def peer(weights=weights):
            flat = torch.cat(weights).abs()
            threshold = flat.kthvalue(flat.numel() // 2).values
            return [w.abs() > threshold for w in weights]

        name = f"magnitude_mask {size} f32 global"
        out.append(Case(name, lambda w=weights: ops.magnitude_mask(w, 0.5), peer, "kthvalue (ties inexact)"))
    return out

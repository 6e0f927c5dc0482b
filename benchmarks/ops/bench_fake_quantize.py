"""fake_quantize backward, per channel, against torch's learnable fake quantizer."""

from __future__ import annotations

import torch

from benchmarks.harness import Case
from lampyris import ops  # noqa: F401  (loads the operators)

SHAPES = [(256, 4096), (1024, 4096), (4096, 4096)]


def cases() -> list[Case]:
    out = []
    for rows, columns in SHAPES:
        x = torch.randn(rows, columns, generator=torch.manual_seed(0))
        grad = torch.randn(rows, columns)
        scale = torch.rand(rows) * 0.02 + 0.01
        zero = torch.zeros(rows)

        def ours(x=x, grad=grad, scale=scale):
            return torch.ops.lampyris._fake_quantize_backward(grad, x, scale, None, None, 0, -127, 127, 1.0)

        def peer(x=x, grad=grad, scale=scale, zero=zero):
            return torch.ops.aten._fake_quantize_learnable_per_channel_affine_backward(
                grad, x, scale, zero, 0, -127, 127, 1.0
            )

        out.append(Case(f"fake_quantize {rows}x{columns} f32 bwd", ours, peer, "aten learnable"))
    return out

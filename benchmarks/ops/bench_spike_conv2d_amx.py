"""spike_conv2d on AMX tiles against torch's convolution (oneDNN, which uses AMX for bfloat16 itself).

Needs a processor with AMX; elsewhere the cases are listed as skipped. Spikes and peers as in
bench_spike_conv2d.py; the peer in bfloat16 gets bfloat16 tensors, without counting any cast.
"""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.harness import Case
from lampyris import _library, ops

IMAGES = 16
SHAPES = [(64, 64, 40), (128, 128, 20), (256, 256, 10), (32, 64, 80)]
DENSITY = 0.3  # above the break-even of every event kernel; tiles do not depend on it


def _forward(x, w):
    return torch.nn.functional.conv2d(x, w, padding=1)


def _gradient(grad, x, w, mask):
    return torch.ops.aten.convolution_backward(
        grad, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask
    )


def _gradients(name, packed, x, w) -> list[Case]:
    grad = torch.randn_like(_forward(x, w))
    out = []
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        peer = [t.to(dtype) for t in (grad, x, w)]
        tail = (1, 1, 1, precision)
        dw = (packed.words, packed.carrier, grad, w, *tail)
        dx = (packed.carrier, grad, w, *tail)
        out += [
            Case(
                f"{name} {precision} dW",
                lambda a=dw: torch.ops.lampyris._spike_conv2d_grad_weight(*a),
                lambda p=peer: _gradient(*p, [False, True, False]),
                f"oneDNN {precision}",
                DENSITY,
            ),
            Case(
                f"{name} {precision} dX",
                lambda a=dx: torch.ops.lampyris._spike_conv2d_grad_input(*a),
                lambda p=peer: _gradient(*p, [True, False, False]),
                f"oneDNN {precision}",
                DENSITY,
            ),
        ]
    return out


def _shape_cases(cin: int, cout: int, size: int) -> list[Case]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(cout, cin, 3, 3, generator=generator) * 0.05
    exact = torch.randint(-128, 128, weight.shape, generator=generator, dtype=torch.int8)
    dense = (torch.rand(IMAGES, cin, size, size, generator=generator) < DENSITY).float()
    packed = ops.pack_spikes(dense, dim=1)
    x, w = (t.contiguous(memory_format=torch.channels_last) for t in (dense, weight))
    name = f"spike_conv2d amx {IMAGES} images {cin}-{cout} at {size}x{size} 3x3"
    ours = {
        "float32": (lambda: ops.spike_conv2d(packed, weight, padding=1), torch.float32),
        "bfloat16": (
            lambda: ops.spike_conv2d(packed, weight, padding=1, precision="bfloat16"),
            torch.bfloat16,
        ),
        "int8": (lambda: ops.spike_conv2d(packed, exact, padding=1), torch.float32),
    }
    forward = [
        Case(
            f"{name} {kind}",
            call,
            partial(_forward, x.to(dtype), w.to(dtype)),
            f"oneDNN {str(dtype).removeprefix('torch.')}",
            DENSITY,
        )
        for kind, (call, dtype) in ours.items()
    ]
    return forward + _gradients(name, packed, x, w)


def cases() -> list[Case]:
    if _library.isa() != "amx":
        return []
    return [case for shape in SHAPES for case in _shape_cases(*shape)]


def skipped() -> list[str]:
    if _library.isa() == "amx":
        return []
    names = ", ".join(f"{cin}-{cout} at {size}x{size}" for cin, cout, size in SHAPES)
    return [f"spike_conv2d amx ({names}): needs isa amx, this is {_library.isa()}"]

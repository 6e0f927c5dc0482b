"""spike_conv2d against torch's convolution (oneDNN): forward, gradient of the weights, whole step.

Spikes are random, independent and identically distributed; those of a network come in clusters. The
peer gets dense spikes in the memory order that is the faster one for it (channels_last or not), in
bfloat16 already cast, and no packing or casting is counted. A step is forward, dW and dX.
"""

from __future__ import annotations

import time

import torch

from benchmarks.harness import Case
from lampyris import ops

IMAGES = 16
# input channels, output channels, side, kernel, stride, groups
SHAPES = [
    (64, 64, 40, 3, 1, 1),
    (128, 128, 20, 3, 1, 1),
    (256, 256, 10, 3, 1, 1),
    (32, 64, 80, 3, 1, 1),
]
OTHER_SHAPES = [
    (64, 128, 40, 3, 2, 1),
    (256, 256, 10, 1, 1, 1),
    (256, 14, 20, 1, 1, 1),
    (16, 32, 80, 3, 1, 1),
    (3, 48, 64, 7, 2, 1),
    (128, 128, 20, 3, 1, 4),
    (64, 64, 40, 3, 1, 64),
]
DENSITIES = (0.05, 0.1, 0.2, 0.3)
USUAL = 0.1


def _seconds(call) -> float:
    call()
    start = time.process_time()
    call()
    return time.process_time() - start


def _faster_order(call, *tensors):
    """The tensors in the memory order in which the call is faster."""
    orders = [
        [t.contiguous(memory_format=order) for t in tensors]
        for order in (torch.contiguous_format, torch.channels_last)
    ]
    return min(orders, key=lambda order: _seconds(lambda: call(*order)))


class Problem:
    """One shape at one density, as cases."""

    def __init__(self, shape: tuple[int, ...], density: float) -> None:
        cin, cout, side, kernel, stride, self.groups = shape
        generator = torch.Generator().manual_seed(0)
        self.density, self.stride, self.padding = density, stride, kernel // 2
        self.weight = torch.randn(cout, cin // self.groups, kernel, kernel, generator=generator) * 0.05
        self.dense = (torch.rand(IMAGES, cin, side, side, generator=generator) < density).float()
        self.packed = ops.pack_spikes(self.dense, dim=1)
        self.grad = torch.randn_like(self.peer(self.dense, self.weight))
        self.grad = self.grad.contiguous(memory_format=torch.channels_last)
        self.name = f"spike_conv2d {cin}-{cout}@{side} {kernel}x{kernel}"
        self.name += f" /{stride}" if stride > 1 else ""
        self.name += f" groups {self.groups}" if self.groups > 1 else ""

    def ours(self, spikes, weight, precision):
        options = {"stride": self.stride, "padding": self.padding, "groups": self.groups}
        return ops.spike_conv2d(spikes, weight, precision=precision, **options)

    def peer(self, x, weight):
        return torch.nn.functional.conv2d(x, weight, None, self.stride, self.padding, 1, self.groups)

    def peer_grads(self, grad, x, weight, mask=(False, True, False)):
        stride, padding = [self.stride] * 2, [self.padding] * 2
        return torch.ops.aten.convolution_backward(
            grad, x, weight, None, stride, padding, [1, 1], False, [0, 0], self.groups, mask
        )

    def case(self, what, ours, peer, peer_name="oneDNN float32") -> Case:
        return Case(f"{self.name} {what}", ours, peer, peer_name, self.density)

    def forward(self, precision="float32") -> Case:
        x, w = self.dense, self.weight
        if precision == "bfloat16":
            x, w = x.bfloat16(), w.bfloat16()
        x, w = _faster_order(self.peer, x, w)
        return self.case(
            f"{precision} fwd",
            lambda: self.ours(self.packed, self.weight, precision),
            lambda: self.peer(x, w),
            f"oneDNN {precision}",
        )

    def grad_weight(self) -> Case:
        tensors = _faster_order(self.peer_grads, self.grad, self.dense, self.weight)
        head = (self.packed.words, self.packed.carrier, self.grad, self.weight)
        tail = (self.stride, self.padding, self.groups, "float32")
        return self.case(
            "float32 dW",
            lambda: torch.ops.lampyris._spike_conv2d_grad_weight(*head, *tail),
            lambda: self.peer_grads(*tensors),
        )

    def step(self, precision: str) -> Case:
        carrier = torch.zeros(1).expand(self.dense.shape).requires_grad_()
        spikes = ops.Spikes(self.packed.words, carrier, 1)
        weight = self.weight.clone().requires_grad_()

        def whole(x, w):
            x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
            return torch.autograd.grad(self.peer(x, w), (x, w), self.grad)

        x, w = _faster_order(whole, self.dense, self.weight)
        return self.case(
            f"{precision} step",
            lambda: torch.autograd.grad(self.ours(spikes, weight, precision), (carrier, weight), self.grad),
            lambda: whole(x, w),
        )


def cases() -> list[Case]:
    out = []
    for shape in SHAPES:
        for density in DENSITIES:
            problem = Problem(shape, density)
            out += [problem.forward(), problem.grad_weight()]
        usual = Problem(shape, USUAL)
        out += [usual.forward("bfloat16"), usual.step("float32"), usual.step("mixed")]
    for shape in OTHER_SHAPES:
        problem = Problem(shape, USUAL)
        out += [problem.forward(), problem.grad_weight()]
    return out

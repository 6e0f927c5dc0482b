"""Random networks of EMS blocks as images, with thresholds that make every layer fire."""

from __future__ import annotations

import math

import numpy as np

from lampyris import firefly

WEIGHT = 25.0
"""Standard deviation of the int8 weights."""
RATE = 0.15
"""Spike rate that the currents' deviations assume."""
QUANTILE = 0.9
"""Threshold over the current's standard deviation: found by trial, mean rates are then 0.2 to 0.25."""


class Blocks:
    """A ``firefly.Program`` grown by blocks.

    Attributes:
        macs: dense multiply-accumulates of one time step on the device.
        stem_macs: of one frame on the host.
    """

    def __init__(self, size: int, stem: int, kernel: int, time_steps: int = 4) -> None:
        self.rng = np.random.default_rng(0)
        self.macs = 0
        self.size = size
        self.program = firefly.Program(16, time_steps)
        side = size // 2
        weight, shift = self._weights(stem, 3, kernel), 7
        self.program.input("stem", channels=stem, height=side, width=side)
        self.program.host_stem(
            "stem",
            weight,
            np.zeros(stem, np.int32),
            stride=2,
            padding=kernel // 2,
            shift=shift,
            input_shape=(3, size, size),
        )
        self.stem_macs = weight.size * side**2
        # Pixels are uniform in [0, 255].
        pixel = math.sqrt(255**2 / 3)
        self.deviation = {"stem": WEIGHT * math.sqrt(3 * kernel**2) * pixel / 2**shift}

    def _weights(self, out: int, channels: int, kernel: int) -> np.ndarray:
        return self.rng.normal(0, WEIGHT, (out, channels, kernel, kernel)).clip(-127, 127).astype(np.int8)

    def _threshold(self, x: str) -> int:
        return max(1, int(QUANTILE * self.deviation[x]))

    def _neuron(self, name: str, x: str) -> str:
        return self.program.neuron(name, x, threshold=self._threshold(x), leak="before", k=2)

    def _conv(
        self, name: str, spikes: str, out: int, kernel: int, stride: int = 1, residual: str = "", fires=False
    ) -> str:
        _, _, channels, height, width = self.program.shape(spikes)
        weight = self._weights(out, channels, kernel)
        self.macs += weight.size * (height // stride) * (width // stride)
        deviation = WEIGHT * math.sqrt(RATE * weight[0].size)
        neuron = firefly.Neuron(f"{name}.lif", int(QUANTILE * deviation), "before") if fires else None
        made = self.program.conv(
            name,
            spikes,
            weight,
            np.zeros(out, np.int16),
            stride=stride,
            residual=residual or None,
            neuron=neuron,
        )
        self.deviation[name] = math.hypot(deviation, self.deviation.get(residual, 0.0))
        return made

    def block(self, name: str, x: str, out: int, stride: int, kernel: int = 3, hidden: int = 0) -> str:
        """EMS-Block1, or MS-Block where neither size nor channels change: the stream behind it."""
        channels = self.program.shape(x)[2]
        spikes = self._neuron(f"{name}.lif", x)
        shortcut = x
        if stride == 2:
            shortcut = self.program.max_pool(f"{name}.pool", x)
            self.deviation[shortcut] = self.deviation[x]
        if out != channels or stride == 2:
            side = self._neuron(f"{name}.side", shortcut)
            shortcut = self._conv(f"{name}.shortcut", side, out, 1)
        inner = self._conv(f"{name}.conv1", spikes, hidden or out, kernel, stride, fires=True)
        return self._conv(f"{name}.conv2", inner, out, kernel, residual=shortcut)

    def concatenating(self, name: str, x: str, out: int) -> str:
        """EMS-Block2 with stride 2: the pooled input is kept beside a 1 x 1 convolution of it."""
        channels = self.program.shape(x)[2]
        spikes = self._neuron(f"{name}.lif", x)
        pooled = self.program.max_pool(f"{name}.pool", x)
        self.deviation[pooled] = self.deviation[x]
        side = self._neuron(f"{name}.side", pooled)
        extra = self._conv(f"{name}.shortcut", side, out - channels, 1)
        shortcut = self.program.concat(f"{name}.concat", [extra, pooled])
        self.deviation[shortcut] = self.deviation[extra]
        inner = self._conv(f"{name}.conv1", spikes, out, 3, 2, fires=True)
        return self._conv(f"{name}.conv2", inner, out, 3, residual=shortcut)

    def output(self, name: str, spikes: str, out: int) -> None:
        _, _, channels, height, width = self.program.shape(spikes)
        self.macs += out * channels * height * width
        self.program.output(name, spikes, self._weights(out, channels, 1), np.zeros(out, np.int16))

    def build(self) -> firefly.Image:
        self.image = self.program.build()
        return self.image

    def frame(self) -> np.ndarray:
        return self.rng.integers(0, 256, (3, self.size, self.size)).astype(np.uint8)


def tiny(size: int = 80) -> Blocks:
    """The demo's network (family ``tiny`` of `lampyris.models.ems_yolo`)."""
    net = Blocks(size, stem=16, kernel=3)
    x = net.block("block1", "stem", 32, stride=2)
    x = net.concatenating("block2", x, 96)
    x = net.block("block3", x, 96, stride=1)
    spikes = net._conv("head.hidden", net._neuron("head.lif", x), 96, 3, fires=True)
    net.output("head", spikes, 14)
    net.build()
    return net


def ems_res34(size: int = 640) -> Blocks:
    """EMS-ResNet34 of EMS-YOLO: 64, 128, 256 and 512 channels in 3, 4, 6 and 3 blocks, two detection scales.

    Source: Su et al., ICCV 2023, and the table ``resnet34`` of the authors' code.
    """
    net = Blocks(size, stem=64, kernel=7)
    x, ends = "stem", []
    for stage, (channels, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for index in range(count):
            x = net.block(f"stage{stage + 1}.{index}", x, channels, stride=1 if index else 2)
        ends.append(x)
    neck = net.block("neck", x, 256, stride=1, hidden=1024)
    coarse = net.block("coarse", neck, 512, stride=1)
    up = net.program.upsample("up", net.block("lateral", neck, 128, stride=1, kernel=1))
    net.deviation[up] = net.deviation["lateral.conv2"]
    joined = net.program.concat("joined", [net._neuron("joined.up", up), net._neuron("joined.s16", ends[2])])
    fine = net._conv("fine", joined, 256, 3, fires=True)
    net.output("detect32", net._neuron("detect32.lif", coarse), 255)
    net.output("detect16", net._conv("fine2", fine, 256, 3, fires=True), 255)
    net.build()
    return net

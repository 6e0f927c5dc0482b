"""What PYNQ gives on a board, MMIO and allocate, with the model behind it."""

from __future__ import annotations

import numpy as np

from lampyris import firefly


class MMIO:
    """Registers of the model, as ``pynq.MMIO`` reads and writes them."""

    def __init__(self, device):
        self.device = device

    def read(self, offset=0, length=4):
        assert length == 4 and offset % 4 == 0
        return self.device.read32(offset)

    def write(self, offset, data):
        assert isinstance(data, int)
        self.device.write32(offset, data)


class Buffer(np.ndarray):
    """A ``PynqBuffer``: the processor sees a cached copy until it is synchronised."""

    def sync_to_device(self):
        self.window[:] = self

    def sync_from_device(self):
        self[:] = self.window

    def freebuffer(self):
        self.window = None


class Board:
    def __init__(self, parallelism, memory_bytes=1 << 22):
        self.device = firefly.Device(parallelism, memory_bytes=memory_bytes, strict=True)
        self.next = 0x10_0000
        self.allocated = 0

    def allocate(self, shape, dtype):
        (count,) = shape
        buffer = np.zeros(count, dtype).view(Buffer)
        assert self.next + count <= self.device.memory.size
        buffer.device_address = self.next
        buffer.window = self.device.memory[self.next : self.next + count]
        self.next += -(-count // 4096) * 4096
        self.allocated += 1
        return buffer

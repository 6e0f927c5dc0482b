"""Runs a weight image on a board through PYNQ: registers by MMIO, memory by a contiguous buffer.

    python pynq_host.py firefly.bit network.image frame.npy --register 0x4_0000_0000

PYNQ's `Overlay` loads the bitstream, `MMIO(base, length)` reads and writes its registers, `allocate`
gives memory that the accelerator's data movers reach; `Port` makes of these three what
`firefly.Driver` drives. `sync_to_device` and `sync_from_device` keep the processor's cache out of
the way: the buffer is flushed before a start and read back from memory after the done flag.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lampyris import firefly

REGISTERS = 0x4_0000_0000  # AXI-Lite base of the published designs
REGISTER_BYTES = 0x10000
START, PULSE, DONE, STATUS = 0xFC, 0x48, 0x18, 0x88


class Port:
    """An accelerator on the board, as ``firefly.Driver`` wants it.

    Args:
        mmio: ``pynq.MMIO`` or anything with ``read(offset)`` and ``write(offset, value)``.
        allocate: ``pynq.allocate`` or anything with its arguments; its result has ``device_address``,
            ``sync_to_device()`` and ``sync_from_device()``.
    """

    def __init__(self, mmio: object, allocate: object, reserve_bytes: int = 1 << 20) -> None:
        self._mmio, self._allocate = mmio, allocate
        self._buffer = None
        self._running = False
        self.reserve(reserve_bytes)

    def reserve(self, count: int) -> None:
        """At least this many bytes; what was there before is gone."""
        if self._buffer is not None and self._buffer.nbytes >= count:
            return
        if self._buffer is not None:
            self._buffer.freebuffer()
        self._buffer = self._allocate(shape=(count,), dtype=np.uint8)

    @property
    def memory(self) -> np.ndarray:
        return self._buffer

    @property
    def base_address(self) -> int:
        return self._buffer.device_address

    def write32(self, offset: int, value: int) -> None:
        if offset in (START, PULSE):
            self._buffer.sync_to_device()
            self._running = True
        self._mmio.write(offset, value)

    def read32(self, offset: int) -> int:
        value = self._mmio.read(offset)
        done = value & 1 if offset == DONE else offset == STATUS and value & 2
        if self._running and done:
            self._buffer.sync_from_device()
            self._running = False
        return value


def run(port: Port, image_path: Path, frame: np.ndarray) -> firefly.Result:
    """One frame on one port."""
    image = firefly.load(image_path)
    return firefly.Driver(port).run(image, frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bitstream", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("frame", type=Path, help=".npy: uint8 image, bool spikes or int16 currents")
    parser.add_argument("--register", type=lambda text: int(text, 0), default=REGISTERS)
    arguments = parser.parse_args()
    from pynq import MMIO, Overlay, allocate

    Overlay(str(arguments.bitstream))
    port = Port(MMIO(arguments.register, REGISTER_BYTES), allocate)
    result = run(port, arguments.image, np.load(arguments.frame))
    for name, values in result.outputs.items():
        print(f"{name}: int32 {list(values.shape)} in [{values.min()}, {values.max()}]")
    if result.classes is not None:
        print(f"class {result.classes}")
    print(f"{result.cycles} cycles")


if __name__ == "__main__":
    main()

"""Runs a weight image on a board through PYNQ: registers by MMIO, memory by a contiguous buffer.

    python pynq_host.py firefly.bit network.image frame.npy --register 0x4_0000_0000

PYNQ's `Overlay` loads the bitstream, `MMIO(base, length)` reads and writes its registers, `allocate`
gives memory that the accelerator's data movers reach; `firefly.PynqPort` makes of these three what
`firefly.Driver` drives. `sync_to_device` and `sync_from_device` keep the processor's cache out of
the way: the buffer is flushed before a start and read back from memory after the done flag.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lampyris import firefly

Port = firefly.PynqPort


def run(port: Port, image_path: Path, frame: np.ndarray) -> firefly.Result:
    """One frame on one port."""
    image = firefly.load(image_path)
    return firefly.Driver(port).run(image, frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bitstream", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("frame", type=Path, help=".npy: uint8 image, bool spikes or int16 currents")
    parser.add_argument("--register", type=lambda text: int(text, 0), default=firefly.REGISTERS)
    arguments = parser.parse_args()
    port = firefly.open_board(str(arguments.bitstream), register=arguments.register)
    result = run(port, arguments.image, np.load(arguments.frame))
    for name, values in result.outputs.items():
        print(f"{name}: int32 {list(values.shape)} in [{values.min()}, {values.max()}]")
    if result.classes is not None:
        print(f"class {result.classes}")
    print(f"{result.cycles} cycles")


if __name__ == "__main__":
    main()

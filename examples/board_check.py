"""Is this board's accelerator the one the images were made for? Run once after loading a bitstream.

    python board_check.py model net.safetensors            # the model here: what a sound board prints
    python board_check.py firefly.bit net.safetensors --frame frame.npy

Checks, each by itself: registers echo; spikes come back from the data movers; every command gives the
model's bytes when it starts from the model's bytes; the whole network gives the model's values, the
first difference named with its operands; frames per second. The exit status is 0 when all hold.
"""

from __future__ import annotations

import argparse

import numpy as np

from lampyris import firefly


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("board", help='a bitstream for PYNQ, or "model"')
    parser.add_argument("image", nargs="?", help="weight image; without it registers and data movers only")
    parser.add_argument("--frame", help=".npy: uint8 image, bool spikes or int16 currents; default random")
    parser.add_argument("--frames", type=int, default=10, help="runs for the throughput")
    parser.add_argument("--register", type=lambda text: int(text, 0), default=firefly.REGISTERS)
    options = parser.parse_args(arguments)
    image = None if options.image is None else firefly.load(options.image)
    parallelism = 16 if image is None else image.plan["parallelism"]
    port = firefly.open_board(options.board, parallelism=parallelism, register=options.register)
    frame = None if options.frame is None else np.load(options.frame)
    report = firefly.check_board(port, image, frame, frames=options.frames)
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())

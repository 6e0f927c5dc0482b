"""The FireFly accelerator: build weight images, run them on the model or a board, count cycles.

Nothing here needs torch. ``build`` makes images for the released accelerator (``v1``) from a list of
layers, ``Program`` for the documented extension (``ems``) from named maps; ``Driver`` runs an image on
a ``Device`` or on anything with ``read32``, ``write32`` and ``memory``.

Example:
    >>> import numpy as np
    >>> from lampyris import firefly
    >>> layer = firefly.conv(np.ones((16, 16, 3, 3), np.int8), np.zeros(16, np.int16), threshold=3)
    >>> image = firefly.build([layer], input_shape=(2, 16, 4, 4), parallelism=16)
    >>> result = firefly.Driver(firefly.Device(parallelism=16)).run(image, np.ones((2, 16, 4, 4), bool))
    >>> result.spikes[0].shape, int(result.spikes[0].sum())
    ((2, 16, 4, 4), 512)
"""

from __future__ import annotations

from lampyris.firefly.board import BoardReport, Check, check_board
from lampyris.firefly.boxes import Boxes, find_boxes
from lampyris.firefly.config import PRESETS, Config
from lampyris.firefly.differences import (
    FirstDifference,
    RunComparison,
    compare_runs,
    explain,
    first_difference,
)
from lampyris.firefly.driver import Device, Driver, Result, Transfer, check_program
from lampyris.firefly.hdl import ColumnVectors, column_vectors, column_verilog, simulate_column
from lampyris.firefly.image import Image, RepairWarning, describe_repairs, load, scrub
from lampyris.firefly.layers import Layer, build, conv, linear
from lampyris.firefly.program import Neuron, Program
from lampyris.firefly.pynq_port import REGISTERS, PynqPort, open_board
from lampyris.firefly.resources import Resources, resources
from lampyris.firefly.scrubbing import scrubbers
from lampyris.firefly.timing import Timing, timing
from lampyris.firefly.traces import FolderTrace, save_trace

__all__ = [
    "PRESETS",
    "REGISTERS",
    "BoardReport",
    "Boxes",
    "Check",
    "ColumnVectors",
    "Config",
    "Device",
    "Driver",
    "FirstDifference",
    "FolderTrace",
    "Image",
    "Layer",
    "Neuron",
    "Program",
    "PynqPort",
    "RepairWarning",
    "Resources",
    "Result",
    "RunComparison",
    "Timing",
    "Transfer",
    "build",
    "check_board",
    "check_program",
    "column_vectors",
    "column_verilog",
    "compare_runs",
    "conv",
    "describe_repairs",
    "explain",
    "find_boxes",
    "first_difference",
    "linear",
    "load",
    "open_board",
    "resources",
    "save_trace",
    "scrub",
    "scrubbers",
    "simulate_column",
    "timing",
]

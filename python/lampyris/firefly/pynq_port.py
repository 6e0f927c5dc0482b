"""An accelerator on a board through PYNQ: registers by MMIO, memory by a contiguous buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["REGISTERS", "PynqPort", "open_board"]

REGISTERS = 0x4_0000_0000  # AXI-Lite base of the published designs
REGISTER_BYTES = 0x10000
START, PULSE, DONE, STATUS = 0xFC, 0x48, 0x18, 0x88


class PynqPort:
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
        """The buffer, uint8 [n]."""
        return self._buffer

    @property
    def base_address(self) -> int:
        """Bus address of its first byte."""
        return self._buffer.device_address

    def write32(self, offset: int, value: int) -> None:
        """Writes a register; the buffer is flushed before a start."""
        if offset in (START, PULSE):
            self._buffer.sync_to_device()
            self._running = True
        self._mmio.write(offset, value)

    def read32(self, offset: int) -> int:
        """A register; the buffer is read back when a command is done."""
        value = self._mmio.read(offset)
        done = value & 1 if offset == DONE else offset == STATUS and value & 2
        if self._running and done:
            self._buffer.sync_from_device()
            self._running = False
        return value


def open_board(board: str, *, parallelism: int = 16, register: int = REGISTERS) -> Any:
    """A port for ``Driver`` and ``check_board``.

    Args:
        board: a bitstream, which PYNQ's ``Overlay`` loads, or "model" for the model of this package.
        parallelism: of the model; a board has its own.
        register: bus address of the accelerator's registers.

    Raises:
        ModuleNotFoundError: PYNQ is not installed. FileNotFoundError: no such bitstream.

    Example:
        >>> hex(open_board("model").read32(0x80))
        '0x4c460100'
    """
    if board == "model":
        from lampyris.firefly.driver import Device

        return Device(parallelism=parallelism)
    try:
        from pynq import MMIO, Overlay, allocate
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"board {board}: PYNQ must be installed to load a bitstream (on the board: `pip install pynq`); "
            '"model" runs the model instead'
        ) from error
    Overlay(board)
    return PynqPort(MMIO(register, REGISTER_BYTES), allocate)

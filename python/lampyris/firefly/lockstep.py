"""Every command alone: the model runs the network, the board runs each command on the model's bytes.

A mistake of one command cannot hide behind another's, and a write outside the output maps is seen too.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from lampyris.firefly.driver import Device, Driver
from lampyris.firefly.image import Image

__all__ = ["check_commands"]

IDENTITY, IDENTITY_VALUE = 0x80, 0x4C460100
DONE, PULSE, STATUS, START = 0x18, 0x48, 0x88, 0xFC
PULSE_OUTPUT, STATUS_DONE, STATUS_ERROR = 1 << 8, 1 << 1, 1 << 2
PAGE, ALIGN = 4096, 64
PATIENCE_S = 10.0
PIXEL_BITS = {"spikes": 1, "stream": 16, "int32": 32}


def check_commands(port: Any, image: Image, frame: np.ndarray) -> tuple[bool, str]:
    """Run every command on model and port from the same bytes and compare the arena after each.

    Returns:
        (equal, what was seen): the first wrong byte with its layer, map, time step, tile, pixel, channel.

    Raises:
        TimeoutError: the port never says that it is done. ValueError: it reports an error, or lacks the
            registers that the image needs.
    """
    if image.plan["target"] == "ems" and port.read32(IDENTITY) != IDENTITY_VALUE:
        raise ValueError("the device has no extension registers, which target ems needs")
    steps = _Lockstep(port, image)
    Driver(steps, keep="results").run(image, frame)
    commands = f"{steps.commands} commands"
    if steps.wrong:
        return False, f"{len(steps.wrong)} of {commands} differ from the model; {steps.wrong[0]}"
    return True, f"{commands} of {len(image.layers)} layers equal the model's, byte for byte"


class _Lockstep:
    """A port that drives the model and repeats each of its commands on the board."""

    base_address = 0

    def __init__(self, board: Any, image: Image) -> None:
        self._board, self._image = board, image
        # Parameters lie from the image base, the arena starts at the next page (docs/contract.md 6).
        parameters = sum(
            -(-t.nbytes // ALIGN) * ALIGN for name, t in image.tensors.items() if "layer." in name
        )
        self._arena = -(-parameters // PAGE) * PAGE
        self._used = self._arena + int(image.plan["arena"]["bytes"])
        self._model = Device(parallelism=int(image.plan["parallelism"]), memory_bytes=max(self._used, PAGE))
        self.memory = self._model.memory
        self._ems = image.plan["target"] == "ems"
        self._pending = self._loaded = False
        self._commands = [
            (number, writes)
            for number, layer in enumerate(image.layers)
            for writes in _split(layer.registers.tolist())
        ]
        self.commands = 0
        self.wrong: list[str] = []

    def reserve(self, count: int) -> None:
        if hasattr(self._board, "reserve"):
            self._board.reserve(count)

    def write32(self, offset: int, value: int) -> None:
        if _starts(offset, value):
            if not self._loaded:
                self._memory(self._board)[: self._arena] = self.memory[: self._arena]
                self._loaded = True
            self._memory(self._board)[self._arena :] = self.memory[self._arena : self._used]
            self._pending = True
        self._model.write32(offset, value)

    def read32(self, offset: int) -> int:
        value = self._model.read32(offset)
        done = value & STATUS_DONE if offset == STATUS else offset == DONE and value & 1
        if self._pending and done:
            self._pending = False
            self._repeat()
        return value

    def _memory(self, board: Any) -> np.ndarray:
        return np.asarray(board.memory)[: self._used]

    def _repeat(self) -> None:
        number, writes = self._commands[self.commands]
        self.commands += 1
        base = getattr(self._board, "base_address", 0)
        bases = (0, base, base + self._arena)
        if self._ems:
            self._board.write32(STATUS, STATUS_DONE | STATUS_ERROR)
        for word, value in writes:
            self._board.write32(word & 0xFFFF, (value + bases[word >> 16]) & 0xFFFFFFFF)
        self._wait(number)
        got, expected = self._memory(self._board)[self._arena :], self.memory[self._arena : self._used]
        if not np.array_equal(got, expected):
            at = int(np.flatnonzero(got != expected)[0])
            self.wrong.append(self._place(number, at, int(got[at]), int(expected[at])))

    def _wait(self, number: int) -> None:
        name = self._image.plan["layers"][number]["name"]
        limit = time.monotonic() + PATIENCE_S
        while True:
            if self._ems:
                status = self._board.read32(STATUS)
                if status & STATUS_ERROR:
                    raise ValueError(f"layer {name}: device error {status >> 8 & 0xFF}")
                if status & STATUS_DONE:
                    return
            elif self._board.read32(DONE) & 1:
                self._board.write32(DONE, 0)
                return
            if time.monotonic() > limit:
                raise TimeoutError(f"layer {name}: no done flag after {PATIENCE_S:.0f} s")

    def _place(self, number: int, at: int, got: int, expected: int) -> str:
        """What the arena holds at byte `at` behind layer `number`."""
        layer, p = self._image.plan["layers"][number], int(self._image.plan["parallelism"])
        values = f"board 0x{got:02X}, model 0x{expected:02X}"
        outputs = {layer["spikes"], layer["stream"], layer["int32"]} - {""}
        for entry in self._image.plan["arena"]["maps"]:
            pixel = PIXEL_BITS[entry["kind"]] * p // 8
            block = entry["height"] * entry["width"] * pixel
            if entry["name"] not in outputs:
                continue
            for t in range(entry["steps"]):
                for tile in range(-(-entry["channels"] // p)):
                    first = entry["offset"] + t * entry["stride_t"] + tile * entry["stride_c"]
                    if first <= at < first + block:
                        y, x = divmod((at - first) // pixel, entry["width"])
                        bit = (got ^ expected) & -(got ^ expected)
                        inside = (at - first) % pixel * 8 + bit.bit_length() - 1
                        channel = tile * p + inside // PIXEL_BITS[entry["kind"]]
                        place = f"t {t}, tile {tile}, pixel (y, x) ({y}, {x}), channel {channel}"
                        return f"layer {layer['name']}: {entry['kind']} {entry['name']} at {place}: {values}"
        return f"layer {layer['name']}: arena byte {at} outside its outputs: {values}"


def _starts(offset: int, value: int) -> bool:
    return (offset == START and value & 1 == 1) or (offset == PULSE and value & PULSE_OUTPUT != 0)


def _split(writes: list[list[int]]) -> list[list[list[int]]]:
    """The commands of a layer: writes up to each start."""
    commands: list[list[list[int]]] = [[]]
    for word, value in writes:
        commands[-1].append([word, value])
        if _starts(word & 0xFFFF, value):
            commands.append([])
    return [command for command in commands if command]

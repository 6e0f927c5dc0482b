"""Bringing up a board: does the accelerator behind a port do what the model does?

A port has ``read32(offset)``, ``write32(offset, value)`` and ``memory``, as for ``Driver``. The checks go
from the outside in: registers, data movers, every command alone on the model's data, the whole
network, speed. Needs no torch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lampyris.firefly.differences import compare_runs
from lampyris.firefly.driver import Device, Driver
from lampyris.firefly.image import Image
from lampyris.firefly.layers import build, conv
from lampyris.firefly.lockstep import IDENTITY, IDENTITY_VALUE, check_commands
from lampyris.firefly.timing import timing

__all__ = ["BoardReport", "Check", "check_board"]

CAPABILITY = 0x84
HAS_V1 = 1 << 8
V1_REGISTERS = (0x00, 0x04, 0x08, 0x0C, 0x20, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x40, 0x44)
EXTENSION_REGISTERS = tuple(range(0x90, 0xEC, 4))
PATTERNS = (0xFFFFFFFF, 0xAAAAAAAA, 0x55555555, 0x00000000)
LOOPBACK_SIDES = (4, 16, 64)


@dataclass(frozen=True)
class Check:
    """One check: ok is None where it could not be done; detail says what was seen."""

    name: str
    ok: bool | None
    detail: str


@dataclass
class BoardReport:
    """All checks, in order. ``throughput``: frames per second measured and modelled."""

    checks: list[Check] = field(default_factory=list)
    throughput: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing failed."""
        return any(check.ok for check in self.checks) and all(check.ok is not False for check in self.checks)

    def __str__(self) -> str:
        words = {True: "ok", False: "FAILED", None: "skipped"}
        return "\n".join(f"{words[check.ok]:8}{check.name}: {check.detail}" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {"ok": self.ok, "checks": [asdict(c) for c in self.checks], "throughput": self.throughput}


def check_board(
    port: Any,
    image: Image | None = None,
    inputs: np.ndarray | None = None,
    *,
    frames: int = 10,
    seed: int = 0,
) -> BoardReport:
    """Compare an accelerator with the model, step by step. A failed step does not stop the next ones.

    Args:
        port: the board: anything that ``Driver`` takes.
        image: network to run; without it only registers and data movers are checked.
        inputs: one frame as for ``Driver.run``; without it random values.
        frames: runs for the throughput, 0 for none.
        seed: of random values.

    Returns:
        BoardReport with the checks "registers", "data movers", "commands", "network" and "throughput".

    Example:
        >>> from lampyris import firefly
        >>> layer = firefly.conv(np.ones((16, 16, 3, 3), np.int8), np.zeros(16, np.int16), threshold=3)
        >>> image = firefly.build([layer], input_shape=(2, 16, 4, 4))
        >>> report = check_board(firefly.Device(), image, frames=1)
        >>> report.ok, [check.name for check in report.checks]
        (True, ['registers', 'data movers', 'commands', 'network', 'throughput'])
    """
    report = BoardReport()
    rng = np.random.default_rng(seed)
    identity = port.read32(IDENTITY)
    capability = port.read32(CAPABILITY) if identity == IDENTITY_VALUE else None
    report.checks.append(_registers(port, capability is not None))
    if capability is None:
        parallelism = 16 if image is None else int(image.plan["parallelism"])
    else:
        parallelism = capability & 0xFF
    report.checks.append(_data_movers(port, parallelism, capability, rng))
    if image is None:
        return report
    frame = _random_frame(image, rng) if inputs is None else inputs
    report.checks.append(_guarded("commands", lambda: check_commands(port, image, frame)))
    report.checks.append(_guarded("network", lambda: _network(port, image, frame)))
    if frames > 0:
        report.checks.append(
            _guarded("throughput", lambda: _throughput(port, image, frame, frames, report.throughput))
        )
    return report


def _guarded(name: str, check: Any) -> Check:
    """The check's (ok, detail); an error of driver or device fails it."""
    try:
        return Check(name, *check())
    except (ValueError, OSError, TimeoutError) as error:
        return Check(name, False, str(error))


def _registers(port: Any, extension: bool) -> Check:
    offsets = V1_REGISTERS + (EXTENSION_REGISTERS if extension else ())
    wrong = list(_wrong_echoes(port, offsets))
    if wrong and not extension and all(got == 0 for _, _, got in wrong):
        return Check("registers", None, "this build's configuration registers cannot be read back")
    if wrong:
        offset, wrote, got = wrong[0]
        detail = f"register 0x{offset:02X}: wrote 0x{wrote:08X}, read 0x{got:08X}"
        return Check("registers", False, f"{detail}, {len(wrong)} wrong echoes")
    kind = "v1 and extension" if extension else "v1"
    return Check("registers", True, f"{len(offsets)} registers of {kind} echo {len(PATTERNS)} patterns")


def _wrong_echoes(port: Any, offsets: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    for pattern in PATTERNS:
        values = {offset: (pattern ^ offset) & 0xFFFFFFFF for offset in offsets}
        for offset, value in values.items():
            port.write32(offset, value)
        for offset, value in values.items():
            if (got := port.read32(offset)) != value:
                yield offset, value, got


def _data_movers(port: Any, parallelism: int, capability: int | None, rng: np.random.Generator) -> Check:
    if capability is not None and not capability & HAS_V1:
        return Check("data movers", None, "the device has no v1 layers to copy spikes with")

    def copy() -> tuple[bool, str]:
        weight = np.zeros((parallelism, parallelism, 3, 3), np.int8)
        weight[np.arange(parallelism), np.arange(parallelism), 1, 1] = 1
        layer = conv(weight, np.zeros(parallelism, np.int16), threshold=0)
        driver, moved = Driver(port), 0
        for side in LOOPBACK_SIDES:
            image = build([layer], (2, parallelism, side, side), parallelism=parallelism)
            spikes = rng.random((2, parallelism, side, side)) < 0.5
            back = driver.run(image, spikes).spikes[0]
            if not np.array_equal(back, spikes):
                t, c, y, x = np.argwhere(back != spikes)[0].tolist()
                count = int((back != spikes).sum())
                return False, (
                    f"{count} of {spikes.size} spikes come back changed, the first at t {t}, "
                    f"pixel (y, x) ({y}, {x}), channel {c} of a {side} x {side} map"
                )
            moved += 2 * spikes.size // 8
        return True, f"{moved} bytes through a layer of identity weights and back"

    return _guarded("data movers", copy)


def _random_frame(image: Image, rng: np.random.Generator) -> np.ndarray:
    plan = image.plan
    if "host_stem" in plan:
        stem = plan["host_stem"]
        shape = tuple(stem[f"in_{name}"] for name in ("steps", "channels", "height", "width"))
        return rng.integers(0, 256, shape, dtype=np.uint8)
    entry = next(entry for entry in plan["arena"]["maps"] if entry["name"] == plan["input"])
    shape = tuple(entry[name] for name in ("steps", "channels", "height", "width"))
    if entry["kind"] == "spikes":
        return rng.random(shape) < 0.25
    return rng.integers(-500, 500, shape).astype(np.int16)


def _network(port: Any, image: Image, frame: np.ndarray) -> tuple[bool, str]:
    model = Driver(Device(parallelism=int(image.plan["parallelism"]), trace=True)).run(image, frame)
    board = Driver(port).run(image, frame)
    found = compare_runs(image, board, model, names=("board", "model"), inputs=frame)
    if found.first is not None:
        return False, f"{found.differing} of {found.values} values differ; first: {found.first}".rstrip()
    return True, f"{found.values} values in {len(found.compared)} maps equal the model's"


def _throughput(
    port: Any, image: Image, frame: np.ndarray, frames: int, figures: dict[str, float]
) -> tuple[bool, str]:
    driver = Driver(port, keep="results")
    cycles = driver.run(image, frame).cycles
    begin = time.perf_counter()
    for _ in range(frames):
        driver.run(image, frame)
    figures["measured"] = frames / (time.perf_counter() - begin)
    modelled = timing(image, image.plan["preset"])
    figures["modelled"] = modelled.frames_per_second
    return True, (
        f"{figures['measured']:.1f} frames/s with host work, {figures['modelled']:.1f} modelled on "
        f"{modelled.preset}; {cycles} cycles"
    )

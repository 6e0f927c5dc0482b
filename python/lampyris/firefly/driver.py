"""Running an image: the device model, the driver, and what a run gives."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from lampyris.firefly.arrays import to_native
from lampyris.firefly.config import Config
from lampyris.firefly.image import Image

__all__ = ["Device", "DeviceCore", "Driver", "Result", "Transfer", "check_program"]


class Transfer(NamedTuple):
    """One DataMover command: ``mover`` is parameters, input, output, stream_in or stream_out; ``word``
    the 72 bits on the command stream, lowest byte first."""

    mover: str
    address: int
    bytes: int
    word: bytes


class Device:
    """The accelerator behind its registers (contract section 5), with its DDR memory.

    Args:
        parallelism: P, 16 or 32.
        datapath: "functional", packed bits at processor speed; "cascade" (the paper's chains of
            eight slices) or "tree" (the released source's single slices), clock by clock. All give
            the same bits.
        trace: keep every X, membrane and spike of each command, stored or not.
        preset: board whose bus widths the cycle counter uses.
        memory_bytes: DDR; pages are taken when first touched.
        strict: a wrong register sequence raises ValueError with its reason; otherwise it does what the
            hardware does (an error code, a wrong result, or a done flag that never comes).
        cores: cores that share the DDR; core i answers at offset ``i * 0x10000``, see ``core``.
        config: a ``Config`` instead of parallelism, preset, datapath and cores.

    Example:
        >>> device = Device(parallelism=16)
        >>> hex(device.read32(0x80)), device.read32(0x84) & 0xFF
        ('0x4c460100', 16)
        >>> Device(strict=True).write32(0x80, 1)
        Traceback (most recent call last):
            ...
        ValueError: device: register 0x80 must not be written
    """

    def __init__(
        self,
        parallelism: int = 16,
        datapath: str = "functional",
        trace: bool = False,
        *,
        preset: str = "zcu104",
        memory_bytes: int = 1 << 30,
        strict: bool = False,
        cores: int = 1,
        config: Config | None = None,
    ) -> None:
        from lampyris import _native

        if config is not None:
            parallelism, preset, datapath, cores = (
                config.parallelism,
                config.preset,
                config.datapath,
                config.cores,
            )
        text = "" if config is None else config.to_json()
        self._native = _native.firefly.Device(
            parallelism, preset, datapath, trace, memory_bytes, strict, cores, text
        )
        self.parallelism, self.datapath, self.trace, self.preset = parallelism, datapath, trace, preset
        self.strict, self.cores = strict, cores

    def core(self, index: int) -> DeviceCore:
        """One core with its share of the memory, for a ``Driver`` of its own.

        Raises:
            ValueError: no such core.
        """
        return DeviceCore(self, index)

    def reset(self) -> None:
        """Power-on state of registers, FIFOs and toggle; the memory keeps its bytes."""
        self._native.reset()

    @property
    def interrupt(self) -> bool:
        """The interrupt line of core 0: done or error, where bit 0 of 0x8C enables it."""
        return self._native.interrupt()

    @property
    def transfers(self) -> list[Transfer]:
        """DataMover commands of the command started last, in the order of each stream."""
        return [Transfer(*transfer) for transfer in self._native.transfers()]

    def read32(self, offset: int) -> int:
        """A register; 0 where there is none. Reading the status or the done flag ends a command."""
        return self._native.read32(offset)

    def write32(self, offset: int, value: int) -> None:
        """Writes a register. A mistake sets the error code of the status register (0x88)."""
        self._native.write32(offset, value)

    @property
    def memory(self) -> np.ndarray:
        """DDR, uint8 [memory_bytes], shared with the device."""
        return self._native.memory


class DeviceCore:
    """A core of a ``Device``: a port with registers at 0 and memory of its own."""

    def __init__(self, device: Device, index: int) -> None:
        from lampyris import _native

        self._native = _native.firefly.CorePort(device._native, index)
        self.device, self.index = device, index

    def read32(self, offset: int) -> int:
        """A register of this core."""
        return self._native.read32(offset)

    def write32(self, offset: int, value: int) -> None:
        """Writes a register of this core."""
        self._native.write32(offset, value)

    @property
    def base_address(self) -> int:
        """Bus address of this core's first byte."""
        return self._native.base_address

    @property
    def memory(self) -> np.ndarray:
        """This core's share of the DDR, uint8."""
        return self._native.memory


class _Maps(Mapping[Any, np.ndarray]):
    """Maps of one kind by node name (or layer index on v1), decoded at each access."""

    def __init__(self, native: object, kind: str, indexed: list[str], squeeze: bool = False) -> None:
        self._native, self._kind, self._squeeze = native, kind, squeeze
        self._indexed = indexed

    def __getitem__(self, key: str | int) -> np.ndarray:
        name = key
        if isinstance(key, int):
            if not -len(self._indexed) <= key < len(self._indexed):
                raise KeyError(key)
            name = self._indexed[key]
        if name not in self._native.keys(self._kind):
            raise KeyError(key)
        array = self._native.decode(self._kind, name)
        return array[0] if self._squeeze else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._native.keys(self._kind))

    def __len__(self) -> int:
        return len(self._native.keys(self._kind))


class Result:
    """What one run gave.

    Attributes:
        spikes: bool [T, C, H, W] by node name; on v1 also by layer index.
        streams: int16 [T or 1, C, H, W], stored ones; with a tracing device those of every node.
        membranes: int32 [T, C, H, W] after reset; only with a tracing device.
        outputs: int32 [C, H, W] accumulators (or last membranes).
        clamped: number of values that sat16 changed, by node; saturated: of membranes at 18 bits.
        cycles: of the whole frame; layer_cycles: by layer.
        classes: winner-takes-all networks: the class that fires in the last step (the first of
            several), else None.
    """

    def __init__(self, native: object, plan: Mapping[str, Any]) -> None:
        self.spikes = _Maps(native, "spikes", native.layer_spikes)
        self.streams = _Maps(native, "streams", [])
        self.membranes = _Maps(native, "membranes", native.layer_membranes)
        self.outputs = _Maps(native, "outputs", [], squeeze=True)
        self.membrane = self.membranes
        self.clamped: dict[str, int] = dict(native.clamped())
        self.saturated: dict[str, int] = dict(native.saturated())
        self.cycles: int = native.cycles
        self.layer_cycles: list[int] = native.layer_cycles
        self.classes: int | None = native.predicted if native.predicted >= 0 else None
        self._plan = plan

    def readout(self, key: str) -> np.ndarray:
        """Real values of an output, float64 [C, H, W]: accumulator times step over T.

        Raises:
            ValueError: the image has no steps for ``key``.
        """
        codings = [self._plan.get("host_output"), *self._plan.get("further_outputs", [])]
        coding = next((c for c in codings if c is not None and c["name"] == key), None)
        if coding is None:
            raise ValueError(f"readout: key must be an output with steps, got {key!r}")
        step = np.array([float.fromhex(text) for text in coding["step"]])
        return self.outputs[key] * step[:, None, None] / self._plan["time_steps"]


class Driver:
    """The host program: loads an image, runs its commands through the registers, reads results.

    Args:
        device: a ``Device``, or any object with ``read32(offset)``, ``write32(offset, value)`` and
            ``memory`` (a writable buffer); ``base_address`` is the bus address of its first byte.
        keep: "stored" reads back every map that is written to memory, "results" only those that
            no layer reads.

    Example:
        >>> from lampyris import firefly
        >>> program = firefly.Program(time_steps=1)
        >>> x = program.input("x", channels=1, height=2, width=2)
        >>> s = program.neuron("s", x, threshold=0)
        >>> frame = np.array([[[[5, -5], [0, 1]]]], np.int16)
        >>> Driver(Device()).run(program.build(), frame).spikes["s"][0, 0].astype(int).tolist()
        [[1, 0], [0, 1]]
    """

    def __init__(self, device: object, keep: str = "stored") -> None:
        from lampyris import _native

        if keep not in ("stored", "results"):
            raise ValueError(f"driver: keep must be stored or results, got {keep!r}")
        for name in ("read32", "write32", "memory"):
            if not hasattr(device, name):
                raise ValueError(f"driver: device must have read32, write32 and memory, got no {name}")
        port = device._native if isinstance(device, (Device, DeviceCore)) else device
        self.device = device
        self._native = _native.firefly.Driver(port, keep == "results")
        self._loaded: list[object] = []

    def load(self, image: Image) -> None:
        """Checks the image against its registers and copies its parameters to the device.

        Raises:
            ValueError: plan and registers differ, or the device is another one.
        """
        from lampyris import _native

        self._native.load(_native.firefly.LoadedImage(*to_native(image)))
        self._loaded = _identity(image)

    def run(self, image: Image, inputs: np.ndarray) -> Result:
        """One frame; the image is loaded again when it is another object or holds other tensors.

        Args:
            image: from ``build``, ``Program.build`` or ``load``.
            inputs: uint8 [C, H, W] or [T, C, H, W] where the image has a host stem; else bool
                spikes [T, C, H, W], or int16 currents [1 or T, C, H, W] for a stream input.

        Raises:
            ValueError: another shape or type, or an error that the device reports.
        """
        identity = _identity(image)
        if len(identity) != len(self._loaded) or any(map(operator.is_not, identity, self._loaded)):
            self.load(image)
        return Result(self._native.run(_frame(image, inputs)), image.plan)


def _identity(image: Image) -> list[object]:
    return [image.plan, *image.tensors.values()]


def _frame(image: Image, inputs: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(inputs)
    if array.ndim == 3 and "host_stem" in image.plan:
        array = array[None]
    return array


def check_program(image: Image) -> None:
    """Agreement of registers, parameters and plan (contract section 6, item 6).

    Raises:
        ValueError: the first difference.
    """
    from lampyris import _native

    _native.firefly.check_program(*to_native(image))

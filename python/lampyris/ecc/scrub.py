"""Read, correct, write back: what keeps single upsets in a weight memory from adding up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lampyris.ecc.protection import PRESETS

__all__ = ["ScrubCounters", "Scrubber"]

MASK_PERIOD = 64  # pages after which the masks repeat


@dataclass
class ScrubCounters:
    """What a scrubber has done.

    Attributes:
        pages: read.
        corrected_pages, corrected_bits: set right and written back.
        uncorrectable_pages: found beyond correction, left as they are.
        passes: over the whole memory.
    """

    pages: int = 0
    corrected_pages: int = 0
    corrected_bits: int = 0
    uncorrectable_pages: int = 0
    passes: int = 0


class Scrubber:
    """Walks through a memory and corrects it in place.

    Args:
        data: uint8 [n], writable: the memory, or a view of a part such as ``device.memory[a:b]``.
        words: uint8, writable: its check words, or None to make them from what ``data`` holds now.
        preset: of the pages (``ecc.PRESETS``).

    Attributes:
        counters: totals since it was made.
        uncorrectable: numbers of the pages found beyond correction in the latest visit of each.
        repeated: how often a page had to be corrected; a page that comes back has a broken cell.

    Raises:
        ValueError: an unknown preset, a read-only memory, or check words of another length.

    Example:
        >>> import numpy as np
        >>> memory = np.arange(1000, dtype=np.uint8)
        >>> scrubber = Scrubber(memory, preset="line")
        >>> memory[[5, 700]] ^= 1
        >>> scrubber.run().corrected_bits, memory[5], memory[700] == 700 % 256
        (2, np.uint8(5), np.True_)
    """

    def __init__(self, data: np.ndarray, words: np.ndarray | None = None, preset: str = "row") -> None:
        from lampyris import _native

        if preset not in PRESETS:
            raise ValueError(f"scrubber: preset must be one of {', '.join(PRESETS)}, got {preset}")
        if words is None:
            words = np.frombuffer(_native.ecc.encode_section(preset, data), np.uint8).copy()
        self._native, self.preset, self.data, self.words = _native.ecc, preset, data, words
        code = PRESETS[preset]
        self.pages = -(-len(data) // code.page_bytes)
        for what, array in (("data", data), ("words", words)):
            if array.dtype != np.uint8 or array.ndim != 1 or not array.flags.writeable:
                got = f"{array.dtype} {list(array.shape)}"
                raise ValueError(f"scrubber: {what} must be a writable uint8 array [n], got {got}")
        if len(words) != (expected := self.pages * code.word_bytes):
            raise ValueError(f"scrubber: words must have {expected} bytes, got {len(words)}")
        self.counters = ScrubCounters()
        self.uncorrectable: set[int] = set()
        self.repeated: dict[int, int] = {}
        self._next = 0

    def step(self, pages: int = 1024) -> list[int]:
        """Visit the next pages, at most up to the end of the memory.

        Args:
            pages: a multiple of 64.

        Returns:
            Numbers of the pages that are beyond correction among them.

        Raises:
            ValueError: another number.
        """
        if pages < 1 or pages % MASK_PERIOD:
            raise ValueError(f"scrubber: pages must be a positive multiple of {MASK_PERIOD}, got {pages}")
        code, first = PRESETS[self.preset], self._next
        end = min(first + pages, self.pages)
        corrected, lost = self._native.repair_section(
            self.preset,
            self.data[first * code.page_bytes : end * code.page_bytes],
            self.words[first * code.word_bytes : end * code.word_bytes],
        )
        for page, bits in corrected:
            self.counters.corrected_bits += bits
            self.repeated[first + page] = self.repeated.get(first + page, 0) + 1
        self.counters.pages += end - first
        self.counters.corrected_pages += len(corrected)
        self.counters.uncorrectable_pages += len(lost)
        self.uncorrectable -= set(range(first, end))
        self.uncorrectable |= {first + page for page in lost}
        self._next = 0 if end == self.pages else end
        self.counters.passes += end == self.pages
        return [first + page for page in lost]

    def run(self) -> ScrubCounters:
        """Visit every page once, from the first; returns the counters."""
        self._next = 0
        passes = self.counters.passes
        while self.counters.passes == passes:
            self.step()
        return self.counters

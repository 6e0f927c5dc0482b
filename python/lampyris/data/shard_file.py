"""One shard of cached samples: a safetensors file, written whole or not at all, read through a memory map."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from lampyris import _native
from lampyris.data.detection_set import Target
from lampyris.files import atomic_write

__all__ = ["CACHE_FILE", "Shard", "write_shard"]

CACHE_FILE = "cache.json"  # describes a folder of shards

_DTYPES = {"U8": np.uint8, "I64": np.int64, "F32": np.float32}
_HEADER_LIMIT = 1 << 20


def write_shard(path: str | os.PathLike, samples: list[tuple[torch.Tensor, Target]], background: int) -> int:
    """Write samples and targets; returns the bytes of the file.

    Samples are stored as masks of the bytes that differ from ``background`` (csrc/events/mask_codec.h), or as
    they are where that is not smaller. Target tensors are concatenated; "image_id" is kept per sample.
    """
    coded = []
    for sample, _ in samples:
        raw = np.ascontiguousarray(sample.numpy()).reshape(-1)
        small = _native.events.encode_masked(raw, background)
        coded.append(small if small.size < raw.size else raw)
    targets = [target for _, target in samples]
    keys = sorted(key for key in targets[0] if key != "image_id")
    rows = [len(target["boxes"]) for target in targets]
    tensors = {
        "data": np.concatenate(coded),
        "offsets": np.cumsum([0, *(chunk.size for chunk in coded)], dtype=np.int64),
        "rows": np.cumsum([0, *rows], dtype=np.int64),
        "image_id": np.array([target["image_id"] for target in targets], np.int64),
    }
    tensors |= {f"target.{key}": torch.cat([target[key] for target in targets]).numpy() for key in keys}
    checksum = _native.io.crc32c(tensors["data"])
    # One key: the order of several in the file is random.
    content = save(tensors, {"lampyris": f"{len(samples)} samples, crc32c {checksum:08x}"})
    atomic_write(path, content)
    return len(content)


class Shard:
    """A shard on disk, mapped.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no shard, or cut short.
    """

    def __init__(self, path: Path, sample_shape: tuple[int, ...], background: int) -> None:
        self.path = path
        self.sample_shape = sample_shape
        self.background = background
        try:
            whole = np.memmap(path, np.uint8, "r").view(np.ndarray)
        except ValueError:  # an empty file cannot be mapped
            raise ValueError(f"frame cache: {path} must be a shard, got an empty file") from None
        try:
            length = int(whole[:8].view("<u8")[0])
            header = json.loads(whole[8 : 8 + min(length, _HEADER_LIMIT)].tobytes())
            words = header.pop("__metadata__")["lampyris"].split()
            self.samples, self.checksum = int(words[0]), int(words[-1], 16)
            self._tensors = {
                name: self._view(whole[8 + length :], entry) for name, entry in sorted(header.items())
            }
            self._offsets, self._rows = self._tensors["offsets"], self._tensors["rows"]
            sound = (
                len(self._offsets)
                == len(self._rows)
                == len(self._tensors["image_id"]) + 1
                == self.samples + 1
            )
            if not sound or self._offsets[-1] != self._tensors["data"].size:
                raise ValueError("its parts do not belong together")
        except (ValueError, KeyError, TypeError, IndexError) as error:
            reason = " ".join(str(error).split())[:80]
            raise ValueError(f"frame cache: {path} must be a whole shard, got {reason}: cut short?") from None

    @staticmethod
    def _view(data: np.ndarray, entry: dict) -> np.ndarray:
        first, last = entry["data_offsets"]
        if not 0 <= first <= last <= data.size:
            raise ValueError("a tensor beyond the end of the file")
        return data[first:last].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])

    def read(self, place: int) -> tuple[torch.Tensor, Target]:
        """Sample and target number ``place`` of this shard."""
        chunk = self._tensors["data"][self._offsets[place] : self._offsets[place + 1]]
        sample = torch.empty(self.sample_shape, dtype=torch.uint8)
        if chunk.size == sample.numel():
            sample.view(-1).numpy()[:] = chunk
        else:
            _native.events.decode_masked(chunk, self.background, sample.view(-1).numpy())
        first, last = self._rows[place], self._rows[place + 1]
        target: Target = {
            name.removeprefix("target."): torch.from_numpy(tensor[first:last].copy())
            for name, tensor in self._tensors.items()
            if name.startswith("target.")
        }
        return sample, {**target, "image_id": int(self._tensors["image_id"][place])}

    def is_whole(self) -> bool:
        """Whether the data has the checksum it was written with (reads all of it)."""
        return _native.io.crc32c(self._tensors["data"]) == self.checksum

"""Checkpoint files that are whole whenever a process dies."""

from __future__ import annotations

from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from lampyris.files import atomic_write

__all__ = ["AtomicCheckpoints"]


class AtomicCheckpoints(TorchCheckpointIO):
    """Write checkpoints beside their target, flush them to disk, and rename them over it.

    Lightning's own files pass through the folder for temporary files, which may lie on another disk: then
    the last step is a copy, and a process killed in it leaves half a checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        if storage_options is not None:
            raise TypeError(f"AtomicCheckpoints: storage_options must be None, got {storage_options!r}")
        atomic_write(path, lambda file: torch.save(checkpoint, file))

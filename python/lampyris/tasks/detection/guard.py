"""A training that goes wrong stops at once, and leaves what is needed to see why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from lampyris.files import atomic_write

__all__ = ["NonFiniteLoss", "sample_names", "stop"]

SHOWN = 4


class NonFiniteLoss(ValueError):
    """Loss or gradient is NaN or infinite; the message names step, samples and files written."""


def sample_names(data: Any, targets: Sequence[dict[str, Any]], split: str = "train") -> list[str]:
    """The file of each sample, with the label time for recordings; the image_id where there is no file."""
    ids = [int(t["image_id"]) for t in targets]
    folder = getattr(getattr(data, "dataset", lambda _: None)(split), "source", None)
    folder = getattr(folder, "folder", None)
    if hasattr(folder, "images"):
        paths = {image.id: str(image.path) for image in folder.images}
        return [paths.get(i, f"image_id {i}") for i in ids]
    if hasattr(folder, "labels") and hasattr(folder, "files"):
        labels = [folder.labels[i] for i in ids]
        return [f"{folder.files[label.recording].path} at {label.t} us" for label in labels]
    return [f"image_id {i}" for i in ids]


def stop(
    task: lightning.LightningModule,
    what: str,
    value: float,
    batch: tuple[Tensor, Sequence[dict[str, Any]]],
) -> None:
    """Write ``nonfinite.ckpt`` (before the step) and ``nonfinite_batch.pt``, then raise.

    Raises:
        NonFiniteLoss: always.
    """
    from .checkpoint import save_model

    trainer = task.trainer
    names = sample_names(getattr(trainer, "datamodule", None), batch[1])
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    place = f"epoch {trainer.current_epoch}, step {trainer.global_step}"
    if trainer.world_size > 1:
        place += f", process {trainer.global_rank}"
    message = f"training: {what} must be finite, got {value} at {place}; samples: {shown}"
    if trainer.checkpoint_callbacks:
        folder = Path(trainer.log_dir or trainer.default_root_dir)
        suffix = f"_{trainer.global_rank}" if trainer.world_size > 1 else ""
        saved, content = folder / f"nonfinite{suffix}.ckpt", folder / f"nonfinite_batch{suffix}.pt"
        if suffix:  # a whole checkpoint needs all processes, and the others do not come here
            save_model(
                saved,
                task.model,
                class_names=task.class_names or [],
                time_steps=task.eval_time_steps,
                box_scale=task.box_scale,
            )
        else:
            trainer.save_checkpoint(saved)
        record = {"images": batch[0].cpu(), "targets": list(batch[1]), "samples": names, "what": what}
        atomic_write(content, lambda file: torch.save(record, file))
        message += f"; wrote {saved} and {content.name}"
    raise NonFiniteLoss(message)

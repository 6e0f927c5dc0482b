"""Training as one function call."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as lightning
import torch

from .callbacks import ExactResume, ResultsTable, SamplePictures
from .module import DetectionTask
from .saving import AtomicCheckpoints

__all__ = ["quiet_lightning", "train_detector"]

CLIP_NORM = 10.0


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's advice about loaders, devices and logging intervals."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def train_detector(
    model: torch.nn.Module,
    data: lightning.LightningDataModule,
    *,
    epochs: int = 9,
    seed: int = 0,
    folder: str | os.PathLike | None = None,
    validate_every: int = 3,
    progress: bool = True,
    resume: str | os.PathLike | None = None,
    trainer_options: dict[str, Any] | None = None,
    **task_options: Any,
) -> DetectionTask:
    """Train a detector in float and return its task; the model itself is changed in place.

    Args:
        model: made by `lampyris.models.ems_yolo`, with its fresh weights.
        data: a detection data module of `lampyris.data`.
        epochs: passes over the training split.
        seed: of torch's, numpy's and Python's generators. It does not touch the weights that ``model`` has.
        folder: for logs, pictures and checkpoints; None writes nothing.
        validate_every: epochs between validations; 0 for none.
        progress: show a progress bar.
        resume: checkpoint to continue from.
        trainer_options: further arguments of `lightning.pytorch.Trainer`.
        **task_options: arguments of `DetectionTask`.

    Returns:
        The task; ``task.model`` is the trained model, in evaluation mode at T = ``eval_time_steps``.
    """
    lightning.seed_everything(seed, workers=True, verbose=False)
    task = DetectionTask(model, **task_options)
    writes = folder is not None
    callbacks: list[lightning.Callback] = [ExactResume()]
    if writes:
        from lightning.pytorch.callbacks import ModelCheckpoint

        checkpoint = ModelCheckpoint(
            folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        )
        callbacks += [ResultsTable(str(folder)), SamplePictures(), checkpoint]
    options: dict[str, Any] = {
        "max_epochs": epochs,
        "gradient_clip_val": CLIP_NORM,
        "check_val_every_n_epoch": validate_every or 1,
        "limit_val_batches": 1.0 if validate_every else 0,
        "num_sanity_val_steps": 0,
        "enable_progress_bar": progress,
        "enable_model_summary": False,
        "enable_checkpointing": writes,
        "default_root_dir": str(folder) if writes else None,
        "logger": _tensorboard(folder) if writes else False,
        "callbacks": callbacks,
        "plugins": [AtomicCheckpoints()],
        "accelerator": "auto",
        "devices": 1,
        **(trainer_options or {}),
    }
    with quiet_lightning():
        trainer = lightning.Trainer(**options)
        trainer.fit(task, datamodule=data, ckpt_path=None if resume is None else str(resume))
    from lampyris import nn

    nn.set_time_steps(task.model, task.eval_time_steps)
    task.model.cpu().eval()
    return task


def _tensorboard(folder: Any) -> lightning.loggers.Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(str(folder), name="", version="")

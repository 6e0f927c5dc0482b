"""Quantization-aware training inside Lightning."""

from __future__ import annotations

import itertools
import os
from typing import Any

import lightning.pytorch as lightning
import torch

from .apply import apply_plan
from .config import ExactConfig
from .plan import plan_of
from .prepare import prepare
from .pruning import Pruner, Pruning
from .ranges import inputs_of

__all__ = ["ExactTraining"]


class ExactTraining(lightning.Callback):
    """Make the task's ``model`` exact before its optimizer is made, prune on schedule, save the plan.

    Give the task a rate of 1e-3 or less and no weight decay: the norms are folded. A task with
    ``train_time_steps`` and ``eval_time_steps`` is set to T. A run resumed with ``ckpt_path`` takes that
    checkpoint's plan.

    Args:
        checkpoint: float checkpoint (of `lampyris fit`) to start from; None takes the model's weights.
        target, time_steps: as in `ExactConfig`.
        calibration_batches: batches of the training data that bound the steps.
        pruning: what to prune and when, None for nothing.

    Example:
        >>> ExactTraining(target="ems", time_steps=4).config.time_steps
        4
    """

    def __init__(
        self,
        checkpoint: str | None = None,
        target: str = "ems",
        time_steps: int = 4,
        calibration_batches: int = 8,
        pruning: Pruning | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.config = ExactConfig(target, time_steps, calibration_batches=calibration_batches)
        self.pruning = pruning
        self.pruner: Pruner | None = None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage != "fit" or hasattr(pl_module.model, "exact_plan"):
            return
        if trainer.ckpt_path:
            content = torch.load(trainer.ckpt_path, map_location="cpu", weights_only=True)
            if "plan" not in content:
                raise ValueError(
                    f"ExactTraining: {trainer.ckpt_path} must hold a plan, got a float checkpoint"
                )
            apply_plan(pl_module.model, content["plan"])
        else:
            if self.checkpoint is not None:
                _load(pl_module.model, self.checkpoint)
            batches = list(itertools.islice(_loader(trainer), self.config.calibration_batches))
            if not batches:
                raise ValueError("ExactTraining: training data must give a batch to calibrate on, got none")
            self.config.calibration = batches
            self.config.calibration_name = f"training data, first {len(batches)} batches"
            self.config.class_names = tuple(getattr(trainer.datamodule, "class_names", ()))
            prepare(pl_module.model, self.config, inputs_of(batches[0]))
            self.config.calibration = None
        for name in ("train_time_steps", "eval_time_steps"):
            if hasattr(pl_module, name):
                setattr(pl_module, name, plan_of(pl_module)["time_steps"])

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.pruning is not None:
            self.pruner = Pruner(pl_module.model, self.pruning, int(trainer.estimated_stepping_batches))

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self.pruner is not None:
            self.pruner.step(trainer.global_step)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.pruner is not None:
            self.pruner.finish()

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["plan"] = plan_of(pl_module)


def _loader(trainer: lightning.Trainer) -> Any:
    if trainer.datamodule is not None:
        return trainer.datamodule.train_dataloader()
    return trainer.fit_loop._data_source.dataloader()


def _load(model: torch.nn.Module, path: str | os.PathLike) -> None:
    content = torch.load(path, map_location="cpu", weights_only=True)
    state = content["state_dict"]
    if any(name.startswith("model.") for name in state):
        state = {n.removeprefix("model."): v for n, v in state.items() if n.startswith("model.")}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"ExactTraining: {path} does not fit the model: {reason}") from error

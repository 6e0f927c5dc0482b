"""Options of `lampyris fit` beside model, data and trainer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

__all__ = ["RunOptions"]


@dataclass
class RunOptions:
    """What a run does beside training.

    Args:
        average: decay of the moving average of the weights, 0.9999 in the published runs; 0 for none.
        checkpoint_minutes: last.ckpt is also written so often within an epoch; 0 for never.
        checkpoint_steps: the same by optimizer steps; 0 for never.
        anchors: "keep", or "fit" to replace anchors that the training boxes do not match.
        estimate: measure a step before the start and say what the run will take.
        start_from: checkpoint of fit, compress or import whose weights the run starts with. Tensors of other
            names or shapes, as of another number of classes, start anew and are listed.
        find_batch: take the largest batch that fits into 80 % of the free memory.
    """

    average: float = 0.0
    checkpoint_minutes: float = 10.0
    checkpoint_steps: int = 0
    anchors: Literal["keep", "fit"] = "keep"
    estimate: bool = True
    find_batch: bool = False
    start_from: str | None = None

    def callbacks(self, folder: Path) -> list[Callback]:
        """The callbacks that the options stand for."""
        from lampyris.tasks.detection import MovingAverage

        found: list[Callback] = [MovingAverage(self.average)] if self.average else []
        place = {"filename": "last", "enable_version_counter": False}
        if self.checkpoint_minutes:
            interval = timedelta(minutes=self.checkpoint_minutes)
            found.append(ModelCheckpoint(folder, train_time_interval=interval, **place))
        if self.checkpoint_steps:
            found.append(ModelCheckpoint(folder, every_n_train_steps=self.checkpoint_steps, **place))
        return found

    def announce(self, task: Any, data: Any, trainer: Trainer) -> None:
        """Choose the batch, check the anchors, and print what the run will take."""
        from lampyris.tasks.detection import start

        if not (self.estimate or self.find_batch or self.anchors == "fit"):
            return
        task.check_data(data)
        data.prepare_data()
        device = trainer.strategy.root_device
        task.to(device)
        lines = [start.check_anchors(task, data, self.anchors == "fit")]
        if self.find_batch:
            data.batch_size = start.find_batch(task, data)
            lines.append(f"batch size {data.batch_size}: fills 80 % of the free memory, or is the whole set")
        if self.estimate:
            cost = start.step_cost(task, data, data.batch_size)
            processes = trainer.num_devices * trainer.num_nodes
            lines.append(start.describe_cost(task, data, cost, trainer.max_epochs or 1, processes))
        if trainer.is_global_zero:
            print(*filter(None, lines), sep="\n", flush=True)

"""What a training run leaves behind and what makes it resume exactly."""

from __future__ import annotations

import csv
import io
import random
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torchvision.io import encode_png

from lampyris import nn
from lampyris.files import atomic_write

from .pictures import draw_samples

__all__ = ["ExactResume", "ResultsTable", "SamplePictures"]


class ExactResume(lightning.Callback):
    """Keep the states of torch's, numpy's and Python's random generators in checkpoints.

    Together with the data modules' loader, whose order depends on (seed, epoch) and whose place in the epoch
    is stored, a run that is killed and resumed continues bit for bit on the CPU.
    """

    def __init__(self) -> None:
        self._pending: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        kind, keys, position, has_gauss, gauss = np.random.get_state()
        version, internal, gauss_next = random.getstate()
        state = {
            "torch": torch.get_rng_state(),
            "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
            "python": [version, list(internal), gauss_next],
        }
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state_all()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._pending = state_dict

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Last hook before the first batch that a run resumed in the middle of an epoch passes as well.
        state, self._pending = self._pending, None
        if state is None:
            return
        torch.set_rng_state(state["torch"].cpu())
        kind, keys, position, has_gauss, gauss = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
        version, internal, gauss_next = state["python"]
        random.setstate((version, tuple(internal), gauss_next))
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])


class ResultsTable(lightning.Callback):
    """Write ``results.csv``: one row per epoch, losses and, where it was validated, AP.

    Args:
        folder: where the file goes; None takes the logger's folder.
    """

    LOSSES = ("loss", "class_loss", "box_loss", "objectness_loss")
    COLUMNS = ("epoch", "step", "seconds", "lr", *LOSSES, "ap", "ap50", "ap75")

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self._sums: dict[str, torch.Tensor] = {}
        self._count = 0
        self._start = self._before = 0.0

    def state_dict(self) -> dict[str, Any]:
        sums = {name: float(value) for name, value in self._sums.items()}
        return {"rows": self.rows, "sums": sums, "count": self._count, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
        self._sums, self._count = dict(state_dict.get("sums", {})), state_dict.get("count", 0)
        self._before = state_dict.get("seconds", 0.0)

    def _seconds(self) -> float:
        """In the present epoch, also by the run that this one continues."""
        return self._before + (time.monotonic() - self._start if self._start else 0.0)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._start = time.monotonic()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._sums, self._count, self._start, self._before = {}, 0, time.monotonic(), 0.0

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._count += 1
        for name in self.LOSSES:
            value = trainer.callback_metrics.get(name)
            if value is not None:
                self._sums[name] = self._sums.get(name, 0.0) + value

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row["seconds"] = round(self._seconds(), 2)
        row["lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        row |= {name: float(value) / max(self._count, 1) for name, value in self._sums.items()}
        validated = trainer.fit_loop.epoch_loop.val_loop._has_run
        row |= {n: float(trainer.callback_metrics[n]) for n in ("ap", "ap50", "ap75") if validated}
        self.rows = [r for r in self.rows if r["epoch"] < row["epoch"]] + [row]
        if trainer.is_global_zero:
            atomic_write(self._folder(trainer) / "results.csv", self._text())

    def _folder(self, trainer: lightning.Trainer) -> Path:
        return Path(self.folder or trainer.log_dir or trainer.default_root_dir)

    def _text(self) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(out, self.COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
        return out.getvalue()


class SamplePictures(lightning.Callback):
    """After each epoch, draw the first validation images with ground truth and detections.

    Writes ``samples/epoch_NNN.png`` beside the logs and shows the picture in TensorBoard. An epoch without
    validation runs the network on these images alone.

    Args:
        count: number of images, from the first batch.
        score_threshold: lower detections are not drawn.
    """

    def __init__(self, count: int = 8, score_threshold: float = 0.3) -> None:
        self.count = count
        self.score_threshold = score_threshold
        self._drawn = -1

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx or trainer.sanity_checking or not trainer.is_global_zero:
            return
        images, targets = batch
        count = min(self.count, len(targets))
        images = images[:, :count] if images.dim() == 5 else images[:count]
        self._draw(trainer, pl_module, images, outputs[:count], targets[:count])

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        data = getattr(trainer, "datamodule", None)
        if self._drawn == trainer.current_epoch or not trainer.is_global_zero or data is None:
            return
        dataset = data.dataset("val")
        samples, targets = zip(*(dataset[i] for i in range(min(self.count, len(dataset)))), strict=True)
        images = torch.stack(samples, data.batch_dim)
        training = pl_module.training
        pl_module.eval()
        nn.set_time_steps(pl_module.model, pl_module.eval_time_steps)
        with torch.no_grad():
            found = pl_module.detect(images.to(pl_module.device))
        pl_module.train(training)
        self._draw(trainer, pl_module, images, found, targets)

    def _draw(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        images: Any,
        found: Any,
        truth: Any,
    ) -> None:
        self._drawn = trainer.current_epoch
        names = pl_module.class_names
        picture = draw_samples(images, found, truth, names, score_threshold=self.score_threshold)
        folder = Path(trainer.log_dir or trainer.default_root_dir) / "samples"
        name = f"epoch_{trainer.current_epoch:03d}.png"
        atomic_write(folder / name, encode_png(picture).numpy().tobytes())
        for logger in trainer.loggers:
            if hasattr(logger.experiment, "add_image"):
                logger.experiment.add_image("detections", picture, trainer.global_step)

"""Training a detector with Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from lampyris import nn

from .checkpoint import check_state, describe_input
from .decoding import BOX_SCALE
from .guard import stop
from .heads import HeadSpec
from .metric import DetectionMetric
from .optimizers import SgdCycle, make
from .recompute import recompute_blocks
from .schedule import one_cycle

__all__ = ["DetectionTask"]

Batch = tuple[Tensor, Sequence[dict[str, Any]]]

COUNT_LIMIT = 255
"""Event counts are uint8."""


class DetectionTask(lightning.LightningModule):
    """Trains at T = ``train_time_steps``, evaluates at T = ``eval_time_steps``.

    AdamW with weight decay on convolution weights only, one learning-rate cycle per fit (cosine, warm-up
    share ``warmup``), or the published SGD cycle. Validation and test log ``ap``, ``ap50``, ``ap75``. A loss
    or gradient that is not finite stops the run (`NonFiniteLoss`).

    Args:
        model: a detector whose maps `HeadSpec.of` understands, such as `lampyris.models.ems_yolo`.
        lr: highest learning rate; batch norm makes such a high one right for float training.
        weight_decay: of convolution weights.
        warmup: share of the steps until the highest rate.
        div_factor, final_div_factor: first rate = lr / div, last = first / final_div (`one_cycle`).
        box_weight: of the box loss against the class loss, heads of format cells.
        box_scale: pixels that a zero size output stands for, heads of format cells.
        train_time_steps, eval_time_steps: T; equal for event sequences.
        class_names: names of the classes; None takes those of the data module.
        loss_gains: of the parts of the loss, over the head format's (`HEADS`).
        sgd: train with SGD instead; lr, weight_decay and the options of the AdamW cycle are then unused.
        one_step_epochs: first epochs at T = 1 (event sequences: all counts in one frame), the rest at
            ``train_time_steps``.
        recompute: keep only the blocks' inputs for the backward pass (`recompute_blocks`): less memory.
        sync_norm: over several processes, norms take the statistics of all their batches together.
        precision: of the blocks' convolutions (`lampyris.nn.set_precision`); "mixed" is the fast one on CPUs.

    Example:
        >>> from lampyris import models
        >>> task = DetectionTask(models.ems_yolo(num_classes=10), lr=0.012)
        >>> task.train_time_steps, task.eval_time_steps
        (1, 4)
    """

    def __init__(
        self,
        model: torch.nn.Module,
        lr: float = 1.2e-2,
        weight_decay: float = 1e-2,
        warmup: float = 0.1,
        div_factor: float = 10.0,
        final_div_factor: float = 100.0,
        box_weight: float = 4.0,
        box_scale: float = BOX_SCALE,
        train_time_steps: int = 1,
        eval_time_steps: int = 4,
        class_names: list[str] | None = None,
        loss_gains: dict[str, float] | None = None,
        sgd: SgdCycle | None = None,
        one_step_epochs: int = 0,
        recompute: bool = False,
        sync_norm: bool = False,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        nn.set_precision(model, precision)
        if one_step_epochs < 0:
            raise ValueError(f"DetectionTask: one_step_epochs must be >= 0, got {one_step_epochs}")
        self.model = model
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.box_weight = box_weight
        self.box_scale = box_scale
        self.train_time_steps = train_time_steps
        self.eval_time_steps = eval_time_steps
        self.class_names = class_names
        self.loss_gains = loss_gains
        self.sgd = sgd
        self.one_step_epochs = one_step_epochs
        self.recompute = recompute
        self.sync_norm = sync_norm
        self._batch: Batch | None = None
        _ = self.spec  # names a wrong gain at once
        self.metric = DetectionMetric()

    @property
    def spec(self) -> HeadSpec:
        """How the model's maps are read."""
        gains = dict(self.loss_gains or {})
        if getattr(self.model, "head_format", "cells") == "cells":
            gains = {"box": self.box_weight, **gains}
        return HeadSpec.of(self.model, box_scale=self.box_scale, gains=gains)

    # ---- data and structure

    def setup(self, stage: str) -> None:
        """Compare model and data: channels and number of classes."""
        data = getattr(self._trainer, "datamodule", None) if self._trainer else None
        self.check_data(data)
        if self.class_names is None and data is not None:
            self.class_names = [str(name) for name in data.class_names]
        self.metric.class_names = self.class_names
        if stage != "fit":
            return
        if self.recompute:
            recompute_blocks(self.model)
        if self.sgd is not None and self.trainer.accumulate_grad_batches == 1:
            self.trainer.accumulate_grad_batches = self.sgd.accumulation(self._samples())

    def check_data(self, data: Any) -> None:
        """Raise ValueError unless a data module has the model's channels and number of classes."""
        for name in ("num_classes", "in_channels"):
            ours, theirs = getattr(self.model, name, None), getattr(data, name, None)
            if ours is not None and theirs is not None and ours != theirs:
                raise ValueError(f"DetectionTask: model must have {name} = {theirs} as the data, got {ours}")

    def _samples(self) -> int:
        """Samples of one batch over all processes."""
        return getattr(self.trainer.datamodule, "batch_size", 1) * self.trainer.world_size

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the images; targets stay on the host until they are padded."""
        images, targets = batch
        return images.to(device, non_blocking=True), targets

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)

    def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
        """Detections of a batch, on the host (`lampyris.tasks.detection.predict`)."""
        found = self.spec.predict(self.model(images))
        return [{key: value.cpu() for key, value in one.items()} for one in found]

    # ---- training

    def on_fit_start(self) -> None:
        if self.sync_norm and self.trainer.world_size > 1:
            nn.synchronise_statistics(self.model)

    def _train_steps(self) -> int:
        return 1 if self.current_epoch < self.one_step_epochs else self.train_time_steps

    def on_train_start(self) -> None:
        # Also here: a run resumed in the middle of an epoch does not pass the start of one.
        nn.set_time_steps(self.model, self._train_steps())

    def on_train_epoch_start(self) -> None:
        nn.set_time_steps(self.model, self._train_steps())

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The loss and its parts for one batch, at the model's T."""
        images, targets = batch
        if images.dim() == 5 and getattr(self.model, "time_steps", 0) == 1 < self.train_time_steps:
            images = images.sum(0, keepdim=True).clamp(max=COUNT_LIMIT).to(images.dtype)
        return self.spec.loss(self.model(images), targets)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        values = {name: value.detach() for name, value in losses.items()}
        if not torch.isfinite(values["loss"]):
            stop(self, "loss", values["loss"].item(), batch)
        self._batch = batch
        self.log_dict(values, prog_bar=True, batch_size=len(batch[1]))
        return losses["loss"] * (self.sgd.nominal_batch if self.sgd else 1)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.sgd is not None:
            momentum = self.sgd.momentum_at(self.trainer.global_step, *self._length())
            for group in optimizer.param_groups:
                group["momentum"] = momentum
        if self.trainer.scaler is None:  # a gradient scaler deals with overflow itself
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            largest = torch.stack(torch._foreach_norm(gradients, float("inf"))).max()
            if not torch.isfinite(largest):
                stop(self, "gradient", largest.item(), self._batch)

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer, schedule = make(
            self,
            self.sgd,
            lr=self.lr,
            weight_decay=self.weight_decay,
            batch=self._samples(),
            fused="mixed" not in str(self.trainer.precision),
            rates=self._rate,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _length(self) -> tuple[int, int, int]:
        """Optimizer steps and epochs of the run, batches per optimizer step."""
        total = max(int(self.trainer.estimated_stepping_batches), 1)
        return total, self.trainer.max_epochs or 1, self.trainer.accumulate_grad_batches

    def _rate(self, step: int, start: float) -> float:
        # The number of steps is asked for after the start only: asking builds the loaders, and a resumed run
        # must restore its place in the epoch before that.
        if self.sgd is not None:
            warm = self.sgd.warmup_epochs > 0 or self.sgd.warmup_iterations > 0
            if step == 0:
                return start if warm else 1.0
            return self.sgd.rate(step, *self._length(), start=start)
        total = self._length()[0] if step else 1
        cycle = {"warmup": self.warmup, "div": self.div_factor, "final_div": self.final_div_factor}
        return one_cycle(step, total, **cycle)

    # ---- evaluation

    def _start_evaluation(self) -> None:
        nn.set_time_steps(self.model, self.eval_time_steps)
        self.metric.reset()

    def _evaluation_step(self, batch: Batch) -> list[dict[str, Tensor]]:
        images, targets = batch
        detections = self.detect(images)
        self.metric.update(detections, targets)
        return detections

    def _end_evaluation(self) -> None:
        result = self.metric.compute()
        per_class = result.pop("per_class")
        self.log_dict(result, prog_bar=True)
        self.log_dict({f"ap_class/{name}": value for name, value in per_class.items()})
        if self.trainer.state.fn == "fit":
            nn.set_time_steps(self.model, self._train_steps())

    def on_validation_epoch_start(self) -> None:
        self._start_evaluation()

    def validation_step(self, batch: Batch, batch_idx: int) -> list[dict[str, Tensor]]:
        return self._evaluation_step(batch)

    def on_validation_epoch_end(self) -> None:
        self._end_evaluation()

    def on_test_epoch_start(self) -> None:
        self._start_evaluation()

    def test_step(self, batch: Batch, batch_idx: int) -> list[dict[str, Tensor]]:
        return self._evaluation_step(batch)

    def on_test_epoch_end(self) -> None:
        self._end_evaluation()

    def on_predict_epoch_start(self) -> None:
        nn.set_time_steps(self.model, self.eval_time_steps)

    def predict_step(self, batch: Batch, batch_idx: int) -> list[dict[str, Tensor]]:
        return self.detect(batch[0])

    # ---- checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["detector"] = {
            "options": dict(getattr(self.model, "options", {})),
            "class_names": self.class_names,
            "time_steps": self.eval_time_steps,
            "box_scale": self.box_scale,
            "input": describe_input(getattr(self.trainer, "datamodule", None)),
        }

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As in torch, but a checkpoint of another model gives one line.

        Raises:
            ValueError: naming the first entry that does not fit.
        """
        if strict:
            check_state(self, state_dict)
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

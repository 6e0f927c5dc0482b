"""Training a detector with Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from lampyris import nn

from .checkpoint import check_state
from .decoding import BOX_SCALE, STRIDE, predict
from .loss import detection_loss
from .metric import DetectionMetric
from .schedule import one_cycle

__all__ = ["DetectionTask"]

Batch = tuple[Tensor, Sequence[dict[str, Any]]]


class DetectionTask(lightning.LightningModule):
    """Trains at T = ``train_time_steps``, evaluates at T = ``eval_time_steps``.

    AdamW with weight decay on convolution weights only, one learning-rate cycle per fit (cosine, warm-up
    share ``warmup``). Validation and test log ``ap``, ``ap50``, ``ap75``.

    Args:
        model: a detector giving prediction maps [B, 4 + classes, H, W], such as `lampyris.models.ems_yolo`.
        lr: highest learning rate; batch norm makes such a high one right for float training.
        weight_decay: of convolution weights.
        warmup: share of the steps until the highest rate.
        div_factor, final_div_factor: first rate = lr / div, last = first / final_div (`one_cycle`).
        box_weight: of the box loss against the class loss.
        box_scale: pixels that a zero size output stands for.
        train_time_steps, eval_time_steps: T; equal for event sequences.
        class_names: names of the classes; None takes those of the data module.

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
    ) -> None:
        super().__init__()
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
        self.stride = getattr(model, "stride", STRIDE)
        self.metric = DetectionMetric()

    # ---- data and structure

    def setup(self, stage: str) -> None:
        """Compare model and data: channels and number of classes."""
        data = getattr(self._trainer, "datamodule", None) if self._trainer else None
        for name in ("num_classes", "in_channels"):
            ours, theirs = getattr(self.model, name, None), getattr(data, name, None)
            if ours is not None and theirs is not None and ours != theirs:
                raise ValueError(f"DetectionTask: model must have {name} = {theirs} as the data, got {ours}")
        if self.class_names is None and data is not None:
            self.class_names = [str(name) for name in data.class_names]
        self.metric.class_names = self.class_names

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the images; targets stay on the host until they are padded."""
        images, targets = batch
        return images.to(device, non_blocking=True), targets

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)

    def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
        """Detections of a batch, on the host (`lampyris.tasks.detection.predict`)."""
        return predict(self.model(images).float().cpu(), stride=self.stride, box_scale=self.box_scale)

    # ---- training

    def on_train_start(self) -> None:
        # Not at the start of an epoch: a run resumed in the middle of one does not pass there.
        nn.set_time_steps(self.model, self.train_time_steps)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, targets = batch
        losses = detection_loss(
            self.model(images),
            targets,
            box_weight=self.box_weight,
            stride=self.stride,
            box_scale=self.box_scale,
        )
        values = {name: value.detach() for name, value in losses.items()}
        self.log_dict(values, prog_bar=True, batch_size=len(targets))
        return losses["loss"]

    def configure_optimizers(self) -> dict[str, Any]:
        convolutions = {id(m.weight) for m in self.modules() if isinstance(m, torch.nn.Conv2d)}
        parameters = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in parameters if id(p) in convolutions],
                "weight_decay": self.weight_decay,
            },
            {"params": [p for p in parameters if id(p) not in convolutions], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.lr, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._rate(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        # The number of steps is asked for after the start only: asking builds the loaders, and a resumed run
        # must restore its place in the epoch before that.
        total = int(self.trainer.estimated_stepping_batches) if step else 1
        cycle = {"warmup": self.warmup, "div": self.div_factor, "final_div": self.final_div_factor}
        return one_cycle(step, max(total, 1), **cycle)

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
            nn.set_time_steps(self.model, self.train_time_steps)

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
        }

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As in torch, but a checkpoint of another model gives one line.

        Raises:
            ValueError: naming the first entry that does not fit.
        """
        if strict:
            check_state(self, state_dict)
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

"""What a run tells before its first step: cost, batch that fits, anchors that fit, and its first pictures."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torchvision.io import encode_png

from lampyris import nn
from lampyris.files import atomic_write

from .anchor_check import ENOUGH, best_possible_recall, box_sizes, propose_anchors
from .estimate import StepCost, fitting_batch, free_memory, measure_step
from .pictures import draw_samples

__all__ = ["FirstBatch", "check_anchors", "describe_cost", "find_batch", "step_cost"]

GIB = 2.0**30
MINUTE, HOUR = 60.0, 3600.0


def first_samples(data: Any, count: int) -> tuple[Tensor, list[dict[str, Any]]]:
    """The first ``count`` training samples of a data module as one batch, repeated where there are fewer."""
    from lampyris.data.detection_set import collate

    dataset = data.dataset("train")
    return collate([dataset[i % len(dataset)] for i in range(count)], data.batch_dim)


def step_cost(task: Any, data: Any, batch: int) -> StepCost:
    """`measure_step` of a batch of training samples at T = ``train_time_steps``."""
    task.train()
    nn.set_time_steps(task.model, task.train_time_steps)
    return measure_step(task, first_samples(data, batch))


def find_batch(task: Any, data: Any) -> int:
    """The largest batch that fits into the memory of the task's device (`fitting_batch`), at most the set."""
    device = next(task.parameters()).device
    free = free_memory(device)
    costs = [step_cost(task, data, batch) for batch in (2, 4)]
    return fitting_batch(costs, free, len(data.dataset("train")))


def describe_cost(task: Any, data: Any, cost: StepCost, epochs: int, processes: int = 1) -> str:
    """One line: parameters, step, memory, and how long epochs and run will take in training alone."""
    parameters = sum(p.numel() for p in task.model.parameters())
    steps = max(len(data.dataset("train")) // (data.batch_size * processes), 1)
    seconds = cost.seconds * steps
    device = next(task.parameters()).device
    free = free_memory(device) / GIB
    return (
        f"{parameters / 1e6:.2f} M parameters; step of {cost.batch} samples at T = {task.train_time_steps}: "
        f"{cost.seconds:.2f} s, {cost.peak_bytes / GIB:.2f} GiB (free: {free:.1f} GiB); "
        f"epoch of {steps} steps: {_duration(seconds)}, {epochs} epochs: {_duration(seconds * epochs)}"
    )


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h"


def check_anchors(task: Any, data: Any, fit: bool = False) -> str | None:
    """Best possible recall of the anchors on training boxes; a proposal, or new anchors, where it is low.

    Args:
        task: a `DetectionTask`; with ``fit`` its model's anchors are replaced where recall is below 0.98.
        data: a data module.

    Returns:
        One line, or None for a head without anchors.
    """
    if getattr(task.model, "head_format", "cells") != "anchors":
        return None
    anchors = task.model.anchors
    sizes = box_sizes(data.dataset("train"))
    recall = best_possible_recall(sizes, anchors.cpu())
    line = f"anchors: best possible recall {recall:.3f} on {len(sizes)} training boxes"
    if recall > ENOUGH or len(sizes) < anchors.shape[0] * anchors.shape[1]:
        return line
    better = propose_anchors(sizes, anchors.shape[0], anchors.shape[1])
    found = best_possible_recall(sizes, better)
    shown = [[(round(w), round(h)) for w, h in scale] for scale in better.tolist()]
    if not fit:
        return f"{line}; {shown} would give {found:.3f}: --run.anchors fit takes them"
    with torch.no_grad():
        anchors.copy_(better)
    return f"{line}; replaced by {shown}: {found:.3f}"


class FirstBatch(lightning.Callback):
    """Draw the first training batch, as the network gets it, with its labels into ``first_batch.png``.

    Args:
        folder: where the file goes.
        count: samples drawn.
    """

    def __init__(self, folder: Any, count: int = 8) -> None:
        self.folder = folder
        self.count = count
        self._done = False

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._done or not trainer.is_global_zero:
            return
        self._done = True
        images, targets = batch
        count = min(self.count, len(targets))
        images = images[:, :count] if images.dim() == 5 else images[:count]
        nothing = [{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0).long()}]
        picture = draw_samples(images, nothing * count, targets[:count], pl_module.class_names)
        atomic_write(self.folder / "first_batch.png", encode_png(picture).numpy().tobytes())

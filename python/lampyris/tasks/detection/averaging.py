"""Exponential moving average of the weights, as in the published runs."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

__all__ = ["MovingAverage"]


class MovingAverage(WeightAveraging):
    """Validate and keep the moving average of weights and statistics instead of the last ones.

    After n optimizer steps: average <- d * average + (1 - d) * weights with d = decay * (1 - exp(-n / ramp)).
    Checkpoints hold the average as ``state_dict`` (what `load_model` reads) and the weights themselves as
    ``current_model_state``, from which a run is continued.

    Args:
        decay: d after many steps.
        ramp: steps; early averages forget faster.

    Source: Ultralytics YOLOv5 (ModelEMA), on Lightning's WeightAveraging.
    """

    def __init__(self, decay: float = 0.9999, ramp: float = 2000.0) -> None:
        if not 0.0 <= decay < 1.0 or ramp <= 0:
            raise ValueError(
                f"MovingAverage: decay must lie in [0, 1) and ramp above 0, got {decay} and {ramp}"
            )

        def average(mean: Tensor, value: Tensor, count: Any) -> Tensor:
            if not torch.is_floating_point(mean):  # counts of batches
                return value
            keep = decay * (1 - math.exp(-(int(count) + 1) / ramp))
            return mean.lerp(value, 1 - keep)

        super().__init__(use_buffers=True, avg_fn=average)

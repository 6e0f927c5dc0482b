"""Threshold-dependent batch norm."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from torch import Tensor

from lampyris import ops

from .folding import check_rank, fold

__all__ = ["TDBatchNorm2d", "synchronise_statistics"]


class TDBatchNorm2d(torch.nn.BatchNorm2d):
    """Batch norm with statistics per channel over T, B, H and W.

    The weight starts at ``gamma``: the threshold (0.5) in general, 0.1 for a residual branch's last norm.
    Source: Zheng et al., AAAI 2021 (TDBN); initial values as EMS-YOLO.

    Args:
        channels: C of x [T, B, C, H, W].
        gamma: initial weight, in units of current.
        eps, momentum: as in torch.

    Attributes:
        process_group: statistics are those of all its processes' batches together; None is this process
            alone (`synchronise_statistics` sets it).

    Example:
        >>> import torch
        >>> x = torch.randn(2, 8, 3, 4, 4)
        >>> y = TDBatchNorm2d(3)(x)
        >>> bool((y.std(dim=(0, 1, 3, 4), correction=0) - 0.5).abs().max() < 1e-3)
        True
    """

    def __init__(self, channels: int, gamma: float = 0.5, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.gamma = gamma
        self.process_group: torch.distributed.ProcessGroup | None = None
        super().__init__(channels, eps=eps, momentum=momentum)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        torch.nn.init.constant_(self.weight, self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, C, H, W] -> the same shape."""
        check_rank("TDBatchNorm2d", x)
        if self.training and self.process_group is not None:
            return ops.tdbn_add(x, None, **self.operator_arguments())
        return fold(super().forward, x)

    def operator_fits(self) -> bool:
        """Whether `lampyris.ops.tdbn_add` has this norm's options."""
        return self.affine and self.track_running_stats and self.momentum is not None

    def operator_arguments(self) -> dict[str, Any]:
        """Arguments of `lampyris.ops.tdbn_add` after x and residual; counts a batch when training."""
        if self.training:
            self.num_batches_tracked.add_(1)
        return {
            "weight": self.weight,
            "bias": self.bias,
            "running_mean": self.running_mean,
            "running_var": self.running_var,
            "training": self.training,
            "momentum": self.momentum,
            "eps": self.eps,
            "process_group": self.process_group,
        }


def synchronise_statistics(
    model: torch.nn.Module, process_group: torch.distributed.ProcessGroup | None = None
) -> None:
    """Let every `TDBatchNorm2d` of ``model`` normalise with the statistics of all processes' batches.

    Torch's ``SyncBatchNorm`` takes B of [T, B, C, H, W] for the channels: use this, not its
    ``convert_sync_batchnorm``.

    Args:
        model: any module, on every process.
        process_group: None takes the default group of an initialised ``torch.distributed``.

    Raises:
        RuntimeError: torch.distributed is not initialised.
    """
    if process_group is None:
        if not torch.distributed.is_initialized():
            raise RuntimeError("synchronise_statistics: torch.distributed must be initialised, got no group")
        process_group = torch.distributed.group.WORLD
    for module in model.modules():
        if isinstance(module, TDBatchNorm2d):
            module.process_group = process_group

"""Detectors from checkpoint files, exact or float."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lampyris.compress.integer_network import IntegerNetwork

if TYPE_CHECKING:
    import torch

__all__ = ["load_checkpoint"]


def load_checkpoint(path: str | os.PathLike) -> tuple[torch.nn.Module, IntegerNetwork | None]:
    """The model that a checkpoint holds, in evaluation mode, and its integers (None for a float model).

    Raises:
        FileNotFoundError, ValueError: no such file, not a checkpoint, or a model that does not fit it.
    """
    from lampyris import compress
    from lampyris.tasks import detection

    model, _ = detection.load_model(path)
    exact = any(getattr(module, "exact_plan", None) is not None for module in model.modules())
    return model, compress.integer_network(model) if exact else None

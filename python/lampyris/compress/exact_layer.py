"""What the exact layers share: the frozen plan entry, the pruning mask, the recorder."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["ExactLayer", "exact_layers", "to_integers"]

Entry = dict[str, Any]
_FROZEN = (
    "name",
    "op",
    "theta",
    "v_th",
    "shift",
    "k",
    "exponent",
    "step",
    "segments",
    "leak",
    "inclusive",
    "saturate",
)


class ExactLayer(torch.nn.Module):
    """Base of the exact layers. ``entry`` is the layer's part of the plan; a checkpoint carries its frozen
    numbers and refuses to load into other ones."""

    entry: Entry
    recorder: Any = None

    def frozen(self) -> Entry:
        """The numbers that are computed once and never again."""
        return {key: self.entry[key] for key in _FROZEN if key in self.entry}

    def get_extra_state(self) -> Tensor:
        text = json.dumps(self.frozen(), sort_keys=True, separators=(",", ":"))
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        found = json.loads(bytes(state.cpu().tolist()))
        mine = json.loads(json.dumps(self.frozen()))
        for key in sorted({*mine, *found}):
            if mine.get(key) != found.get(key):
                raise ValueError(
                    f"exact checkpoint: {self.entry['name']} must have {key} = {_short(mine.get(key))} "
                    f"as in the plan applied, got {_short(found.get(key))}; apply the checkpoint's plan first"
                )


class MaskedLayer(ExactLayer):
    """An exact layer with weight, bias and a pruning mask (1 keeps) that stays with the checkpoint."""

    weight: torch.nn.Parameter
    bias: torch.nn.Parameter
    mask: Tensor

    def _init_mask(self) -> None:
        self.register_buffer("mask", torch.ones_like(self.weight, dtype=torch.bool))
        self.dense = True

    def set_mask(self, mask: Tensor) -> None:
        """Keep the weights where ``mask`` is true. Raises ValueError for another shape."""
        if mask.shape != self.mask.shape:
            name, want = self.entry["name"], list(self.mask.shape)
            raise ValueError(f"set_mask: mask of {name} must have shape {want}, got {list(mask.shape)}")
        self.mask.copy_(mask)
        self.dense = bool(self.mask.all())

    def masked_weight(self) -> Tensor:
        """The float weight, zero where pruned."""
        return self.weight if self.dense else self.weight * self.mask

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.dense = bool(self.mask.all())

    def unclamped_weight(self) -> Tensor:
        """Integer weight before the clamp."""
        raise NotImplementedError

    def integers(self) -> dict[str, np.ndarray]:
        """The integers that the forward uses, as arrays of an `IntegerNode`."""
        raise NotImplementedError


def exact_layers(model: torch.nn.Module) -> dict[str, ExactLayer]:
    """{plan name: layer} of every exact layer in ``model``."""
    return {module.entry["name"]: module for module in model.modules() if isinstance(module, ExactLayer)}


def to_integers(x: Tensor, dtype: type, name: str) -> np.ndarray:
    """Integers held in float32 as an array of ``dtype``. Raises ValueError where one does not fit."""
    values = x.detach().cpu().double().contiguous().numpy()
    info = np.iinfo(dtype)
    if values.size and not (values.min() >= info.min and values.max() <= info.max):
        raise ValueError(
            f"integer_network: {name} must fit {np.dtype(dtype).name}, "
            f"got [{values.min():.0f}, {values.max():.0f}]"
        )
    return values.astype(dtype)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."

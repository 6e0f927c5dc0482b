"""Every integer of a forward, for verification."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .exact_layer import exact_layers
from .plan import plan_of

__all__ = ["Recorder", "recording"]

_COPIES = ("maxpool", "upsample", "concat")


class Recorder:
    """Integers of the last forward, numpy arrays by node name.

    Attributes:
        spikes: bool [T, B, C, H, W] of neurons and of pooled, enlarged or joined spikes.
        streams: X after sat16, int32 [T or 1, B, C, H, W], under the name of the stem or convolution that
            ends it (a sum's X under its residual convolution), and of copied streams.
        membranes: V after reset, int32 [T, B, C, H, W].
        accumulators: outputs, int32 [B, C, H, W].
        clamped: elements of X that sat16 changed. saturated: membranes that sat18 changed.
    """

    def __init__(self) -> None:
        self.spikes: dict[str, np.ndarray] = {}
        self.streams: dict[str, np.ndarray] = {}
        self.membranes: dict[str, np.ndarray] = {}
        self.accumulators: dict[str, np.ndarray] = {}
        self.clamped: dict[str, int] = {}
        self.saturated: dict[str, int] = {}

    def stream(self, name: str, x: Tensor, clamped: int) -> None:
        self.streams[name] = _integers(x)
        self.clamped[name] = clamped

    def neuron(self, name: str, spikes: Tensor, membrane: Tensor, saturated: int) -> None:
        self.spikes[name] = _booleans(spikes)
        self.membranes[name] = _integers(membrane)
        self.saturated[name] = saturated

    def accumulator(self, name: str, acc: Tensor) -> None:
        self.accumulators[name] = _integers(acc)

    def copied(self, name: str, kind: str, value: Tensor) -> None:
        """A pooled, enlarged or joined value."""
        if kind == "spikes":
            self.spikes[name] = _booleans(value)
        else:
            self.streams[name] = _integers(value)


@contextlib.contextmanager
def recording(model: torch.nn.Module) -> Iterator[Recorder]:
    """While open, every forward of the exact ``model`` fills the `Recorder` (the last forward stays).

    Raises:
        ValueError: the model is not exact.

    Example:
        >>> import torch, warnings
        >>> from lampyris import compress, models
        >>> model, images = models.ems_yolo().eval(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     _ = compress.prepare(model, compress.ExactConfig(), images)
        >>> with torch.no_grad(), recording(model) as record:
        ...     _ = model(images)
        >>> record.streams["stem"].shape, record.spikes["head.lif"].shape
        ((1, 1, 16, 8, 8), (4, 1, 96, 2, 2))
    """
    plan = plan_of(model)
    recorder, handles = Recorder(), []
    layers = exact_layers(model)
    root = _root(model, plan)
    for entry in plan["nodes"]:
        if entry["op"] in _COPIES:
            handles.append(root.get_submodule(entry["name"]).register_forward_hook(_hook(recorder, entry)))
    for layer in layers.values():
        layer.recorder = recorder
    try:
        yield recorder
    finally:
        for layer in layers.values():
            layer.recorder = None
        for handle in handles:
            handle.remove()


def _hook(recorder: Recorder, entry: dict):
    def hook(module: torch.nn.Module, inputs: tuple, output: Tensor) -> None:
        recorder.copied(entry["name"], entry["kind"], output[:1] if entry["once"] else output)

    return hook


def _root(model: torch.nn.Module, plan: dict) -> torch.nn.Module:
    return next(module for module in model.modules() if getattr(module, "exact_plan", None) is plan)


def _integers(x: Tensor) -> np.ndarray:
    return x.detach().to(torch.int32).cpu().contiguous().numpy()


def _booleans(x: Tensor) -> np.ndarray:
    return (x.detach() != 0).cpu().contiguous().numpy()

"""A recording through a detector: step by step with the state kept, or window by window from rest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from lampyris import nn

from .heads import HeadSpec

__all__ = ["StreamResult", "fitted", "stream_recording", "windows"]

MILLISECONDS = 1e3


@dataclass(frozen=True)
class StreamResult:
    """Detections at one time.

    Attributes:
        end_us: end of the step, exclusive: nothing later was seen.
        events: number of events of the step.
        frames: uint8 [T, 1, C, H, W], what the detections are of (to draw).
        detections: dict(boxes, scores, labels).
        seconds: from the events of the step to its detections.
    """

    end_us: int
    events: int
    frames: Tensor
    detections: dict[str, Tensor]
    seconds: float


def fitted(frames: np.ndarray, size: tuple[int, int] | None, multiple: int, fit: str, chosen: Any) -> Tensor:
    """Frames [T, C, H, W] of a sensor as the network gets them [T, 1, C, H', W'].

    Args:
        frames: uint8.
        size: of the training samples; None: the sensor's, padded to a multiple of ``multiple``.
        multiple: the network's largest stride.
        fit: "pad" (below and to the right) or "stretch", as in `lampyris.data.Gen1Detection`.
        chosen: the representation.
    """
    tensor = torch.from_numpy(frames)
    height, width = tensor.shape[-2:]
    if fit == "stretch" and size is not None:
        smooth = chosen.kind == "polarity"
        mode = InterpolationMode.BILINEAR if smooth else InterpolationMode.NEAREST_EXACT
        return F.resize(tensor, list(size), mode, antialias=False).unsqueeze(1)
    wanted = size if size is not None and size[0] >= height and size[1] >= width else None
    wanted = wanted or tuple(-(-side // multiple) * multiple for side in (height, width))
    pad = (0, wanted[1] - width, 0, wanted[0] - height)
    return torch.nn.functional.pad(tensor, pad, value=chosen.background).unsqueeze(1)


def windows(file: Any, step_us: int) -> Iterator[int]:
    """Ends of the steps of a recording, from its first event to its last one."""
    if not len(file):
        return
    first = int(file.read(0, 1)[0][0])
    last = int(file.read(len(file) - 1, len(file))[0][0])
    yield from range(first + step_us, last + step_us + 1, step_us)


@torch.no_grad()
def stream_recording(
    model: torch.nn.Module,
    path: Path,
    *,
    time_steps: int,
    step_us: int,
    spec: HeadSpec,
    representation: Any = None,
    image_size: tuple[int, int] | None = None,
    fit: str = "pad",
    score_threshold: float = 0.3,
    reset: bool = False,
    batch_mode: bool = False,
) -> Iterator[StreamResult]:
    """Detections along a recording, one result per step of ``step_us``.

    A result is read from the mean of the maps of the last ``time_steps`` steps. The state of the neurons is
    kept over the whole recording, or with ``reset`` forgotten every ``time_steps`` steps: then only each
    window's last step gives a result, and it equals ``batch_mode``, where the window is one call from rest.

    Args:
        model: in evaluation mode.
        path: a .dat or .raw recording.
        time_steps: T.
        step_us: length of a step.
        spec: how maps are read.
        representation: what frames hold (`lampyris.data.representation`); None: counts.
        image_size, fit: as in `fitted`.
        score_threshold: lower detections are left out.
        reset, batch_mode: see above.
    """
    from lampyris.data import EventFile
    from lampyris.data.gen1 import GEN1_SIZE
    from lampyris.data.representations import representation as describe

    chosen = describe(representation or "counts")
    file = EventFile(path)
    size = file.size or GEN1_SIZE
    multiple = int(getattr(model, "stride", 8))
    device = next(model.parameters()).device
    recent: deque[tuple[Tensor, tuple[Tensor, ...]]] = deque(maxlen=time_steps)
    with nullcontext() if batch_mode else nn.streaming(model) as state:
        for count, end in enumerate(windows(file, step_us), 1):
            last = count % time_steps == 0
            if batch_mode and not last:
                continue
            start = time.perf_counter()
            steps = time_steps if batch_mode else 1
            frames = file.frames(end, steps * step_us, steps, size, chosen)
            inputs = fitted(frames, image_size, multiple, fit, chosen)
            maps = spec.maps(model(inputs.to(device)))
            if not batch_mode:
                recent.append((inputs, maps))
                if reset and last:
                    state.reset()
                if reset and not last:
                    continue
                maps = tuple(
                    torch.stack(scale).mean(0) for scale in zip(*(m for _, m in recent), strict=True)
                )
                inputs = torch.cat([frame for frame, _ in recent])
            (found,) = spec.predict(maps, score_threshold=score_threshold)
            seconds = time.perf_counter() - start
            begin = max(end - (time_steps if batch_mode or reset else 1) * step_us, 0)
            yield StreamResult(end, len(file.window(begin, end)[0]), inputs, found, seconds)

"""Gen1 samples as tensors: the events before each label time, as frames of T steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from lampyris.data.augment_events import Columns
from lampyris.data.detection_set import Target
from lampyris.data.gen1 import Gen1Folder
from lampyris.data.representations import Representation, bin_events

__all__ = ["FITS", "Gen1Source"]

FITS = ("pad", "stretch")

Alter = Callable[[Columns, int, int, tuple[int, int]], Columns]


class Gen1Source:
    """Source of a DetectionSet over one Gen1Folder: one sample per label time.

    Args:
        folder: the split.
        time_steps: number of steps T.
        window_us: length of the window that ends at the label time, a multiple of T.
        image_size: height and width of the frames; None: the sensor's.
        representation: what the frames hold; None: counts.
        fit: "pad": image_size is at least the sensor's, the rest below and to the right is empty (nothing is
            resampled); "stretch": each axis is scaled (nearest pixels; "polarity" and "paper" bilinear).
    """

    def __init__(
        self,
        folder: Gen1Folder,
        time_steps: int,
        window_us: int,
        image_size: tuple[int, int] | None = None,
        representation: Representation | None = None,
        fit: str = "pad",
    ) -> None:
        size = image_size or folder.size
        if fit not in FITS:
            raise ValueError(f'gen1: fit must be "pad" or "stretch", got {fit!r}')
        if fit == "pad" and (size[0] < folder.size[0] or size[1] < folder.size[1]):
            raise ValueError(
                f"gen1: image_size must be at least the sensor's {list(folder.size)}, got {list(size)}"
            )
        self.folder = folder
        self.time_steps = time_steps
        self.window_us = window_us
        self.representation = representation or Representation()
        self.fit = fit
        self.sample_shape = (time_steps, self.representation.channels, *size)

    @property
    def background(self) -> int:
        """Value of a pixel without events."""
        return self.representation.background

    def __len__(self) -> int:
        return len(self.folder.labels)

    def recipe(self) -> dict:
        """Everything the samples depend on: recordings by name and size, labels, window, representation."""
        files = [(Path(file.path).name, Path(file.path).stat().st_size) for file in self.folder.files]
        labels = [(x.recording, x.t, x.boxes.tolist(), x.classes.tolist()) for x in self.folder.labels]
        options = {"steps": self.time_steps, "window_us": self.window_us, "shape": self.sample_shape}
        chosen = self.representation
        kind = [chosen.name, chosen.parts, chosen.cutoff, chosen.tau_us]
        return {"kind": "events", "files": files, "labels": labels, "as": kind, "fit": self.fit, **options}

    def load(self, index: int, alter: Alter | None = None) -> tuple[torch.Tensor, Target]:
        """Sample uint8 [T, C, H, W] and target of one label; image_id is the index.

        Targets also hold "t" int64 [n], the label time in us, and for stretched frames "stretch" float32
        [n, 2], pixels per sensor pixel along x and y: evaluation protocols speak of sensor pixels.

        ``alter(events, start_us, end_us, size)`` changes the events of the window first.
        """
        label = self.folder.labels[index]
        size = self.folder.size
        file = self.folder.files[label.recording]
        if alter is None:
            frames = file.frames(label.t, self.window_us, self.time_steps, size, self.representation)
        else:
            start = label.t - self.window_us
            events = alter(file.window(max(start, 0), label.t), max(start, 0), label.t, size)
            frames = bin_events(
                *events,
                end_us=label.t,
                window_us=self.window_us,
                time_steps=self.time_steps,
                size=size,
                representation=self.representation,
                name=file.path,
            )
        boxes, classes = torch.from_numpy(label.boxes), torch.from_numpy(label.classes)
        sample, boxes = self._fitted(torch.from_numpy(frames), boxes)
        target: Target = {"boxes": boxes, "labels": classes, "image_id": index}
        target["t"] = torch.full((len(boxes),), label.t)
        if self.fit != "pad" and self.sample_shape[2:] != size:
            target["stretch"] = self._stretch(boxes).expand(len(boxes), 2)
        return sample, target

    def _fitted(self, frames: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        size, wanted = self.folder.size, self.sample_shape[2:]
        if wanted == size:
            return frames, boxes
        if self.fit == "pad":
            padded = torch.full(self.sample_shape, self.background, dtype=torch.uint8)
            padded[:, :, : size[0], : size[1]] = frames
            return padded, boxes
        smooth = self.representation.kind == "polarity"
        mode = InterpolationMode.BILINEAR if smooth else InterpolationMode.NEAREST_EXACT
        frames = F.resize(frames, list(wanted), mode, antialias=False)
        return frames, boxes * self._stretch(boxes).repeat(2)

    def _stretch(self, boxes: torch.Tensor) -> torch.Tensor:
        size, wanted = self.folder.size, self.sample_shape[2:]
        return boxes.new_tensor([wanted[1] / size[1], wanted[0] / size[0]])

"""Gen1 samples as tensors: the events before each label time, counted in T bins."""

from __future__ import annotations

import torch

from lampyris.data.detection_set import Target
from lampyris.data.gen1 import Gen1Folder

__all__ = ["Gen1Source"]


class Gen1Source:
    """Source of a DetectionSet over one Gen1Folder: one sample per label time.

    Args:
        folder: the split.
        time_steps: number of bins T.
        window_us: length of the window that ends at the label time, a multiple of T.
        image_size: height and width of the frames, at least the sensor's: zeros are added below and to
            the right (counts are not resampled). None: the sensor's.
    """

    def __init__(
        self, folder: Gen1Folder, time_steps: int, window_us: int, image_size: tuple[int, int] | None = None
    ) -> None:
        size = image_size or folder.size
        if size[0] < folder.size[0] or size[1] < folder.size[1]:
            raise ValueError(
                f"gen1: image_size must be at least the sensor's {list(folder.size)}, got {list(size)}"
            )
        self.folder = folder
        self.time_steps = time_steps
        self.window_us = window_us
        self.sample_shape = (time_steps, 2, *size)

    def __len__(self) -> int:
        return len(self.folder.labels)

    def load(self, index: int) -> tuple[torch.Tensor, Target]:
        """Sample uint8 [T, 2, H, W] and target of one label; image_id is the index."""
        label = self.folder.labels[index]
        size = self.folder.size
        file = self.folder.files[label.recording]
        frames = torch.from_numpy(file.frames(label.t, self.window_us, self.time_steps, size))
        if self.sample_shape[2:] != size:
            padded = torch.zeros(self.sample_shape, dtype=torch.uint8)
            padded[:, :, : size[0], : size[1]] = frames
            frames = padded
        boxes, classes = torch.from_numpy(label.boxes), torch.from_numpy(label.classes)
        return frames, {"boxes": boxes, "labels": classes, "image_id": index}

"""DataModules over COCO-format folders."""

from __future__ import annotations

import os
from pathlib import Path

from lampyris.data.coco import CocoFolder, annotation_file
from lampyris.data.coco_source import CocoSource
from lampyris.data.detection_module import DetectionModule, pair
from lampyris.data.digits_set import digits

__all__ = ["CocoDetection", "DigitsDetection"]


class CocoDetection(DetectionModule):
    """Batches of any COCO-format folder (also train2017 / val2017).

    Images of another size are letterboxed to ``image_size``. Without annotations for the test split,
    testing uses the validation split (COCO publishes none).

    Args:
        root: folder with ``annotations/`` and the image folders.
        image_size: height and width, or one number for both; a multiple of the network's largest stride.
        batch_size: samples per batch.
        num_workers: loader processes; 0 is best for small cached sets.
        cache: "memory", "none" or "auto" (memory when all decoded samples fit 1 GiB).
        horizontal_flip: probability of mirrored training images.
        upscale: False: smaller images are only padded.
        keep_crowd: give crowd regions and areas with validation and test targets ("iscrowd", "area").
        seed: seed of order and flips.

    Example:
        >>> from lampyris import data
        >>> module = data.CocoDetection(data.digits(), image_size=80, batch_size=4)
        >>> images, targets = next(iter(module.val_dataloader()))
        >>> tuple(images.shape), images.dtype, sorted(targets[0])
        ((4, 3, 80, 80), torch.uint8, ['boxes', 'image_id', 'labels'])
    """

    in_channels = 3
    input_exponent = 8

    def __init__(
        self,
        root: str | os.PathLike,
        image_size: int | tuple[int, int] = 640,
        batch_size: int = 16,
        num_workers: int = 0,
        cache: str = "auto",
        horizontal_flip: float = 0.0,
        upscale: bool = True,
        keep_crowd: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, cache, horizontal_flip, seed)
        self.root = Path(root)
        self._image_size = pair(image_size)
        self.upscale = upscale
        self.keep_crowd = keep_crowd
        self._folders: dict[str, CocoFolder] = {}

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the samples, pixels."""
        return self._image_size

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class number, read from the validation annotations."""
        return self.folder("val").class_names

    def folder(self, split: str) -> CocoFolder:
        """The annotations of a split, read on first use."""
        if split not in self._folders:
            if split == "test" and not _has_split(self.root, "test"):
                return self.folder("val")
            found = CocoFolder(self.root, split)
            for other in self._folders.values():
                if other.class_names != found.class_names:
                    raise ValueError(
                        f"coco: {found.file} must have the categories of {other.file}, got others"
                    )
            self._folders[split] = found
        return self._folders[split]

    def source(self, split: str) -> CocoSource:
        """Reader of one split."""
        keep_crowd = self.keep_crowd and split != "train"
        return CocoSource(self.folder(split), self._image_size, self.upscale, keep_crowd)


class DigitsDetection(CocoDetection):
    """The generated digits set (see ``data.digits``), written to the cache on first use.

    Args:
        root: folder of the set; None: the cache.
        variant: "easy" or "hard".
        batch_size, num_workers, cache, horizontal_flip, seed: as in CocoDetection.
        data_seed: seed of the generation (not of the training order).
        train, val, test: numbers of images.
        image_size: height and width in pixels.

    Example:
        >>> from lampyris import data
        >>> images, targets = next(iter(data.DigitsDetection().train_dataloader()))
        >>> tuple(images.shape), len(targets)
        ((16, 3, 80, 80), 16)
    """

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        variant: str = "easy",
        batch_size: int = 16,
        num_workers: int = 0,
        cache: str = "memory",
        horizontal_flip: float = 0.0,
        seed: int = 0,
        data_seed: int = 0,
        train: int = 4000,
        val: int = 300,
        test: int = 500,
        image_size: int = 80,
    ) -> None:
        super().__init__("", image_size, batch_size, num_workers, cache, horizontal_flip, seed=seed)
        self._wanted = {"root": root, "variant": variant, "seed": data_seed, "image_size": image_size}
        self._wanted |= {"train": train, "val": val, "test": test}
        self._ready = False

    def prepare_data(self) -> None:
        """Generate the set unless it is there."""
        self.root = digits(**self._wanted)
        self._ready = True

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def folder(self, split: str) -> CocoFolder:
        """The annotations of a split; generates the set when needed."""
        if not self._ready:
            self.prepare_data()
        return super().folder(split)


def _has_split(root: Path, split: str) -> bool:
    try:
        annotation_file(root, split)
    except FileNotFoundError:
        return False
    return True

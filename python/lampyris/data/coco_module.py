"""DataModules over labelled images: COCO-format folders, YOLO-format folders, generated digits."""

from __future__ import annotations

import copy
import logging
import os
import zlib
from pathlib import Path

from lampyris.data.augment_images import ImageAugment
from lampyris.data.coco import CocoFolder
from lampyris.data.coco_layout import annotation_file
from lampyris.data.coco_source import CocoSource
from lampyris.data.detection_module import DetectionModule, pair
from lampyris.data.digits_set import digits
from lampyris.data.yolo import YoloFolder
from lampyris.data.yolo_layout import yolo_layout

__all__ = ["CocoDetection", "DigitsDetection", "YoloDetection", "held_out"]

log = logging.getLogger(__name__)


class CocoDetection(DetectionModule):
    """Batches of any COCO-format folder (also train2017 / val2017).

    Images of another size are letterboxed to ``image_size``. Without annotations for the test split,
    testing uses the validation split (COCO publishes none). Without a validation split, a fixed part of
    the training images is held out, chosen by file name.

    Args:
        root: folder with ``annotations/`` and the image folders.
        image_size: height and width, or one number for both; a multiple of the network's largest stride.
        batch_size: samples per batch.
        num_workers: loader processes; 0 is best for small cached sets.
        cache: "memory", "none", "shards" (on disk) or "auto" (memory when all decoded samples fit 1 GiB).
        horizontal_flip: probability of mirrored training images.
        upscale: False: smaller images are only padded.
        keep_crowd: give crowd regions and areas with validation and test targets ("iscrowd", "area").
        seed: seed of order and flips.
        holdout: part of the training images that is validated on where there is no validation split.
        augment: mosaic, affine and HSV for training (``ImageAugment.yolo()``: as published); None: none.
        cache_folder: where ``cache="shards"`` writes; None: the cache.

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
        holdout: float = 0.1,
        augment: ImageAugment | None = None,
        cache_folder: str | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers, cache, horizontal_flip, seed, augment, cache_folder)
        if not 0.0 < holdout < 1.0:
            raise ValueError(f"data: holdout must be between 0 and 1, got {holdout}")
        self.holdout = holdout
        self.root = Path(root)
        self._image_size = pair(image_size)
        self.upscale = upscale
        self.keep_crowd = keep_crowd
        self._folders: dict[str, CocoFolder | YoloFolder] = {}

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the samples, pixels."""
        return self._image_size

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class number, read from the validation annotations."""
        return self.folder("val").class_names

    def has_split(self, split: str) -> bool:
        """Whether the folder states this split itself."""
        try:
            annotation_file(self.root, split)
        except FileNotFoundError:
            return False
        return True

    def splits(self) -> tuple[str, ...]:
        """The splits that differ: "test" is left out where it is the validation split."""
        return ("train", "val", "test") if self.has_split("test") else ("train", "val")

    def read_split(self, split: str) -> CocoFolder | YoloFolder:
        """Read the images and boxes of one split."""
        return CocoFolder(self.root, split)

    def folder(self, split: str) -> CocoFolder | YoloFolder:
        """Images and boxes of a split, read on first use."""
        if split not in self._folders:
            if split == "test" and not self.has_split("test"):
                return self.folder("val")
            if split in ("train", "val") and self.has_split("train") and not self.has_split("val"):
                self._folders |= held_out(self.read_split("train"), self.holdout)
                return self._folders[split]
            found = self.read_split(split)
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


class YoloDetection(CocoDetection):
    """Batches of a YOLO-format folder (one text file of boxes per image): see YoloFolder, CocoDetection.

    Args:
        root: the folder, or its YAML file.
        image_size, batch_size, num_workers, cache, horizontal_flip, upscale, keep_crowd, seed, holdout,
            augment, cache_folder: as in CocoDetection.
    """

    def has_split(self, split: str) -> bool:
        """Whether the folder states this split itself."""
        return split in yolo_layout(self.root).images

    def read_split(self, split: str) -> YoloFolder:
        """Read the images and boxes of one split."""
        return YoloFolder(self.root, split)


class DigitsDetection(CocoDetection):
    """The generated digits set (see ``data.digits``), written to the cache on first use.

    Args:
        root: folder of the set; None: the cache.
        variant: "easy" or "hard".
        batch_size, num_workers, cache, horizontal_flip, seed, augment: as in CocoDetection.
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
        augment: ImageAugment | None = None,
    ) -> None:
        options = {"seed": seed, "augment": augment}
        super().__init__("", image_size, batch_size, num_workers, cache, horizontal_flip, **options)
        self._wanted = {"root": root, "variant": variant, "seed": data_seed, "image_size": image_size}
        self._wanted |= {"train": train, "val": val, "test": test}
        self._ready = False

    def prepare_data(self) -> None:
        """Generate the set unless it is there."""
        self.root = digits(**self._wanted)
        self._ready = True
        super().prepare_data()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def folder(self, split: str) -> CocoFolder:
        """The annotations of a split; generates the set when needed."""
        if not self._ready:
            self.prepare_data()
        return super().folder(split)


def held_out(folder: CocoFolder | YoloFolder, part: float) -> dict[str, CocoFolder | YoloFolder]:
    """Split a folder into "train" and "val" by the checksum of file names: the same in every run.

    Raises:
        ValueError: one of them would be empty.
    """
    steps = 10_000
    chosen = [zlib.crc32(image.path.name.encode()) % steps < part * steps for image in folder.images]
    splits = {}
    for name, wanted in (("train", False), ("val", True)):
        splits[name] = copy.copy(folder)
        splits[name].images = [
            image for image, held in zip(folder.images, chosen, strict=True) if held is wanted
        ]
        if not splits[name].images:
            raise ValueError(
                f"data: {folder.file} must have images for training and validation, got {len(chosen)} images "
                f"of which a part of {part} gives {sum(chosen)} for validation; add a val split"
            )
    log.info("%s has no validation split: %d of %d images held out", folder.file, sum(chosen), len(chosen))
    return splits

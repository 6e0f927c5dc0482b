"""DataModules over COCO folders: batches, letterbox, crowds, flips, caching."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lampyris import data
from lampyris.data.coco_source import CocoSource
from lampyris.data.detection_set import DetectionSet

sys.path.insert(0, str(Path(__file__).parent))
import coco_files


def digits_module(digits_folder, **changes) -> data.CocoDetection:
    return data.CocoDetection(digits_folder, **{"image_size": 80, "batch_size": 4, **changes})


def test_a_batch_holds_the_pixels_and_boxes_of_the_files(digits_folder):
    module = digits_module(digits_folder)
    images, targets = next(iter(module.val_dataloader()))
    assert images.shape == (4, 3, 80, 80) and images.dtype == torch.uint8
    pixels = np.asarray(Image.open(digits_folder / "val" / "000002.png"))
    assert np.array_equal(images[1].permute(1, 2, 0), pixels)
    entry = data.CocoFolder(digits_folder, "val").images[1]
    assert targets[1]["boxes"].tolist() == [list(box) for box in entry.boxes]
    assert targets[1]["boxes"].dtype == torch.float32 and targets[1]["labels"].dtype == torch.int64
    assert targets[1]["labels"].tolist() == entry.labels and targets[1]["image_id"] == 2


def test_description(digits_folder):
    module = digits_module(digits_folder)
    assert module.class_names == tuple("0123456789")
    assert (module.num_classes, module.in_channels, module.image_size) == (10, 3, (80, 80))
    assert (module.time_steps, module.input_exponent) == (1, 8)
    assert [len(module.dataset(s)) for s in ("train", "val", "test")] == [40, 10, 12]


@pytest.mark.parametrize("cache", ["none", "auto"])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_caching_and_workers_change_nothing(digits_folder, cache, num_workers):
    expected = digits_module(digits_folder, cache="memory", horizontal_flip=0.5).train_dataloader()
    other = digits_module(digits_folder, cache=cache, num_workers=num_workers, horizontal_flip=0.5)
    for (a, ta), (b, tb) in zip(expected, other.train_dataloader(), strict=True):
        assert torch.equal(a, b)
        assert all(torch.equal(x["boxes"], y["boxes"]) for x, y in zip(ta, tb, strict=True))


def test_a_consumer_may_write_into_targets(digits_folder):
    dataset = digits_module(digits_folder, cache="memory").dataset("train")
    before = dataset[0][1]["boxes"].clone()
    target = dataset[0][1]
    target["boxes"] *= 0
    target["labels"] = None
    assert torch.equal(dataset[0][1]["boxes"], before) and dataset[0][1]["labels"] is not None


def test_flips_depend_on_seed_epoch_and_index(digits_folder):
    dataset = digits_module(digits_folder, horizontal_flip=0.5).dataset("train")
    plain = [dataset[i][0] for i in range(40)]
    flipped = [[not torch.equal(dataset[i, epoch][0], plain[i]) for i in range(40)] for epoch in (0, 1, 0)]
    assert flipped[0] == flipped[2] != flipped[1] and 5 < sum(flipped[0]) < 35
    index = flipped[0].index(True)
    image, target = dataset[index, 0]
    assert torch.equal(image, plain[index].flip(-1))
    left, top, right, bottom = dataset[index][1]["boxes"].unbind(1)
    assert torch.equal(target["boxes"], torch.stack([80 - right, top, 80 - left, bottom], 1))


def test_validation_is_never_flipped(digits_folder):
    module = digits_module(digits_folder, horizontal_flip=1.0)
    assert module.dataset("val").horizontal_flip == 0.0 and module.dataset("train").horizontal_flip == 1.0


def test_letterboxed_boxes_and_left_out_crowds(tmp_path):
    folder = data.CocoFolder(coco_files.write(tmp_path), "train")
    image, target = CocoSource(folder, (16, 16)).load(0)
    # 3 x 8 -> 6 x 16, 5 rows of grey above and below.
    assert image.shape == (3, 16, 16) and (image[:, :5] == 114).all() and (image[:, 11:] == 114).all()
    assert target["boxes"].tolist() == [[2, 6, 10, 10]]
    _, target = CocoSource(folder, (16, 24)).load(1)
    assert target["boxes"].tolist() == [[16, 4, 24, 8]] and "iscrowd" not in target
    _, target = CocoSource(folder, (16, 24), keep_crowd=True).load(1)
    assert target["boxes"].tolist() == [[0, 0, 24, 16], [16, 4, 24, 8]]
    assert target["iscrowd"].tolist() == [1, 0] and target["area"].tolist() == [320, 32]


def test_an_image_without_boxes(tmp_path):
    value = coco_files.content()
    value["annotations"] = []
    _, target = CocoSource(data.CocoFolder(coco_files.write(tmp_path, value), "train"), (8, 8)).load(0)
    assert target["boxes"].shape == (0, 4) and target["labels"].shape == (0,)


def test_without_test_annotations_the_validation_split_is_tested(tmp_path):
    for split in ("train2017", "val2017"):
        coco_files.write(tmp_path, split=split)
    module = data.CocoDetection(tmp_path, image_size=16, batch_size=2)
    assert [t["image_id"] for t in next(iter(module.test_dataloader()))[1]] == [10, 20]


def test_splits_must_agree_on_categories(tmp_path):
    coco_files.write(tmp_path, split="train")
    value = coco_files.content()
    value["categories"].append({"id": 9, "name": "cow"})
    coco_files.write(tmp_path, value, split="val")
    with pytest.raises(
        ValueError, match=r"instances_val\.json must have the categories of .*instances_train"
    ):
        data.CocoDetection(tmp_path, image_size=16).setup("fit")


def test_a_damaged_image_stops_setup_of_a_cached_set(tmp_path):
    for split in ("train", "val"):
        coco_files.write(tmp_path, split=split)
    (tmp_path / "train" / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"train/b\.png must be a readable image, got: cannot identify"):
        data.CocoDetection(tmp_path, image_size=16, cache="memory").setup("fit")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, "num_workers must be at least 0, got -1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"image_size": 0}, "image_size must be one or two positive integers, got 0"),
        ({"image_size": (80, 80, 3)}, "image_size must be one or two positive integers"),
    ],
)
def test_refusals(digits_folder, change, reason):
    with pytest.raises(ValueError, match=reason):
        digits_module(digits_folder, **change)


def test_refusals_of_the_set(digits_folder):
    source = CocoSource(data.CocoFolder(digits_folder, "val"), (80, 80))
    with pytest.raises(ValueError, match="cache must be"):
        DetectionSet(source, cache="disk")
    with pytest.raises(ValueError, match=r"horizontal_flip must be between 0 and 1, got 1\.5"):
        DetectionSet(source, horizontal_flip=1.5)


def test_digits_detection_generates_into_the_cache():
    module = data.DigitsDetection(train=20, val=3, test=3, batch_size=8)
    images, targets = next(iter(module.train_dataloader()))
    assert images.shape == (8, 3, 80, 80) and len(targets) == 8
    assert module.root.parent == data.cache_folder()

"""COCO folders: layouts, category gaps, boxes, and each defect named."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pytest

from lampyris.data import CocoFolder
from lampyris.data.coco import open_image

sys.path.insert(0, str(Path(__file__).parent))
import coco_files


def test_reads_images_boxes_and_category_gaps(tmp_path):
    folder = CocoFolder(coco_files.write(tmp_path), "train")
    assert folder.class_names == ("dog", "cat")
    first, second = folder.images
    assert (first.id, first.height, first.width, first.path.name) == (10, 3, 8, "a.png")
    assert first.boxes == [(1, 0.5, 5, 2.5)] and first.labels == [1]
    # Box [4, 1, 5, 1] is cut at the right edge of the 6 pixels.
    assert second.boxes == [(0, 0, 6, 4), (4, 1, 6, 2)] and second.crowd == [True, False]
    assert second.areas == [20, 2]


@pytest.mark.parametrize(
    ("split", "folder", "wanted"),
    [("train2017", "train2017", "train"), ("val2017", "images/val2017", "val"), ("val2017", None, "val2017")],
)
def test_layouts(tmp_path, split, folder, wanted):
    coco_files.write(tmp_path, split=split, folder=folder)
    assert len(CocoFolder(tmp_path, wanted).images) == 2


def test_two_files_for_a_split_are_ambiguous(tmp_path):
    for year in (2014, 2017):
        coco_files.write(tmp_path, split=f"train{year}")
    with pytest.raises(ValueError, match=r"got instances_train2014\.json, instances_train2017\.json"):
        CocoFolder(tmp_path, "train")
    assert len(CocoFolder(tmp_path, "train2014").images) == 2


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"instances_train\.json must exist"):
        CocoFolder(tmp_path, "train")
    coco_files.write(tmp_path)
    (tmp_path / "train" / "b.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"instances_train\.json must exist, got no such file .*b\.png"
    ):
        CocoFolder(tmp_path, "train")
    (tmp_path / "train" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"got 2 of 2 missing, first: no such file .*a\.png"):
        CocoFolder(tmp_path, "train")
    (tmp_path / "train").rmdir()
    with pytest.raises(FileNotFoundError, match="must be a folder of images, got neither"):
        CocoFolder(tmp_path, "train")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"images": [', "must be JSON, got: Expecting value"),
        (b"\xff\xfe\x00", "must be JSON, got: "),
        ("[" * 100_000, "must be JSON, got: "),
        ("[]", "must hold a JSON object, got list"),
        ('{"images": [], "annotations": []}', "must have a list 'categories', got NoneType"),
        ('{"images": [], "annotations": [], "categories": []}', "must list at least one image, got none"),
    ],
)
def test_broken_json_is_named(tmp_path, text, reason):
    coco_files.write(tmp_path, text)
    with pytest.raises(ValueError) as error:
        CocoFolder(tmp_path, "train")
    assert "instances_train.json" in str(error.value) and reason in str(error.value)
    assert "\n" not in str(error.value)


BOX = "bbox must be \\[x, y, width, height\\], finite, sizes >= 0, got "
DEFECTS = [
    ("images", 0, {"id": 10}, r"images\[1\]: id must be unique, got 10 again"),
    ("images", 0, {"id": "x"}, r"images\[0\] must be an object with an integer id"),
    ("images", 0, {"file_name": "../b.png"}, "image 20: file_name must be a path inside .*, got '../b.png'"),
    ("images", 0, {"file_name": "/b.png"}, "image 20: file_name must be a path inside"),
    ("images", 0, {"file_name": None}, "image 20: file_name must be a path inside .*, got None"),
    ("images", 0, {"height": 0}, "image 20: height and width must be positive integers, got 0, 6"),
    ("images", 0, {"width": 6.5}, "height and width must be positive integers, got 4, 6.5"),
    ("categories", 0, {"name": 3}, "category 7: name must be text, got 3"),
    ("annotations", 0, {"image_id": 99}, "annotation 1: image_id must name an image, got 99"),
    ("annotations", 0, {"image_id": []}, r"annotation 1: image_id must name an image, got \[\]"),
    ("annotations", 0, {"category_id": 1}, "annotation 1: category_id must name a category, got 1"),
    ("annotations", 0, {"bbox": [1, 2, 3]}, f"annotation 1: {BOX}\\[1, 2, 3\\]"),
    ("annotations", 0, {"bbox": [1, 2, -3, 4]}, f"annotation 1: {BOX}\\[1, 2, -3, 4\\]"),
    ("annotations", 0, {"bbox": [float("nan"), 2, 3, 4]}, f"annotation 1: {BOX}\\[nan, 2, 3, 4\\]"),
    ("annotations", 0, {"bbox": [1, 2, float("inf"), 4]}, f"annotation 1: {BOX}\\[1, 2, inf, 4\\]"),
    ("annotations", 0, {"bbox": [1, 2, "3", 4]}, f"annotation 1: {BOX}"),
    ("annotations", 0, {"bbox": [1, 2, True, 4]}, f"annotation 1: {BOX}"),
    ("annotations", 0, {"bbox": [1, 2, 10**400, 4]}, f"annotation 1: {BOX}"),
    ("annotations", 0, {"bbox": "1 2 3 4"}, f"annotation 1: {BOX}"),
]


@pytest.mark.parametrize(("section", "position", "change", "reason"), DEFECTS)
def test_each_defect_is_named(tmp_path, section, position, change, reason):
    value = copy.deepcopy(coco_files.content())
    value[section][position].update(change)
    coco_files.write(tmp_path, value)
    with pytest.raises(ValueError, match=reason) as error:
        CocoFolder(tmp_path, "train")
    assert "instances_train.json" in str(error.value)


def test_boxes_without_area_are_left_out(tmp_path):
    value = coco_files.content()
    value["annotations"][0]["bbox"] = [1, 1, 0, 2]
    value["annotations"][2]["bbox"] = [50, 1, 5, 2]
    folder = CocoFolder(coco_files.write(tmp_path, value), "train")
    assert folder.images[0].boxes == [] and folder.images[1].crowd == [True]


def test_open_image_converts_and_refuses(tmp_path):
    from PIL import Image

    grey = tmp_path / "grey.png"
    Image.fromarray(np.full((2, 3), 7, np.uint8)).save(grey)
    assert np.array_equal(open_image(grey, 2, 3), np.full((2, 3, 3), 7))
    with pytest.raises(ValueError, match=r"grey\.png must be 3 x 3 as annotated, got 2 x 3"):
        open_image(grey, 3, 3)
    with pytest.raises(FileNotFoundError, match=r"image .*none\.png must exist"):
        open_image(tmp_path / "none.png", 2, 2)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_damaged_image_is_named(tmp_path, suffix):
    from PIL import Image

    path = tmp_path / f"a.{suffix}"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    for cut in (0, 5, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=rf"a\.{suffix} must be a readable image, got: "):
            open_image(path, 40, 40)

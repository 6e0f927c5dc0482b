"""Any labelled folder in one line: COCO-format layouts, YOLO labels, held-out validation, defects named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lampyris import data

sys.path.insert(0, str(Path(__file__).parent))
import coco_files

NAMES = ("a.png", "b.png", "c.png")


def yolo(
    root: Path, splits=("train", "val"), swapped: bool = False, names: str | None = "cat\ndog\n"
) -> Path:
    """Three 10 x 20 images a split; a.png has a box and a polygon, b.png an empty file, c.png none."""
    for split in splits:
        images, labels = (f"{split}/images", f"{split}/labels") if swapped else (f"images/{split}",) * 2
        labels = labels.replace("images", "labels")
        (root / images).mkdir(parents=True, exist_ok=True)
        (root / labels).mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            Image.fromarray(np.full((10, 20, 3), 50, np.uint8)).save(root / images / name)
        (root / labels / "a.txt").write_text("1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.3 0.6\n\n")
        (root / labels / "b.txt").write_text("")
    if names:
        (root / "classes.txt").write_text(names)
    return root


def test_the_format_is_found(digits_folder, events_folder, tmp_path):
    assert [data.folder_format(f) for f in (digits_folder, events_folder)] == ["coco", "gen1"]
    assert data.folder_format(yolo(tmp_path)) == "yolo"
    for folder, kind in ((digits_folder, "Coco"), (events_folder, "Gen1"), (tmp_path, "Yolo")):
        assert type(data.open_folder(folder)).__name__ == f"{kind}Detection"
    with pytest.raises(ValueError, match=r"is read by Gen1Detection with time_steps, .*; got 'upscale'"):
        data.open_folder(events_folder, upscale=True)


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("annotations/{}.json", "images/{}"),
        ("annotations/instances_{}.json", "images"),
        ("{}/_annotations.coco.json", "{}"),
        ("{}.json", "{}"),
    ],
)
def test_coco_format_layouts(tmp_path, annotations, images):
    coco_files.write(tmp_path / "from")
    for split in ("train", "valid"):
        target = tmp_path / "set" / images.format(split)
        target.mkdir(parents=True, exist_ok=True)
        for picture in (tmp_path / "from" / "train").iterdir():
            (target / picture.name).write_bytes(picture.read_bytes())
        file = tmp_path / "set" / annotations.format(split)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(coco_files.content()))
    module = data.open_folder(tmp_path / "set", image_size=16, batch_size=2)
    assert module.class_names == ("dog", "cat")
    assert [len(module.dataset(split)) for split in ("train", "val")] == [2, 2]
    report = data.check_folder(tmp_path / "set")
    assert [split.samples for split in report.splits] == [2, 2]
    assert all("annotation 3: bbox must lie inside" in problem for problem in report.problems)


def test_without_a_validation_split_a_fixed_part_is_held_out(tmp_path):
    value = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "images").mkdir()
    for number in range(40):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "images" / f"{number}.png")
        value["images"].append({"id": number, "file_name": f"{number}.png", "height": 4, "width": 4})
    (tmp_path / "annotations.json").write_text(json.dumps(value))
    ids = []
    for _ in range(2):
        module = data.open_folder(tmp_path, image_size=4, holdout=0.25)
        ids.append([[image.id for image in module.folder(split).images] for split in ("train", "val")])
    assert ids[0] == ids[1] and sorted(ids[0][0] + ids[0][1]) == [*range(40)] and 4 <= len(ids[0][1]) <= 16
    with pytest.raises(
        ValueError, match=r"must have images for training and validation, got 40 images of wh"
    ):
        data.open_folder(tmp_path, image_size=4, holdout=0.0001).setup("fit")


@pytest.mark.parametrize("swapped", [False, True])
def test_yolo_boxes_and_polygons(tmp_path, swapped):
    folder = data.YoloFolder(yolo(tmp_path, swapped=swapped), "val")
    assert folder.class_names == ("cat", "dog") and [len(image.boxes) for image in folder.images] == [2, 0, 0]
    assert folder.images[0].labels == [1, 0]
    np.testing.assert_allclose(folder.images[0].boxes, [(8, 3, 12, 7), (2, 2, 6, 6)], rtol=1e-12)
    module = data.open_folder(tmp_path, image_size=(10, 20), batch_size=3)
    images, targets = next(iter(module.val_dataloader()))
    assert images.shape == (3, 3, 10, 20) and targets[0]["boxes"].tolist() == [[8, 3, 12, 7], [2, 2, 6, 6]]
    assert [t["image_id"] for t in targets] == [1, 2, 3] and targets[2]["boxes"].shape == (0, 4)


def test_yolo_described_by_yaml(tmp_path):
    yolo(tmp_path / "set", splits=("train",), names=None)
    (tmp_path / "set" / "data.yaml").write_text(
        "path: /elsewhere\ntrain: ../images/train\nval: val.txt\nnames: {0: cat, 1: dog, 2: cow}\n"
    )
    (tmp_path / "set" / "val.txt").write_text("./images/train/a.png\nimages/train/c.png\n")
    for root in (tmp_path / "set", tmp_path / "set" / "data.yaml"):
        module = data.open_folder(root, image_size=16)
        assert module.class_names == ("cat", "dog", "cow")
        assert [len(module.dataset(split)) for split in ("train", "val", "test")] == [3, 2, 2]


def test_yolo_without_names_counts_the_classes(tmp_path):
    assert data.YoloFolder(yolo(tmp_path, names=None), "train").class_names == ("0", "1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 0.5 0.5 x 1", "line 1 must hold numbers, got '1 0.5 0.5 x 1'"),
        ("1 0.5 0.5 1", "line 1 must be class cx cy w h, or a polygon of points"),
        ("0 .5 .5 1 1\n2 .5 .5 1 1", "line 2: class must be below 2, got 2"),
        ("0.5 .5 .5 1 1", "line 1 must hold a class number and finite values"),
        ("0 nan .5 1 1", "line 1 must hold a class number and finite values"),
        ("0 .5 .5 -1 1", "line 1: w and h must not be negative"),
    ],
)
def test_yolo_defects_are_named(tmp_path, text, reason):
    root = yolo(tmp_path)
    (root / "labels" / "train" / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"yolo: .*a\.txt: {reason}"):
        data.YoloFolder(root, "train")
    problem = data.check_folder(root).problems[0]
    assert "a.txt: " + reason.split(",")[0] in problem


def test_check_of_a_yolo_folder(tmp_path):
    root = yolo(tmp_path)
    assert data.check_folder(root).problems == []
    (root / "images" / "train" / "b.png").write_bytes(b"no picture")
    picture = (root / "images" / "val" / "a.png").read_bytes()
    (root / "images" / "val" / "c.png").write_bytes(picture[:48])
    (root / "labels" / "train" / "c.txt").write_text("0 0.9 0.5 0.8 0.5\n0 3 3 0.1 0.1")
    (root / "labels" / "val" / "a.txt").unlink()
    problems = data.check_folder(root).problems
    expected = [
        "train/b.png must be a readable image",
        "train/c.txt: line 1: box must lie inside the 10 x 20 image",
        "train/c.txt: line 2: box must lie inside the 10 x 20 image",
        "val/c.png must be a readable image",
        "val must hold at least one box that counts, got none",
    ]
    assert sorted(sum(part in problem for problem in problems) for part in expected) == [1] * len(expected)
    assert len(problems) == len(expected)


def test_broken_yaml_is_named(tmp_path):
    yolo(tmp_path)
    for text, reason in (
        ("names: [", "must be YAML"),
        ("names", "must be a map"),
        ("names: []\ntrain: images", "names must list the classes"),
        ("names: [a]\ntrain: nowhere", "nowhere must be a folder of images or a list"),
        ("names: [a]\ntrain: 3", "train must be a folder, a list file or several"),
    ):
        (tmp_path / "data.yaml").write_text(text)
        with pytest.raises(ValueError, match=f"yolo: .*data.yaml.*{reason}"):
            data.open_folder(tmp_path)

"""The digits set: genuine COCO, the recipe's ranges, splits apart, the same bytes from the same seed."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from lampyris import data
from lampyris.data.digits_set import CATEGORY_IDS, MAX_OVERLAP, PHOTO_COLUMNS, SAMPLES, SPLITS, digit_samples
from lampyris.data.pictures import background, digit_alpha, overlap, tight_box


def test_pycocotools_style_reader_accepts_it(digits_folder):
    from faster_coco_eval import COCO

    coco = COCO(str(digits_folder / "annotations" / "instances_train.json"))
    assert len(coco.getImgIds()) == 40 and tuple(sorted(coco.getCatIds())) == CATEGORY_IDS
    names = [category["name"] for category in coco.loadCats(list(CATEGORY_IDS))]
    assert names == [str(digit) for digit in range(10)]


def test_sizes_counts_and_overlaps(digits_folder):
    counts, heights = [], []
    for split in SPLITS:
        for image in data.CocoFolder(digits_folder, split).images:
            counts.append(len(image.boxes))
            for number, box in enumerate(image.boxes):
                assert 0 <= box[0] < box[2] <= 80 and 0 <= box[1] < box[3] <= 80
                heights.append(box[3] - box[1])
                assert all(overlap(box, other) <= MAX_OVERLAP for other in image.boxes[:number])
    assert {*counts} == {1, 2, 3, 4} and 2.0 < np.mean(counts) < 3.0
    assert min(heights) >= 10 and max(heights) <= 32 and 17 < np.mean(heights) < 22


def test_splits_share_neither_digits_nor_columns():
    drawn = np.concatenate([digit_samples(split) for split in SPLITS])
    assert sorted(drawn.tolist()) == list(range(SAMPLES))
    spans = sorted(PHOTO_COLUMNS.values())
    assert spans[0][0] == 0 and spans[-1][1] == 640
    assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_backgrounds_stay_in_their_columns():
    photo = np.zeros((427, 640, 3), np.uint8)
    photo[:, 96:448] = 255
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert (background([Image.fromarray(photo)], (96, 448), 80, rng) == 1).all()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    def files(root):
        return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*.*"))}

    one, two = (data.digits(tmp_path / name, train=3, val=2, test=2, seed=5) for name in "ab")
    assert files(one) == files(two)
    other = data.digits(tmp_path / "c", train=3, val=2, test=2, seed=6)
    assert (other / "train" / "000001.png").read_bytes() != (one / "train" / "000001.png").read_bytes()
    longer = data.digits(tmp_path / "d", train=4, val=2, test=2, seed=5)
    for image in ("train/000003.png", "test/000002.png"):
        assert (longer / image).read_bytes() == (one / image).read_bytes()


def test_boxes_are_tight_around_the_digit():
    alpha = np.zeros((6, 8), np.float32)
    alpha[2, 3], alpha[4, 5], alpha[0, 0] = 0.31, 1.0, 0.3
    assert tight_box(alpha) == (3, 2, 6, 5)
    assert tight_box(np.zeros((3, 3))) is None
    bitmap = np.zeros((10, 10), np.float32)
    bitmap[1:9, 4:6] = 1
    enlarged = digit_alpha(bitmap, 30, 20)
    assert enlarged.shape == (30, 20) and enlarged.min() >= 0 and enlarged.max() <= 1
    left, top, right, bottom = tight_box(enlarged)
    assert abs(left - 8) <= 1 and abs(right - 12) <= 1 and abs(top - 3) <= 1 and abs(bottom - 27) <= 1


def test_the_digit_is_brighter_than_its_surroundings(digits_folder):
    folder = data.CocoFolder(digits_folder, "train")
    brighter = []
    for image in folder.images:
        pixels = np.asarray(Image.open(image.path), float).mean(2)
        for left, top, right, bottom in image.boxes:
            inside = pixels[int(top) : int(bottom), int(left) : int(right)]
            brighter.append(np.percentile(inside, 95) > pixels.mean())
    assert np.mean(brighter) > 0.95


def test_hard_variant(tmp_path):
    folder = data.digits(tmp_path / "hard", variant="hard", train=20, val=1, test=1)
    assert json.loads((folder / "lampyris.json").read_text())["recipe"]["both_signs"] is True
    assert max(box[3] - box[1] for i in data.CocoFolder(folder, "train").images for box in i.boxes) > 26


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_size": 40}, "image_size must be at least 48, got 40"),
        ({"train": 0}, "train must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"variant": "harder"}, 'variant must be "easy" or "hard", got \'harder\''),
    ],
)
def test_refusals(tmp_path, change, reason):
    with pytest.raises(ValueError, match=f"digits: {reason}"):
        data.digits(tmp_path / "x", **change)
    assert list(tmp_path.iterdir()) == []

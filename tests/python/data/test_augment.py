"""Augmentation: what it does to pixels and boxes, and that it depends on (seed, epoch, index) alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lampyris import data
from lampyris.data.augment_events import zoomed
from lampyris.data.detection_set import DetectionSet
from lampyris.data.gen1_boxes import write_boxes

SIZE = 40


def coloured(root: Path, count: int = 6) -> Path:
    """Images of one grey level each (10, 30, ...), 20 x 40, with a white 8 x 8 square as the box."""
    (root / "train").mkdir(parents=True)
    value = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "square"}]}
    for number in range(count):
        pixels = np.full((20, SIZE, 3), 10 + 20 * number % 200, np.uint8)
        pixels[6:14, 10:18] = 255
        Image.fromarray(pixels).save(root / "train" / f"{number}.png")
        value["images"].append({"id": number, "file_name": f"{number}.png", "height": 20, "width": SIZE})
        box = {"id": number, "image_id": number, "category_id": 1, "bbox": [10, 6, 8, 8], "area": 64}
        value["annotations"].append(box)
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train.json").write_text(json.dumps(value))
    return root


def dataset(root: Path, **options) -> DetectionSet:
    module = data.CocoDetection(root, image_size=SIZE, augment=data.ImageAugment(**options), holdout=0.5)
    source = module.source("train")
    source.folder = data.CocoFolder(root, "train")
    return DetectionSet(source, augment=module.augment)


def white(image: torch.Tensor) -> list[int]:
    """The box around the bright pixels: x0, y0, x1, y1."""
    rows, columns = (torch.nonzero((image > 200).all(0).any(axis)).flatten() for axis in (1, 0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def same(a, b) -> bool:
    targets = all(torch.equal(a[1][key], b[1][key]) for key in ("boxes", "labels"))
    return torch.equal(a[0], b[0]) and targets


def test_nothing_switched_on_changes_nothing(tmp_path):
    items = dataset(coloured(tmp_path))
    assert items.augment is None and same(items[2, 5], items[2])
    only_mosaic_closed = dataset(tmp_path, mosaic=1.0)
    only_mosaic_closed.closing_epoch = 3
    assert same(only_mosaic_closed[2, 3], items[2]) and not same(only_mosaic_closed[2, 2], items[2])


def test_a_mosaic_shows_four_images_without_letterbox_borders(tmp_path):
    items = dataset(coloured(tmp_path), mosaic=1.0)
    for epoch in range(4):
        image, target = items[1, epoch]
        assert image.shape == (3, SIZE, SIZE) and target["image_id"] == 1
        for x0, y0, x1, y1 in target["boxes"].round().int().tolist():
            assert (image[:, y0:y1, x0:x1] == 255).float().mean() > 0.9
        # Every bright pixel belongs to a box that was kept or was cut to a sliver.
        inside = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        for x0, y0, x1, y1 in target["boxes"].round().int().tolist():
            inside[y0:y1, x0:x1] = True
        assert int(((image == 255).all(0) & ~inside).sum()) <= 4 * 2 * 8
    levels = {int(v) for epoch in range(8) for v in items[1, epoch][0].unique()}
    assert levels - {255, 114} <= {10 + 20 * k for k in range(6)} and len(levels) > 4


@pytest.mark.parametrize(
    "options",
    [{"scale": 0.5}, {"translate": 0.3}, {"rotate": 15.0}, {"shear": 10.0}, {"scale": 0.3, "mosaic": 0.5}],
)
def test_boxes_follow_the_pixels(tmp_path, options):
    items = dataset(coloured(tmp_path, 2), **options)
    seen = 0
    for epoch in range(12):
        image, target = items[0, epoch]
        boxes = target["boxes"]
        assert ((boxes >= 0) & (boxes <= SIZE)).all() and len(boxes) == len(target["labels"])
        if len(boxes) == 1 and (image > 200).all(0).any() and not options.get("mosaic"):
            # A turned square's box is that of its corners; resampling blurs a pixel on each side.
            assert np.abs(np.array(white(image)) - boxes[0].numpy()).max() <= 2.5
            seen += 1
    assert seen > 6 or options.get("mosaic")


def test_colours_change_and_boxes_stay(tmp_path):
    root = coloured(tmp_path)
    pixels = np.zeros((20, SIZE, 3), np.uint8)
    pixels[:] = (200, 60, 30)
    Image.fromarray(pixels).save(root / "train" / "0.png")
    items = dataset(root, hsv=(0.1, 0.5, 0.4))
    first, second = items[0, 0], items[0, 1]
    assert not torch.equal(first[0], second[0]) and torch.equal(first[1]["boxes"], items[0][1]["boxes"])
    assert (dataset(root, hsv=(0.0, 0.0, 1.0))[0, 0][0][0, 20] != 200).all()  # value alone
    letterbox = dataset(root, hsv=(0.5, 1.0, 0.0))[0, 0][0][:, 0]
    assert (letterbox == 114).all()  # grey has no hue and no saturation


def test_choices_depend_on_seed_epoch_and_index(tmp_path):
    root = coloured(tmp_path)
    options = {"mosaic": 0.5, "scale": 0.4, "translate": 0.1, "rotate": 5.0, "hsv": (0.1, 0.5, 0.4)}
    one, two = dataset(root, **options), dataset(root, **options)
    for index, epoch in ((3, 0), (0, 7), (5, 1)):
        two[1, epoch]  # another history
        assert same(one[index, epoch], two[index, epoch])
    assert not same(one[3, 0], one[3, 1])
    two.seed = 1
    assert not same(one[3, 0], two[3, 0])


def test_the_closing_epoch_comes_from_the_trainer(tmp_path):
    class Trainer:
        max_epochs, max_steps, accumulate_grad_batches = 12, -1, 1

    augment = data.ImageAugment(mosaic=1.0, close_mosaic=4)
    module = data.CocoDetection(
        coloured(tmp_path, 20), image_size=SIZE, batch_size=2, augment=augment, holdout=0.4
    )
    assert module.train_dataloader().dataset.closing_epoch is None
    module.trainer = Trainer()
    batches = len(module.train_dataloader())
    assert module.train_dataloader().dataset.closing_epoch == 8
    Trainer.max_epochs, Trainer.max_steps = -1, 6 * batches
    assert module.train_dataloader().dataset.closing_epoch == 2
    assert module.val_dataloader().dataset.augment is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mosaic": 1.5}, "mosaic must be between 0 and 1.0, got 1.5"),
        ({"scale": 1.0}, "scale must be between 0 and 0.99"),
        ({"rotate": -1.0}, r"rotate must be 0\.\.180"),
        ({"hsv": (0.1, 0.2)}, "hsv must be three numbers"),
        ({"close_mosaic": -1}, "close_mosaic must be at least 0"),
    ],
)
def test_refusals_of_images(options, reason):
    with pytest.raises(ValueError, match=reason):
        data.ImageAugment(**options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"zoom": (2.0, 1.0)}, "zoom must be two factors"),
        ({"drop": 1.0}, "drop must be at least 0 and below 1"),
        ({"jitter_us": -1.0}, "jitter_us must be"),
        ({"noise": float("nan")}, "noise"),
    ],
)
def test_refusals_of_events(options, reason):
    with pytest.raises(ValueError, match=reason):
        data.EventAugment(**options)


def test_zoom_by_hand():
    sample = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    target = {"boxes": torch.tensor([[0.0, 0, 4, 4], [3, 3, 4, 4]]), "labels": torch.tensor([5, 6])}
    large, moved = zoomed(sample, target, 2.0, [1.0, 0.0], 9)  # the lower left quarter
    assert large[0, 0].tolist() == [[8, 8, 9, 9], [8, 8, 9, 9], [12, 12, 13, 13], [12, 12, 13, 13]]
    assert moved["boxes"].tolist() == [[0, 0, 4, 4]] and moved["labels"].tolist() == [5]
    target = {"boxes": torch.tensor([[0.0, 0, 4, 4], [-1, 0, 4, 4.5]]), "labels": torch.tensor([5, 6])}
    small, moved = zoomed(sample, target, 0.5, [0.0, 1.0], 9)  # shrunk into the upper right corner
    assert small[0, 0].tolist() == [[9, 9, 5, 7], [9, 9, 13, 15], [9] * 4, [9] * 4]
    assert moved["boxes"].tolist() == [[1.5, 0, 4, 2.25]] and moved["labels"].tolist() == [6]  # 5: 2 x 2


def events_module(root: Path, augment, cache: str = "none", **options) -> data.Gen1Detection:
    if not root.exists():
        (root / "train").mkdir(parents=True)
        rng = np.random.default_rng(0)
        t = np.sort(rng.integers(0, 400_000, 20_000))
        x, y, p = (rng.integers(0, limit, 20_000) for limit in (32, 24, 2))
        data.write_dat(root / "train" / "a_td.dat", t, x, y, p, size=(24, 32))
        write_boxes(root / "train" / "a_bbox.npy", [100_000, 350_000], [(4, 4, 10, 10)] * 2, [0, 1])
    return data.Gen1Detection(root, batch_size=1, cache=cache, augment=augment, **options)


def counts(items: DetectionSet, epoch: int | None = 0) -> int:
    return int(items[(1, epoch) if epoch is not None else 1][0].sum())


def test_events_are_dropped_moved_and_added(tmp_path):
    root = tmp_path / "set"
    plain = counts(events_module(root, None).dataset("train"), None)
    t = data.EventFile(root / "train" / "a_td.dat").read()[0]
    assert plain == ((t >= 150_000) & (t < 350_000)).sum()
    dropped = [counts(events_module(root, data.EventAugment(drop=0.5)).dataset("train"), e) for e in range(6)]
    assert all(0.45 * plain < count <= plain for count in dropped) and len({*dropped}) == 6
    jittered = events_module(root, data.EventAugment(jitter_us=20_000)).dataset("train")
    assert counts(jittered) == plain and not torch.equal(jittered[1, 0][0], jittered[1][0])
    assert torch.equal(jittered[1, 0][0].sum(0), jittered[1][0].sum(0))  # same pixels, other times
    noisy = events_module(root, data.EventAugment(noise=10.0)).dataset("train")
    expected = 10 * 24 * 32 * 0.2
    assert abs(counts(noisy) - plain - expected) < 6 * expected**0.5  # Poisson, six standard deviations


def test_event_changes_repeat_and_need_events(tmp_path):
    augment = data.EventAugment(zoom=(0.7, 1.5), drop=0.3, jitter_us=500, noise=2.0)
    one, two = (events_module(tmp_path / "set", augment).dataset("train") for _ in range(2))
    two[1, 4]
    assert same(one[0, 3], two[0, 3]) and not same(one[0, 3], one[0, 4])
    with pytest.raises(ValueError, match="cache must be \"none\", got 'memory'"):
        events_module(tmp_path / "set", augment, "memory").dataset("train")
    auto = events_module(tmp_path / "set", augment, "auto").dataset("train")
    assert same(auto[0, 3], one[0, 3])
    zoom = data.EventAugment(zoom=(1.2, 1.2))
    cached, direct = (events_module(tmp_path / "set", zoom, c).dataset("train") for c in ("memory", "none"))
    assert same(cached[1, 2], direct[1, 2])


@pytest.mark.parametrize("name", ["counts", "polarity", "surface"])
def test_zoom_and_padding_keep_the_background(tmp_path, name):
    zoom = data.EventAugment(zoom=(0.5, 0.5))
    options = {"image_size": (32, 48), "representation": name}
    items = events_module(tmp_path / "set", zoom, **options).dataset("train")
    background = items.source.background
    assert (items[0][0][..., 24:, :] == background).all()
    # Half the size: at most a quarter of the padded frame, itself partly empty, is not background.
    assert (items[0, 0][0] == background).float().mean() >= 0.75 - 0.05


def test_stretched_frames_and_boxes(tmp_path):
    options = {"image_size": (48, 64), "fit": "stretch"}
    module = events_module(tmp_path / "set", None, **options)
    frames, target = module.dataset("train")[0]
    plain = events_module(tmp_path / "set", None).dataset("train")[0]
    assert torch.equal(frames[..., ::2, ::2], plain[0]) and torch.equal(frames[..., 1::2, 1::2], plain[0])
    assert torch.equal(target["boxes"], 2 * plain[1]["boxes"])
    paper = events_module(tmp_path / "set", None, representation="paper", **options)
    assert (paper.in_channels, paper.input_exponent) == (3, 8)
    frames = paper.dataset("train")[0][0]
    assert torch.equal(frames[:, 0], frames[:, 2]) and len(frames.unique()) > 3
    with pytest.raises(ValueError, match='fit must be "pad" or "stretch", got \'crop\''):
        events_module(tmp_path / "set", None, fit="crop").dataset("train")

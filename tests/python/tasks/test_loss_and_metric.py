"""The loss, average precision and the pictures."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from lampyris import models
from lampyris.tasks import detection
from lampyris.tasks.detection.schedule import one_cycle


def target(*boxes, labels=None):
    labels = labels if labels is not None else [0] * len(boxes)
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}


def test_loss_of_a_background_image():
    maps = torch.zeros(1, 6, 2, 2)
    losses = detection.detection_loss(maps, [target()])
    assert losses["class_loss"].item() == pytest.approx(
        8 * math.log(2)
    )  # 4 cells, 2 classes, divided by at least 1
    assert losses["box_loss"].item() == 0


def test_loss_adds_weighted_parts():
    maps = torch.randn(2, 7, 4, 4, generator=torch.Generator().manual_seed(0))
    targets = [target([2.0, 3, 15, 20]), target([8.0, 8, 30, 25], [1, 1, 9, 9], labels=[2, 1])]
    losses = detection.detection_loss(maps, targets, box_weight=3.0)
    assert losses["loss"].item() == pytest.approx((losses["class_loss"] + 3 * losses["box_loss"]).item())


def test_descent_on_the_loss_finds_the_boxes():
    maps = torch.zeros(1, 6, 4, 4).index_fill_(1, torch.tensor([4, 5]), -4.0).requires_grad_()
    targets = [target([3.0, 2, 13, 22], [18, 16, 31, 30], labels=[1, 0])]
    optimizer = torch.optim.Adam([maps], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        detection.detection_loss(maps, targets)["loss"].backward()
        optimizer.step()
    result = detection.score(detection.predict(maps.detach()), targets)
    assert result["ap"] == pytest.approx(1.0)


def test_metric_by_hand():
    truth = [target([0.0, 0, 10, 10], [20, 20, 30, 30], labels=[0, 1])]
    found = [
        {**target([0.0, 0, 10, 10], [20, 20, 30, 24], labels=[0, 1]), "scores": torch.tensor([0.9, 0.8])}
    ]
    result = detection.score(found, truth, ["a", "b"])  # the second box has IoU 0.4
    assert result["ap"] == pytest.approx(0.5)
    assert result["per_class"] == pytest.approx({"a": 1.0, "b": 0.0})


def test_metric_leaves_crowds_out():
    truth = [target([0.0, 0, 10, 10], [20, 20, 60, 60])]
    truth[0]["iscrowd"] = torch.tensor([0, 1])
    found = [{**target([0.0, 0, 10, 10], [22, 22, 40, 40]), "scores": torch.tensor([0.5, 0.9])}]
    assert detection.score(found, truth)["ap"] == pytest.approx(1.0)


def test_evaluate_restores_mode_and_steps():
    torch.manual_seed(0)
    model = models.ems_yolo(num_classes=10, time_steps=1).train()
    batch = (torch.zeros(2, 3, 80, 80, dtype=torch.uint8), [target([5.0, 5, 20, 20]), target()])
    result = detection.evaluate(model, [batch], 3)
    assert set(result) == {"ap", "ap50", "ap75", "per_class"}
    assert model.training and model.time_steps == 1


def test_one_cycle():
    rate = [one_cycle(s, 100, warmup=0.1, div=10, final_div=100) for s in range(100)]
    assert rate[0] == pytest.approx(0.1) and max(rate) == rate[10] == 1.0 and rate[-1] == pytest.approx(1e-3)
    assert all(a < b for a, b in itertools.pairwise(rate[:11]))
    assert all(a > b for a, b in itertools.pairwise(rate[10:]))
    assert one_cycle(0, 1, warmup=0.0, div=10, final_div=100) == pytest.approx(1e-3)


def test_pictures():
    found = {**target([5.0, 5, 20, 20]), "scores": torch.tensor([0.9])}
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    picture = detection.draw_samples(images, [found, found], [target(), target([1.0, 1, 9, 9])], ["zero"])
    assert picture.dtype == torch.uint8 and picture.shape == (3, 3 * 32 + 8, 2 * (2 * 3 * 32 + 8))
    assert (picture == torch.tensor([255, 190, 60]).view(3, 1, 1)).all(0).any()


def test_events_as_pictures():
    frames = torch.zeros(4, 1, 2, 8, 8, dtype=torch.uint8)
    frames[:, 0, 0, 2, 3] = 1
    rgb = detection.to_rgb(frames)
    assert rgb[0, :, 2, 3].tolist() == [240, 0, 0] and int((rgb > 0).sum()) == 1
    with pytest.raises(
        ValueError, match=r"images must have shape \[B, 1, 2 or 3, H, W\], got \[1, 5, 8, 8\]"
    ):
        detection.to_rgb(torch.zeros(1, 5, 8, 8))

"""Decoding and suppression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from lampyris.tasks import detection


def one_box(x, y, width, height, logit, classes=2, size=4):
    """A map whose cell (row y, column x) alone predicts: centre of the cell, width and height in pixels."""
    maps = torch.full((1, 4 + classes, size, size), -20.0)
    maps[:, :4] = 0
    maps[0, 2, y, x] = np.log(width / 18)
    maps[0, 3, y, x] = np.log(height / 18)
    maps[0, 4, y, x] = logit
    return maps


def test_decode_by_hand():
    maps = torch.zeros(1, 5, 2, 2)
    maps[0, 0, 1, 0] = 0.5  # 4 pixels to the right
    maps[0, 2, 1, 0] = np.log(2.0)
    boxes, logits = detection.decode(maps)
    assert boxes.shape == (1, 4, 4) and logits.shape == (1, 4, 1)
    assert boxes[0, 2].tolist() == pytest.approx([8 - 18, 12 - 9, 8 + 18, 12 + 9])


def test_sizes_are_limited():
    maps = torch.zeros(1, 5, 1, 1)
    maps[0, 2] = 100
    assert detection.decode(maps)[0].isfinite().all()


def test_predict_clips_to_the_image_and_sorts():
    maps = one_box(0, 0, 10, 10, 2.0)
    maps[0, 5, 3, 3] = 3.0
    (found,) = detection.predict(maps)
    assert found["labels"].tolist() == [1, 0]
    assert found["scores"].tolist() == pytest.approx([0.9526, 0.8808], abs=1e-4)
    assert found["boxes"][1].tolist() == pytest.approx([0, 0, 9, 9])


def test_suppression_is_per_class_and_equals_torchvision():
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 4 + 5, 6, 6, generator=rng)
    for found, image in zip(detection.predict(maps, max_detections=1000), maps, strict=True):
        boxes, logits = detection.decode(image[None])
        boxes, scores = boxes[0].clamp(0, 48), logits[0].sigmoid()
        cell, label = (scores > 0.02).nonzero(as_tuple=True)
        kept = batched_nms(boxes[cell], scores[cell, label], label, 0.6)
        assert torch.equal(found["labels"], label[kept])
        torch.testing.assert_close(found["boxes"], boxes[cell][kept])


def test_at_most_max_detections():
    maps = torch.randn(1, 4 + 5, 10, 10, generator=torch.Generator().manual_seed(1))
    assert [len(f["scores"]) for f in detection.predict(maps)] == [50]


def test_nothing_found():
    (found,) = detection.predict(torch.full((1, 6, 2, 2), -20.0))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "boxes": (0, 4),
        "scores": (0,),
        "labels": (0,),
    }


def test_integer_networks_use_the_same_decoder():
    maps = torch.randn(2, 14, 10, 10, generator=torch.Generator().manual_seed(2))
    for a, b in zip(detection.predict(maps), detection.predict(maps.double().numpy()), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_errors():
    with pytest.raises(
        ValueError, match=r"maps must have shape \[B, 4 \+ classes, H, W\], got \[1, 4, 2, 2\]"
    ):
        detection.decode(torch.zeros(1, 4, 2, 2))

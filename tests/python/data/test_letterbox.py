"""Letterbox: placement, fill, boxes there and back."""

from __future__ import annotations

import pytest
import torch

from lampyris.data import letterbox


def test_same_size_is_untouched():
    image = torch.arange(12, dtype=torch.uint8).reshape(3, 2, 2)
    out, place = letterbox(image, (2, 2))
    assert out is image and place.scale == (1, 1) and place.offset == (0, 0)


def test_odd_border_goes_below_and_right():
    out, place = letterbox(torch.zeros(3, 4, 4, dtype=torch.uint8), (4, 7))
    assert place.offset == (1, 0)
    assert out[0, 0].tolist() == [114, 0, 0, 0, 0, 114, 114]


def test_no_upscale_only_pads():
    out, place = letterbox(torch.zeros(3, 4, 4, dtype=torch.uint8), (8, 8), upscale=False)
    assert place.scale == (1, 1) and place.offset == (2, 2)
    assert (out == 0).sum() == 3 * 16


@pytest.mark.parametrize("shape", [(427, 640), (1, 300), (300, 1), (33, 31), (100, 100)])
def test_boxes_return_to_where_they_were(shape):
    _, place = letterbox(torch.zeros(3, *shape, dtype=torch.uint8), (96, 128))
    boxes = torch.tensor([[0.0, 0.0, shape[1], shape[0]], [0.2, 0.3, 0.9, 0.8]])
    moved = place.boxes(boxes)
    assert moved[0].min() >= 0 and moved[0, 2] <= 128 and moved[0, 3] <= 96
    assert max(moved[0, 2] - moved[0, 0] - 127, moved[0, 3] - moved[0, 1] - 95) >= 0  # one side is filled
    # Two float32 roundings of values up to 640.
    assert torch.allclose(place.original(moved), boxes, atol=2e-4)

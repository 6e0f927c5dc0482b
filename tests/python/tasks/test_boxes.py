"""IoU and CIoU against hand-computed values and torchvision."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import box_iou, complete_box_iou

from lampyris.tasks.detection import complete_iou, pairwise_iou


def boxes(count, seed):
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 50
    return torch.cat((corners.amin(1), corners.amax(1) + 1), 1)


def test_by_hand():
    a = torch.tensor([[0.0, 0, 4, 4]])
    b = torch.tensor([[2.0, 0, 6, 4], [10, 10, 12, 12], [0, 0, 4, 4]])
    assert pairwise_iou(a, b)[0].tolist() == pytest.approx([8 / 24, 0, 1])
    # same shape, centres 2 apart, hull 6 x 4: 1/3 - 4/52
    assert complete_iou(a[0], b[0]).item() == pytest.approx(1 / 3 - 4 / 52, rel=1e-5)


def test_pairwise_equals_torchvision():
    a, b = boxes(7, 0), boxes(9, 1)
    torch.testing.assert_close(pairwise_iou(a, b), box_iou(a, b), rtol=1e-6, atol=1e-7)
    assert torch.equal(pairwise_iou(a, b), pairwise_iou(b, a).T)


def test_complete_equals_torchvision():
    a, b = boxes(9, 2), boxes(9, 3)
    torch.testing.assert_close(complete_iou(a, b), complete_box_iou(a, b).diagonal(), rtol=1e-5, atol=1e-6)


def test_complete_has_gradient_where_boxes_are_apart():
    a = torch.tensor([0.0, 0, 2, 2], requires_grad=True)
    complete_iou(a, torch.tensor([10.0, 10, 12, 13])).backward()
    assert a.grad[0] + a.grad[2] > 0 and a.grad[1] + a.grad[3] > 0  # moving towards the other box helps


def test_empty_boxes_stay_finite():
    zero = torch.zeros(4, requires_grad=True)
    value = complete_iou(zero, torch.zeros(4))
    value.backward()
    assert value.isfinite() and zero.grad.isfinite().all()

"""Task-aligned assignment: hand-computed cases, a plain loop over boxes, properties."""

from __future__ import annotations

import pytest
import torch

from lampyris.tasks.detection import assign, cell_centres, decode, pad_targets, pairwise_iou

STRIDE = 8


def centres(height, width):
    return cell_centres(height, width, STRIDE, torch.device("cpu"))


def random_case(seed, batch=3, size=5, classes=4):
    rng = torch.Generator().manual_seed(seed)
    maps = torch.randn(batch, 4 + classes, size, size, generator=rng) * 0.5
    targets = []
    for _ in range(batch):
        count = int(torch.randint(0, 5, (1,), generator=rng))
        middle = torch.rand(count, 2, generator=rng) * (size * STRIDE)
        half = torch.rand(count, 2, generator=rng) * 8 + 3
        labels = torch.randint(0, classes, (count,), generator=rng)
        targets.append({"boxes": torch.cat((middle - half, middle + half), 1), "labels": labels})
    return maps, targets


def slow(boxes, logits, points, truth, labels):
    """One image, one box after the other, as the docstring says it."""
    cells, classes = logits.shape
    scores, owners = torch.zeros(cells, classes), {}
    iou = pairwise_iou(truth, boxes)
    align = logits.sigmoid()[:, labels].T.sqrt() * iou**6
    distance = points[None] - (truth[:, None, :2] + truth[:, None, 2:]) / 2
    for box in range(len(truth)):
        size = (truth[box, 2:] - truth[box, :2]) / 2
        near = distance[box].abs()
        inside = [c for c in range(cells) if (near[c] < size).all() or (near[c] <= STRIDE / 2).all()]
        for cell in sorted(inside, key=lambda c: -align[box, c])[:6]:
            if cell not in owners or iou[box, cell] > iou[owners[cell], cell]:
                owners[cell] = box
    for box in range(len(truth)):
        if box not in owners.values():
            owners[int(distance[box].square().sum(-1).argmin())] = box
    for box in range(len(truth)):
        mine = [c for c, owner in owners.items() if owner == box]
        if mine:
            peak, best = align[box, mine].max(), iou[box, mine].max()
            for cell in mine:
                scores[cell] = 0
                scores[cell, labels[box]] = align[box, cell] / peak * best if peak > 0 else best
    return scores


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_loop(seed):
    maps, targets = random_case(seed)
    boxes, logits = decode(maps)
    truth, labels = pad_targets(targets, maps.device)
    found = assign(boxes, logits, centres(5, 5), truth, labels, STRIDE)
    for b, target in enumerate(targets):
        expected = slow(boxes[b], logits[b], centres(5, 5), target["boxes"], target["labels"])
        torch.testing.assert_close(found.scores[b], expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(found.weights[b], found.scores[b].amax(-1))
        for cell in found.weights[b].nonzero().flatten().tolist():
            assert any(torch.equal(found.boxes[b, cell], box) for box in target["boxes"])


def test_single_perfect_box():
    # Cell (1, 1) of a 3 x 3 map is centred on 12, 12 and predicts exactly the target.
    maps = torch.zeros(1, 6, 3, 3)
    truth, labels = pad_targets(
        [{"boxes": torch.tensor([[3.0, 3, 21, 21]]), "labels": torch.tensor([1])}], maps.device
    )
    found = assign(*decode(maps), centres(3, 3), truth, labels, STRIDE)
    assert found.weights[0].argmax() == 4
    assert found.scores[0, 4].tolist() == pytest.approx([0, 1])
    assert (found.weights[0] > 0).sum() <= 6


def test_small_box_between_cells_takes_the_nearest():
    maps = torch.zeros(1, 5, 2, 2)
    truth, labels = pad_targets(
        [{"boxes": torch.tensor([[7.0, 1, 7.9, 2]]), "labels": torch.tensor([0])}], maps.device
    )
    found = assign(*decode(maps), centres(2, 2), truth, labels, STRIDE)
    assert found.weights[0].nonzero().flatten().tolist() == [0]


def test_images_without_targets():
    maps = torch.randn(2, 7, 3, 3)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    truth, labels = pad_targets([empty, empty], maps.device)
    assert truth.shape == (2, 1, 4) and labels.tolist() == [[-1], [-1]]
    found = assign(*decode(maps), centres(3, 3), truth, labels, STRIDE)
    assert not found.weights.any() and not found.scores.any()


def test_order_of_boxes_does_not_matter():
    maps, targets = random_case(11, batch=1)
    boxes, logits = decode(maps)
    flipped = [{key: value.flip(0) for key, value in targets[0].items()}]
    one = assign(boxes, logits, centres(5, 5), *pad_targets(targets, maps.device), STRIDE)
    two = assign(boxes, logits, centres(5, 5), *pad_targets(flipped, maps.device), STRIDE)
    assert torch.equal(one.scores, two.scores)

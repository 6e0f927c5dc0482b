"""Losses and decoding of the anchor and the anchor-free head."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from lampyris.tasks import detection
from lampyris.tasks.detection.heads import HeadSpec

GAINS = {"box": 0.05, "objectness": 1.0, "class": 0.5}
SIZES = torch.tensor([[[10.0, 14], [23, 27], [37, 58]], [[81, 82], [135, 169], [344, 319]]])


def target(*boxes, labels=None):
    labels = labels if labels is not None else [0] * len(boxes)
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}


def maps_of(format, classes=2, side=64, batch=1, seed=0, strides=None):
    generator = torch.Generator().manual_seed(seed)
    strides = strides or {"anchors": (16, 32), "anchor_free": (8, 16, 32)}[format]
    channels = 3 * (5 + classes) if format == "anchors" else 4 + classes
    shapes = [(batch, channels, side // s, side // s) for s in strides]
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def spec_of(format, classes=2):
    strides = {"anchors": (16, 32), "anchor_free": (8, 16, 32)}[format]
    return HeadSpec(format, strides, classes, SIZES if format == "anchors" else None)


def test_channels_of_the_anchor_head():
    maps = torch.zeros(1, 3 * 7, 2, 3)
    maps[0, 7 + 0, 1, 2] = 20.0  # second anchor, x: 2 sigmoid = 2
    maps[0, 7 + 4, 1, 2] = 20.0  # objectness
    maps[0, 7 + 6, 1, 2] = 20.0  # second class
    boxes, scores = detection.decode_anchors([maps], SIZES[:1], (16,), 2)
    best = scores[0].amax(1).argmax().item()
    assert best == 1 * 6 + 1 * 3 + 2 and scores[0, best].argmax().item() == 1
    centre = (boxes[0, best, :2] + boxes[0, best, 2:]) / 2
    torch.testing.assert_close(centre, torch.tensor([(1.5 + 2) * 16, (0.5 + 1) * 16]))
    torch.testing.assert_close(boxes[0, best, 2:] - boxes[0, best, :2], torch.tensor([23.0, 27.0]))


@pytest.mark.parametrize(
    "box, cells",
    [
        ([14.0, 20, 26, 32], {(1, 1), (1, 0), (2, 1)}),  # centre 1.25, 1.625: left and below
        ([0.0, 0, 10, 14], {(0, 0)}),  # at the corner: no neighbour beyond the map
        ([55.0, 50, 67, 64], {(3, 3), (2, 3)}),  # centre 3.8, 3.56: below is outside, above is farther
    ],
)
def test_cells_of_a_target(box, cells):
    found = detection.match_anchors(
        torch.tensor([box]), torch.tensor([0]), torch.tensor([[10.0, 13.0]]), 16, 4, 4
    )
    if box[0] == 55.0:
        cells = {(3, 3)}  # 4 - 3.8 = 0.2 is not above 1: nothing lies to the right or below
    assert set(zip(found.row.tolist(), found.column.tolist(), strict=True)) == cells


def test_sides_that_differ_fourfold_do_not_match():
    anchors = torch.tensor([[10.0, 10.0], [39.9, 10.0], [40.0, 10.0], [2.5, 10.0]])
    found = detection.match_anchors(torch.tensor([[3.0, 3, 13, 13]]), torch.tensor([0]), anchors, 16, 2, 2)
    assert set(found.anchor.tolist()) == {0, 1}


def anchors_loss_by_hand(maps, targets, classes):
    """Loop over targets, anchors and cells: the facts of the published loss, one by one."""
    from lampyris.tasks.detection.boxes import complete_iou

    totals = {"box": 0.0, "objectness": 0.0, "class": 0.0}
    for scale, (values, stride, anchors) in enumerate(zip(maps, (16, 32), SIZES, strict=True)):
        batch, _, height, width = values.shape
        values = values.view(batch, 3, 5 + classes, height, width)
        goal = torch.zeros(batch, 3, height, width)
        boxes, entropies = [], []
        for image, one in enumerate(targets):
            for box, label in zip(one["boxes"], one["labels"], strict=True):
                w, h = (box[2] - box[0]).item(), (box[3] - box[1]).item()
                cx, cy = (box[0] + box[2]).item() / 2 / stride, (box[1] + box[3]).item() / 2 / stride
                cells = [(int(cy), int(cx))]
                cells += [(int(cy), int(cx) - 1)] if cx % 1 < 0.5 and cx > 1 else []
                cells += [(int(cy) - 1, int(cx))] if cy % 1 < 0.5 and cy > 1 else []
                cells += [(int(cy), int(cx) + 1)] if cx % 1 > 0.5 and width - cx > 1 else []
                cells += [(int(cy) + 1, int(cx))] if cy % 1 > 0.5 and height - cy > 1 else []
                for a, (aw, ah) in enumerate(anchors.tolist()):
                    if max(w / aw, aw / w, h / ah, ah / h) >= 4:
                        continue
                    for row, column in cells:
                        v = values[image, a, :, row, column]
                        xy = (2 * v[:2].sigmoid() - 0.5 + torch.tensor([column, row])) * stride
                        wh = (2 * v[2:4].sigmoid()) ** 2 * anchors[a]
                        iou = complete_iou(torch.cat((xy - wh / 2, xy + wh / 2)), box)
                        boxes.append(1 - iou)
                        goal[image, a, row, column] = max(goal[image, a, row, column], iou.clamp(min=0))
                        wanted = torch.eye(classes)[label]
                        entropies.append(torch.nn.functional.binary_cross_entropy_with_logits(v[5:], wanted))
        totals["box"] += torch.stack(boxes).mean() if boxes else 0
        totals["class"] += torch.stack(entropies).mean() if entropies else 0
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(values[:, :, 4], goal)
        totals["objectness"] += (4.0, 1.0)[scale] * entropy
    return 1.5 * (
        0.05 * totals["box"] + (64 / 640) ** 2 * totals["objectness"] + 0.5 * classes / 80 * totals["class"]
    )


def test_anchors_loss_equals_a_loop():
    maps = maps_of("anchors", batch=2)
    targets = [
        target([4.0, 4, 30, 36], [20.0, 10, 60, 62], [5.0, 40, 15, 52], labels=[1, 0, 1]),
        target([22.0, 9, 45, 30]),
    ]
    losses = detection.anchors_loss(maps, targets, SIZES, (16, 32), 2, GAINS)
    # the same few hundred float32 terms in another order
    assert losses["loss"].item() == pytest.approx(anchors_loss_by_hand(maps, targets, 2).item(), rel=1e-5)


def test_anchors_loss_of_a_background_image():
    losses = detection.anchors_loss(
        (torch.zeros(1, 21, 4, 4), torch.zeros(1, 21, 2, 2)), [target()], SIZES, (16, 32), 2, GAINS
    )
    assert losses["box_loss"].item() == losses["class_loss"].item() == 0
    assert losses["objectness_loss"].item() == pytest.approx(5 * math.log(2))
    assert losses["loss"].item() == pytest.approx(1.5 * 0.01 * 5 * math.log(2))


@pytest.mark.parametrize("format", ["anchors", "anchor_free"])
def test_descent_finds_the_boxes(format):
    spec = spec_of(format)
    maps = [torch.zeros_like(m).requires_grad_() for m in maps_of(format)]
    targets = [target([6.0, 5, 26, 31], [34, 30, 60, 62], labels=[1, 0])]
    optimizer = torch.optim.Adam(maps, lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        spec.loss(maps, targets)["loss"].backward()
        optimizer.step()
    assert detection.score(spec.predict(maps), targets)["ap"] == pytest.approx(1.0)


@pytest.mark.parametrize("format, channel", [("anchors", 4), ("anchor_free", 4)])
def test_gradients_are_those_of_the_loss(format, channel):
    """An objectness (anchors) and a class logit (anchor_free), without targets, by differences."""
    spec, maps = spec_of(format), maps_of(format, side=32)
    leaves = [m.clone().requires_grad_() for m in maps]
    spec.loss(leaves, [target()])["loss"].backward()
    moved = []
    for step in (0.1, -0.1):
        other = [m.clone() for m in maps]
        other[0][0, channel, 1, 0] += step
        moved.append(spec.loss(other, [target()])["loss"].item())
    # 1e-2: the third derivative of a logistic over a step of 0.1, and float32
    assert leaves[0].grad[0, channel, 1, 0].item() == pytest.approx((moved[0] - moved[1]) / 0.2, rel=1e-2)


def test_distances_of_the_anchor_free_head():
    maps = [torch.zeros(1, 5, 2, 2), torch.zeros(1, 5, 1, 1)]
    maps[1][0, :4, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    boxes, logits = detection.decode_anchor_free(maps, (8, 16))
    far = torch.nn.functional.softplus(torch.tensor([1.0, 2.0, 3.0, 4.0])) * 16
    torch.testing.assert_close(boxes[0, 4], torch.cat((8 - far[:2], 8 + far[2:])))
    assert boxes.shape == (1, 5, 4) and logits.shape == (1, 5, 1)


def test_large_objects_go_to_coarse_cells_by_alignment():
    """Of cells at two scales, those whose boxes overlap the target learn it."""
    spec = spec_of("anchor_free", 1)
    maps = [torch.zeros_like(m) for m in maps_of("anchor_free", classes=1)]
    maps[2][:, :4] = 1.0  # boxes of 2 * 1.31 * 32 = 84 pixels
    leaves = [m.requires_grad_() for m in maps]
    spec.loss(leaves, [target([2.0, 2, 62, 62])])["box_loss"].backward()
    assert leaves[2].grad[0, :4].abs().sum() > leaves[0].grad[0, :4].abs().sum()


def test_spec_of_a_model():
    model = SimpleNamespace(head_format="anchors", strides=(16, 32), num_classes=2, anchors=SIZES)
    spec = HeadSpec.of(model)
    assert (spec.format, spec.strides, spec.num_classes) == ("anchors", (16, 32), 2)
    assert HeadSpec.of(SimpleNamespace(stride=4)).strides == (4,)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: HeadSpec("boxes"),
            "format must be one of cells, anchors, anchor_free, got 'boxes'",
        ),
        (
            lambda: HeadSpec(gains={"iou": 1.0}),
            "HeadSpec: gains of cells must be of box, got 'iou'",
        ),
        (lambda: HeadSpec("anchors", (16,)), "format anchors must have anchors and num_classes, got none"),
        (
            lambda: spec_of("anchors").loss((torch.zeros(1, 21, 2, 2),), [target()]),
            r"HeadSpec: maps must be 2, one per stride, got 1",
        ),
        (
            lambda: spec_of("anchors").predict((torch.zeros(1, 20, 2, 2), torch.zeros(1, 21, 1, 1))),
            r"anchors: maps must have shape \[B, 3 \* \(5 \+ 2\), H, W\], got \[1, 20, 2, 2\]",
        ),
        (
            lambda: spec_of("anchor_free").predict([torch.zeros(1, 4, n, n) for n in (4, 2, 1)]),
            r"anchor_free: maps must have shape \[B, 4 \+ classes, H, W\], got \[1, 4, 4, 4\]",
        ),
    ],
)
def test_messages(make, message):
    with pytest.raises(ValueError, match=message):
        make()

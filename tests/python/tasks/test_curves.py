import numpy as np
import torch
from detection_samples import sample

from lampyris.tasks.detection import confusion, evaluation_figures, precision_recall
from lampyris.tasks.detection.curves import size_table, worst_samples

LEFT, RIGHT, FAR = (0, 0, 10, 10), (40, 0, 50, 10), (200, 200, 210, 210)


def test_precision_recall_by_hand():
    found = [sample([LEFT, FAR, RIGHT], [0, 0, 0], [0.9, 0.8, 0.7]), sample([LEFT], [1], [0.6])]
    truth = [sample([LEFT, RIGHT], [0, 0]), sample([RIGHT], [1])]
    curves = precision_recall(found, truth)
    np.testing.assert_array_equal(curves[0].recall, [0.5, 0.5, 1.0])
    np.testing.assert_array_equal(curves[0].precision, [1.0, 0.5, 2 / 3])
    assert curves[0].objects == 2 and curves[0].best == (0.8, float(np.float32(0.7)))
    assert curves[1].recall.tolist() == [0.0] and curves[1].best == (0.0, 1.0)


def test_recall_never_falls_and_precision_counts():
    random = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 2, generator=random) * 30
    found = {
        "boxes": torch.cat([corners, corners + 10], 1),
        "scores": torch.rand(40, generator=random),
        "labels": torch.zeros(40, dtype=torch.int64),
    }
    curve = precision_recall([found], [sample([LEFT, RIGHT, (20, 20, 30, 30)], [0, 0, 0])])[0]
    assert (np.diff(curve.recall) >= 0).all() and (np.diff(curve.scores) <= 0).all()
    hits = curve.precision * np.arange(1, 41)
    np.testing.assert_allclose(hits, curve.recall * 3, atol=1e-12)  # both count the hits so far


def test_confusion_adds_up():
    found = [sample([LEFT, RIGHT, FAR], [1, 0, 0], [0.9, 0.9, 0.9])]
    truth = [sample([LEFT, RIGHT, (80, 80, 90, 90)], [0, 0, 1])]
    table = confusion(found, truth, 2)
    assert table.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert table[:2].sum() == 3 and table[:, :2].sum() == 3


def test_sizes_use_the_annotated_area():
    truth = {**sample([(0, 0, 40, 40), (100, 0, 140, 40)], [0, 0]), "area": torch.tensor([900.0, 1600.0])}
    found = sample([(0, 0, 40, 40)], [0], [0.9])
    assert size_table([found], [truth]) == {"small": (1, 1), "medium": (1, 0), "large": (0, 0)}


def test_worst_samples_first():
    good = sample([LEFT], [0], [0.9]), sample([LEFT], [0])
    missed = sample([], [], []), sample([LEFT, RIGHT], [0, 0])
    false = sample([FAR], [0], [0.9]), sample([], [])
    found, truth = zip(good, false, missed, strict=True)
    assert worst_samples(found, truth) == [(2, 2, 0), (1, 0, 1)]


def test_figures_are_plain():
    import json

    found, truth = [sample([LEFT], [0], [0.9])], [sample([LEFT], [0])]
    figures = evaluation_figures(found, truth, ["thing"], ["coco", "ems_yolo"])
    assert json.loads(json.dumps(figures))["protocols"]["coco"]["ap"] == 1.0
    assert figures["classes"]["thing"]["best_f1"] == 1.0 and figures["worst"] == []


def test_nothing_found_and_nothing_there():
    figures = evaluation_figures([sample([], [], [])], [sample([], [])], ["thing"], ["coco", "ems_yolo"])
    assert figures["protocols"]["coco"]["ap"] == -1.0 and figures["confusion"] == [[0, 0], [0, 0]]

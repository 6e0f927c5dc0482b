import numpy as np
import pytest
import torch
from coco_evaluator import AREAS, average_precision
from detection_samples import sample

from lampyris.tasks.detection import DetectionMetric, evaluate_protocols, interpolated_ap
from lampyris.tasks.detection.matching import match_greedily, match_pairs
from lampyris.tasks.detection.protocols import PROTOCOLS


def random_images(seed, count=12, classes=3):
    random = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        n = int(random.integers(0, 7))
        corner, size = random.uniform(0, 200, (n, 2)), np.exp(random.uniform(1.5, 5.2, (n, 2)))
        truth = {
            "boxes": np.concatenate([corner, corner + size], 1).astype(np.float32),
            "labels": random.integers(0, classes, n),
            "iscrowd": (random.random(n) < 0.15).astype(np.int64),
        }
        truth["area"] = ((truth["boxes"][:, 2:] - truth["boxes"][:, :2]).prod(-1) * 0.8).astype(np.float32)
        near = np.repeat(truth["boxes"], 2, 0) + random.normal(0, 4, (2 * n, 4))
        far = random.uniform(0, 100, (3, 2))
        found = np.concatenate([near, np.concatenate([far, far + 30], 1)]).astype(np.float32)
        found = np.concatenate([np.minimum(found[:, :2], found[:, 2:] - 1), found[:, 2:]], 1)
        labels = np.concatenate([np.repeat(truth["labels"], 2), random.integers(0, classes, 3)])
        wrong = random.random(len(labels)) < 0.2
        labels = np.where(wrong, random.integers(0, classes, len(labels)), labels)
        scores = (random.permutation(len(labels)) + 1).astype(np.float32) / (len(labels) + 1)
        scores += random.random(len(labels)).astype(np.float32) * 1e-3
        images.append(({"boxes": found, "labels": labels, "scores": scores}, truth))
    return images


def tensors(images):
    pairs = [({k: torch.as_tensor(v) for k, v in part.items()} for part in pair) for pair in images]
    return tuple(map(list, zip(*pairs, strict=True)))


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_an_independent_evaluator(seed):
    images = random_images(seed)
    found, truth = tensors(images)
    metric = DetectionMetric()
    metric.update(found, truth)
    result = metric.average_precision.compute()
    classes = range(3)
    # float32 results of the library against float64
    near = {"abs": 1e-6}
    assert result["map"].item() == pytest.approx(average_precision(images, classes), **near)
    assert result["map_50"].item() == pytest.approx(average_precision(images, classes, ious=[0.5]), **near)
    for name in ("small", "medium", "large"):
        wanted = average_precision(images, classes, AREAS[name])
        assert result[f"map_{name}"].item() == pytest.approx(wanted, **near), name


def test_the_two_matching_rules_differ_where_scores_and_overlaps_disagree():
    truth = sample([(0, 0, 10, 10)], [0])
    found = sample([(0, 0, 10, 6), (0, 0, 10, 10)], [0, 0], [0.9, 0.2])
    assert match_greedily(found, truth, 0.5).tolist() == [0, -1]
    assert match_pairs(found, truth, 0.5).tolist() == [-1, 0]


def test_interpolated_ap_by_hand():
    # Two objects; hits at ranks 1 and 3: recalls 0.5, 0.5, 1; precisions 1, 1/2, 2/3; envelope 1, 2/3, 2/3.
    truth = sample([(0, 0, 10, 10), (40, 40, 50, 50)], [0, 0])
    found = sample([(0, 0, 10, 10), (80, 80, 90, 90), (40, 40, 50, 50)], [0, 0, 0], [0.9, 0.8, 0.7])
    grid = np.linspace(0, 1, 101)
    heights = np.interp(grid, [0, 0.5, 0.5, 1, 1], [1, 1, 2 / 3, 2 / 3, 0])
    wanted = float(((heights[1:] + heights[:-1]) / 2).mean())
    result = interpolated_ap([found], [truth], ["thing"])
    assert result["ap50"] == pytest.approx(wanted, abs=1e-12)
    assert result["per_class"] == {"thing": pytest.approx(wanted, abs=1e-12)}


def test_protocols_count_different_boxes():
    small, thin, large = (0, 0, 8, 40), (50, 0, 65, 40), (100, 0, 150, 50)
    early = sample([large], [0], t=300_000)
    late = sample([small, thin, large], [0, 0, 0])
    found = [sample([large], [0], [0.9]), sample([small, thin, large], [0, 0, 0], [0.9, 0.8, 0.7])]
    result = evaluate_protocols(found, [early, late], "all", ["car"])
    objects = {name: row["objects"] for name, row in result.items()}
    assert objects == {"coco": 4, "gen1": 2, "1mpx": 1, "prophesee": 2, "sfod": 2, "ems_yolo": 4}
    assert list(result) == list(PROTOCOLS)
    assert all(row["ap"] == pytest.approx(1.0, abs=0.011) for row in result.values())


def test_detections_are_filtered_like_objects_and_empty_samples_left_out():
    large, small = (100, 0, 150, 50), (0, 0, 5, 5)
    found = [sample([large, small], [0, 0], [0.5, 0.9]), sample([large], [0], [0.95])]
    truth = [sample([large], [0]), sample([small], [0])]
    result = evaluate_protocols(found, truth, ["gen1", "coco"], ["car"])
    assert result["gen1"]["ap"] == 1.0 and result["gen1"]["samples"] == 1
    assert result["coco"]["ap"] < 0.5 and result["coco"]["samples"] == 2


def test_nothing_that_counts():
    result = evaluate_protocols([sample([], [], [])], [sample([(0, 0, 4, 4)], [0])], ["gen1"])
    assert result["gen1"] == {
        "ap": -1.0,
        "ap50": -1.0,
        "ap75": -1.0,
        "per_class": {},
        "samples": 0,
        "objects": 0,
    }


def test_errors():
    truth = sample([(0, 0, 50, 50)], [0])
    with pytest.raises(ValueError, match=r"protocol must be one of all, coco, gen1.* got 'gen2'"):
        evaluate_protocols([], [], ["gen2"])
    with pytest.raises(ValueError, match="detections must be 1 samples, got 0"):
        evaluate_protocols([], [truth])
    del truth["t"]
    assert list(evaluate_protocols([sample([], [], [])], [truth], "all")) == ["coco", "sfod", "ems_yolo"]
    with pytest.raises(ValueError, match='protocol gen1 needs the label time "t"'):
        evaluate_protocols([sample([], [], [])], [truth], ["gen1"])


def test_stretched_frames_are_measured_in_sensor_pixels():
    box = (0, 0, 36, 36)  # 18 x 36 sensor pixels count, 9 x 36 do not (side 10)
    wide = {**sample([box], [0]), "stretch": torch.tensor([[2.0, 1.0]]), "t": torch.tensor([900_000])}
    small = {**wide, "stretch": torch.tensor([[4.0, 1.0]])}
    found = [sample([box], [0], [0.9])] * 2
    result = evaluate_protocols(found, [wide, small], ["gen1"])["gen1"]
    assert (result["objects"], result["samples"], result["ap"]) == (1, 1, 1.0)

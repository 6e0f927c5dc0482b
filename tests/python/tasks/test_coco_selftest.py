"""COCO's published self-test, where the user has its two files."""

import json
import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("LAMPYRIS_COCO_SELFTEST")
# results/val2014_fake_eval_res.txt of the COCO API: AP, AP50, AP75, AP s/m/l, AR 1/10/100, AR s/m/l.
PUBLISHED = (0.505, 0.697, 0.573, 0.586, 0.519, 0.501, 0.387, 0.594, 0.595, 0.640, 0.566, 0.564)


@pytest.mark.skipif(not FOLDER, reason="LAMPYRIS_COCO_SELFTEST names no folder with COCO's two files")
def test_published_figures():
    import torch

    from lampyris.tasks.detection import DetectionMetric

    truth = json.loads((Path(FOLDER) / "instances_val2014_100.json").read_text())
    found = json.loads((Path(FOLDER) / "instances_val2014_fakebbox100_results.json").read_text())

    def rows(entries, key):
        boxes = torch.tensor([e["bbox"] for e in entries], dtype=torch.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        result = {"boxes": boxes, "labels": torch.tensor([e["category_id"] for e in entries]).long()}
        if key == "score":
            return {**result, "scores": torch.tensor([e["score"] for e in entries])}
        crowd = torch.tensor([e["iscrowd"] for e in entries]).long()
        return {**result, "iscrowd": crowd, "area": torch.tensor([e["area"] for e in entries])}

    metric = DetectionMetric()
    for image in truth["images"]:
        mine = [e for e in found if e["image_id"] == image["id"]]
        theirs = [e for e in truth["annotations"] if e["image_id"] == image["id"]]
        metric.update([rows(mine, "score")], [rows(theirs, "area")])
    result = metric.average_precision.compute()
    names = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large", "mar_1", "mar_10", "mar_100")
    names += ("mar_small", "mar_medium", "mar_large")
    assert tuple(round(float(result[name]), 3) for name in names) == PUBLISHED

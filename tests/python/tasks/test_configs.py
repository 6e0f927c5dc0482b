"""Every model of a published run is built from its config, with the published number of parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lampyris import models

CONFIGS = Path(__file__).parents[3] / "configs"
PARAMETERS = {  # at the classes of the data: 80 of COCO, 2 of Gen1 (docs/detectors.md)
    "coco_wide10": 17.56,
    "coco_wide18": 15.43,
    "coco_wide34": 34.03,
    "coco_wide34_cat": 25.45,
    "gen1_lite10": 6.207,
    "gen1_lite18": 9.34,
    "gen1_lite34": 14.399,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_model(name):
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    options = yaml.safe_load((CONFIGS / config["model"]["model"]).read_text())["init_args"]
    model = models.ems_yolo(**options)
    digits = len(str(PARAMETERS[name]).split(".")[1])
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, digits) == PARAMETERS[name]
    data = yaml.safe_load((CONFIGS / config["data"]).read_text())["init_args"]
    size = data["image_size"]
    assert all(side % 32 == 0 for side in (size if isinstance(size, list) else [size]))
    assert data.get("time_steps", options["time_steps"]) == config["model"]["train_time_steps"]
    assert (CONFIGS / config["trainer"]).is_file()

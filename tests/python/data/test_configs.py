"""Every data config of configs/data builds its module; augmentation is given as plain values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonargparse import ArgumentParser
from lightning import LightningDataModule

from lampyris import data

CONFIGS = sorted((Path(__file__).parents[3] / "configs" / "data").glob("*.yaml"))


def built(config: dict) -> LightningDataModule:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data")
    return parser.instantiate_classes(parser.parse_object({"data": config}))["data"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_build(path):
    config = yaml.safe_load(path.read_text())
    module = built(config)
    assert type(module).__name__ == config["class_path"].rpartition(".")[2]
    assert module.batch_size == config["init_args"]["batch_size"]


def test_the_published_values():
    configs = {path.stem: yaml.safe_load(path.read_text()) for path in CONFIGS}
    assert built(configs["coco_mosaic"]).augment == data.ImageAugment.yolo()
    paper = built(configs["gen1_paper"])
    assert (paper.in_channels, paper.input_exponent, paper.time_steps) == (3, 8, 5)


def test_event_augmentation_from_a_config():
    config = {
        "class_path": "lampyris.data.OrderEventsDetection",
        "init_args": {"augment": {"zoom": [0.8, 1.2]}},
    }
    assert built(config).augment == data.EventAugment(zoom=(0.8, 1.2))

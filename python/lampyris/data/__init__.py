"""Data sets in genuine formats: COCO folders, Gen1 event recordings, and two generated sets.

``digits`` and ``order_events`` write small data sets once (cached) in exactly the formats that the
readers of real COCO and Gen1 folders take, so tests and the demo run the same code as real training.

Example:
    >>> from lampyris import data
    >>> module = data.DigitsDetection(batch_size=16)      # generates on first use
    >>> module.num_classes, module.in_channels, module.image_size
    (10, 3, (80, 80))
"""

from __future__ import annotations

import importlib

_HOMES = {
    "CocoDetection": "coco_module",
    "DigitsDetection": "coco_module",
    "YoloDetection": "coco_module",
    "open_folder": "folders",
    "folder_format": "folders",
    "Gen1Detection": "gen1_module",
    "OrderEventsDetection": "gen1_module",
    "CocoFolder": "coco",
    "Gen1Folder": "gen1",
    "YoloFolder": "yolo",
    "EventFile": "event_file",
    "write_dat": "event_file",
    "Representation": "representations",
    "representation": "representations",
    "bin_events": "representations",
    "digits": "digits_set",
    "order_events": "order_events_set",
    "EventBatch": "windows",
    "EventWindow": "windows",
    "batch_events": "windows",
    "event_windows": "windows",
    "cache_folder": "generated",
    "check_folder": "check",
    "describe_folder": "check",
    "letterbox": "letterboxing",
    "EpochSampler": "sampler",
    "ImageAugment": "augment_images",
    "EventAugment": "augment_events",
    "EventPairsDetection": "tonic_source",
    "ShardedSamples": "shards",
    "check_cache": "shards",
    "NodeGraph": "graph_sets",
    "digits_graph": "graph_sets",
    "disease_tree": "graph_sets",
    "karate_club": "graph_sets",
    "GraphCollection": "graph_files",
    "read_graph": "graph_files",
    "read_npz": "graph_files",
    "read_planetoid": "graph_files",
    "read_tu": "graph_files",
}
_MODULES = ("graphs",)

__all__ = sorted((*_HOMES, *_MODULES))


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"lampyris.data.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'lampyris.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"lampyris.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

"""Ready-made detectors as small tables over `lampyris.nn`."""

from __future__ import annotations

from .ems_resnet import EmsResNet
from .ems_yolo import EmsYolo, ems_yolo, ems_yolo10, ems_yolo18, ems_yolo34
from .event_graph_detector import EventGraphDetector
from .released import ImportReport, import_released
from .released_file import read_released
from .tables import FAMILIES, RESNETS, Family, Resnet

__all__ = [
    "FAMILIES",
    "RESNETS",
    "EmsResNet",
    "EmsYolo",
    "EventGraphDetector",
    "Family",
    "ImportReport",
    "Resnet",
    "ems_yolo",
    "ems_yolo10",
    "ems_yolo18",
    "ems_yolo34",
    "import_released",
    "read_released",
]

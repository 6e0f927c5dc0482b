"""Ready-made detectors as small tables over `lampyris.nn`."""

from __future__ import annotations

from .ems_yolo import FAMILIES, EmsYolo, Family, ems_yolo
from .event_graph_detector import EventGraphDetector

__all__ = ["FAMILIES", "EmsYolo", "EventGraphDetector", "Family", "ems_yolo"]

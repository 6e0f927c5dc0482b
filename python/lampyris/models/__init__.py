"""Ready-made detectors as small tables over `lampyris.nn`."""

from __future__ import annotations

from .ems_yolo import FAMILIES, EmsYolo, Family, ems_yolo

__all__ = ["FAMILIES", "EmsYolo", "Family", "ems_yolo"]

"""Figures and pictures: bytes, firing rates, synaptic operations, energy, cycles.

Everything here reads what the other parts computed; nothing is estimated that was measured.
"""

from lampyris.report.activity import LayerActivity, activity, synaptic_operations
from lampyris.report.energy import energy
from lampyris.report.footprint import Footprint, footprint
from lampyris.report.pictures import draw_activity, draw_detections

__all__ = [
    "Footprint",
    "LayerActivity",
    "activity",
    "draw_activity",
    "draw_detections",
    "energy",
    "footprint",
    "synaptic_operations",
]

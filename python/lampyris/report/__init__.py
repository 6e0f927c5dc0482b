"""Figures and pictures: bytes, firing rates, synaptic operations, energy, cycles.

Everything here reads what the other parts computed; nothing is estimated that was measured.
"""

from lampyris.report.activity import (
    LayerActivity,
    activity,
    record_spikes,
    spiking_layers,
    synaptic_operations,
)
from lampyris.report.energy import energy
from lampyris.report.footprint import Footprint, footprint
from lampyris.report.operations import LayerOperations, Operations, count_operations
from lampyris.report.pictures import draw_activity
from lampyris.report.summary import BoardRow, StageRow, Summary

__all__ = [
    "BoardRow",
    "Footprint",
    "LayerActivity",
    "LayerOperations",
    "Operations",
    "StageRow",
    "Summary",
    "activity",
    "count_operations",
    "draw_activity",
    "energy",
    "footprint",
    "record_spikes",
    "spiking_layers",
    "synaptic_operations",
]

"""Module graph of a spiking network: nodes with kinds and shapes, sums with their operands, stream groups."""

from __future__ import annotations

from .build import capture
from .graph import CaptureError, Graph, Node
from .groups import Group, stream_groups

__all__ = ["CaptureError", "Graph", "Group", "Node", "capture", "stream_groups"]

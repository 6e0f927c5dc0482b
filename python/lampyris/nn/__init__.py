"""Layers and blocks of spiking detectors.

Every tensor between layers has shape [T, B, C, H, W]: time, batch, channels, height, width. `LAYERS` lists
the layers that `lampyris.capture` treats as leaves; blocks and models are compositions of them.
"""

from __future__ import annotations

from . import convert
from .ablation_blocks import PlainBlock, SEWBlock
from .anomaly import AnomalyDetector, NonFiniteError, detect_anomaly
from .blocks import LCB, EMSBlock1, EMSBlock2, MSBlock
from .conv import Conv2d
from .convert import ConvertedIF, ann_twin, convert_twin, from_nir, to_nir
from .dropout import Dropout
from .encoders import DirectEncoder, LatencyEncoder, PoissonEncoder
from .event_goat import EVENT_ORDERS, EventGOATBlock
from .event_pooling import ClusterMoments, Voxels, cluster_moments, grid_clusters, voxel_pool
from .folding import batch_first
from .fused import reason, set_fused, set_precision, takes_fused_path
from .goat import GOATConv
from .graph_input import GraphRows, csr_from_edge_index, edge_index_from_csr, graph_csr, graph_ptr_from_batch
from .head import DetectionHead
from .ilif import ILIF, set_max_spikes
from .maps import Concat, Identity, MaxPool2d, TimeMean, Upsample
from .membrane import LastMembrane, SiLUConv, SiLUMembrane
from .monitor import Monitor, Rate, monitor
from .neuron import IF, LIF, PLIF
from .norm import TDBatchNorm2d, synchronise_statistics
from .pooling import AsymCheegerCutPooling, DMoNPooling, JustBalancePooling, MinCutPooling
from .pooling_input import PoolingOutput, SelectOutput
from .pyramid import Merge, PyramidHead, ScaleOutput
from .selection import MLPSelect
from .stem import Stem, set_time_steps
from .streaming import Streaming, streaming
from .time_distributed import TimeDistributed

LAYERS = (
    LIF,
    IF,
    PLIF,
    ILIF,
    Conv2d,
    TDBatchNorm2d,
    Stem,
    MaxPool2d,
    Upsample,
    Concat,
    TimeMean,
    LastMembrane,
    SiLUMembrane,
    Identity,
)

__all__ = [
    "EVENT_ORDERS",
    "IF",
    "ILIF",
    "LAYERS",
    "LCB",
    "LIF",
    "PLIF",
    "AnomalyDetector",
    "AsymCheegerCutPooling",
    "ClusterMoments",
    "Concat",
    "Conv2d",
    "ConvertedIF",
    "DMoNPooling",
    "DetectionHead",
    "DirectEncoder",
    "Dropout",
    "EMSBlock1",
    "EMSBlock2",
    "EventGOATBlock",
    "GOATConv",
    "GraphRows",
    "Identity",
    "JustBalancePooling",
    "LastMembrane",
    "LatencyEncoder",
    "MLPSelect",
    "MSBlock",
    "MaxPool2d",
    "Merge",
    "MinCutPooling",
    "Monitor",
    "NonFiniteError",
    "PlainBlock",
    "PoissonEncoder",
    "PoolingOutput",
    "PyramidHead",
    "Rate",
    "SEWBlock",
    "ScaleOutput",
    "SelectOutput",
    "SiLUConv",
    "SiLUMembrane",
    "Stem",
    "Streaming",
    "TDBatchNorm2d",
    "TimeDistributed",
    "TimeMean",
    "Upsample",
    "Voxels",
    "ann_twin",
    "batch_first",
    "cluster_moments",
    "convert",
    "convert_twin",
    "csr_from_edge_index",
    "detect_anomaly",
    "edge_index_from_csr",
    "from_nir",
    "graph_csr",
    "graph_ptr_from_batch",
    "grid_clusters",
    "monitor",
    "reason",
    "set_fused",
    "set_max_spikes",
    "set_precision",
    "set_time_steps",
    "streaming",
    "synchronise_statistics",
    "takes_fused_path",
    "to_nir",
    "voxel_pool",
]

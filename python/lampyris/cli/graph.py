"""``lampyris graph <task>``: what graph networks can and cannot do, one command a task.

Each task is a typed function in a module of its own that imports torch in its body.
"""

from __future__ import annotations

from lampyris.cli.graph_events import events
from lampyris.cli.graph_measures import betweenness, effective_size
from lampyris.cli.graph_nodes import nodes
from lampyris.cli.graph_pooling import autoencoder, classification, clustering, sbm, segmentation
from lampyris.cli.graph_top2 import top2
from lampyris.cli.graph_xor import xor

# lampyris graph --help lists these with the first lines of their docstrings.
command = {
    "betweenness": betweenness,
    "effective_size": effective_size,
    "top2": top2,
    "nodes": nodes,
    "xor": xor,
    "clustering": clustering,
    "autoencoder": autoencoder,
    "segmentation": segmentation,
    "classification": classification,
    "sbm": sbm,
    "events": events,
}

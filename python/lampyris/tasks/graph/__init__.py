"""Graph tasks: the loop, baselines in plain torch, node tasks, pooling tasks.

Each task is a command, `lampyris graph <task>`, and a function here.

Example:
    >>> from lampyris.tasks import graph
    >>> [len(part) for part in graph.split_nodes(100)]
    [60, 20, 20]
"""

from __future__ import annotations

import importlib

_HOME = {
    "Fitted": "training",
    "Recipe": "training",
    "Results": "results",
    "autoencoder_task": "autoencoder",
    "baseline": "baselines",
    "block_models_task": "block_models",
    "centrality_task": "centrality",
    "clustering_task": "clustering",
    "OverlapGOAT": "overlap",
    "fit": "training",
    "graph_classification_task": "graph_classification",
    "network": "networks",
    "node_task": "node_classification",
    "run_jobs": "training",
    "segmentation_task": "segmentation",
    "split_nodes": "training",
    "top2_task": "top2",
    "xor_task": "xor",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'lampyris.tasks.graph' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # replaces the submodule of the same name
    return value


def __dir__() -> list[str]:
    return __all__

"""Slow, obvious twins of the operators, plain torch or numpy, same names and signatures.

Only tests, benchmarks and ``deploy.verify`` import this package. ``reference.integer`` is numpy alone;
without torch it is all there is.

Example:
    >>> import torch
    >>> from lampyris import reference
    >>> spikes, membrane = reference.lif(torch.full((3, 1), 0.6), decay=0.5, threshold=1.0)
    >>> spikes.flatten().tolist()
    [0.0, 0.0, 1.0]
"""

from __future__ import annotations

import importlib
import importlib.util

__all__ = ["integer"]

if importlib.util.find_spec("torch") is not None:
    from lampyris.reference.event_graph import event_graph
    from lampyris.reference.fake_quantize import fake_quantize
    from lampyris.reference.goat_aggregate import goat_aggregate
    from lampyris.reference.ilif import ilif, ilif_expand
    from lampyris.reference.lif import lif
    from lampyris.reference.lif_conv2d import lif_conv2d, lif_linear
    from lampyris.reference.magnitude_mask import magnitude_mask, nm_mask
    from lampyris.reference.mincut_pool import mincut_lift, mincut_pool
    from lampyris.reference.pack_spikes import pack_spikes, unpack_spikes
    from lampyris.reference.spike_conv2d import spike_conv2d
    from lampyris.reference.spike_conv_lif import spike_conv_lif
    from lampyris.reference.spike_linear import spike_linear
    from lampyris.reference.spike_max_pool2d import spike_max_pool2d
    from lampyris.reference.tdbn_add import tdbn_add, tdbn_add_lif

    __all__ += [
        "event_graph",
        "fake_quantize",
        "goat_aggregate",
        "ilif",
        "ilif_expand",
        "lif",
        "lif_conv2d",
        "lif_linear",
        "magnitude_mask",
        "mincut_lift",
        "mincut_pool",
        "nm_mask",
        "pack_spikes",
        "spike_conv2d",
        "spike_conv_lif",
        "spike_linear",
        "spike_max_pool2d",
        "tdbn_add",
        "tdbn_add_lif",
        "unpack_spikes",
    ]


def __getattr__(name: str):
    if name == "integer":
        return importlib.import_module(f"{__name__}.integer")
    raise AttributeError(f"module 'lampyris.reference' has no attribute {name!r}")

"""The operators: compiled for CPU (and CUDA), differentiable, traceable by ``torch.compile``.

Every operator has a plain-torch twin of the same name in :mod:`lampyris.reference`.

Example:
    >>> import torch
    >>> from lampyris import ops
    >>> spikes, membrane = ops.lif(torch.full((3, 1), 0.6), decay=0.5, threshold=1.0)
    >>> spikes.flatten().tolist()
    [0.0, 0.0, 1.0]
"""

from __future__ import annotations

from lampyris import _library

_library.load()

from lampyris.ops.event_graph import event_graph  # noqa: E402
from lampyris.ops.fake_quantize import fake_quantize  # noqa: E402
from lampyris.ops.goat_aggregate import goat_aggregate  # noqa: E402
from lampyris.ops.ilif import ilif, ilif_expand  # noqa: E402
from lampyris.ops.kernel_log import KernelRecord, record_kernels  # noqa: E402
from lampyris.ops.lif import lif  # noqa: E402
from lampyris.ops.lif_conv2d import lif_conv2d, lif_linear  # noqa: E402
from lampyris.ops.magnitude_mask import magnitude_mask, nm_mask  # noqa: E402
from lampyris.ops.mincut_pool import mincut_lift, mincut_pool  # noqa: E402
from lampyris.ops.pack_spikes import pack_spikes, unpack_spikes  # noqa: E402
from lampyris.ops.spike_conv2d import spike_conv2d  # noqa: E402
from lampyris.ops.spike_conv_lif import spike_conv_lif  # noqa: E402
from lampyris.ops.spike_linear import spike_linear  # noqa: E402
from lampyris.ops.spike_max_pool2d import spike_max_pool2d  # noqa: E402
from lampyris.ops.spikes import Spikes  # noqa: E402
from lampyris.ops.tdbn_add import tdbn_add, tdbn_add_lif  # noqa: E402

__all__ = [
    "KernelRecord",
    "Spikes",
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
    "record_kernels",
    "spike_conv2d",
    "spike_conv_lif",
    "spike_linear",
    "spike_max_pool2d",
    "tdbn_add",
    "tdbn_add_lif",
    "unpack_spikes",
]

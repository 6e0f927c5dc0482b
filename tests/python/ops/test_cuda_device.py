from __future__ import annotations

import pytest
import torch

from lampyris import _library, ops


def test_cuda_device():
    """With a device the whole folder runs on it too; here only what needs two devices."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine: operators were tested on the CPU only")
    assert _library.cuda_loaded(), "there is a CUDA device, but _ops_cuda.so is not built"
    x = torch.zeros(2, 3, device="cuda")
    with pytest.raises(ValueError, match="lif: decay and x must be on one device, got cpu and cuda:0"):
        ops.lif(x, torch.zeros(3), 1.0)
    assert ops.lif(x, 0.5, 1.0)[0].device == x.device

"""Fixtures of the operator tests: every device and every instruction set there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from lampyris import ops  # noqa: F401  (loads the operators)

sys.path.insert(0, str(Path(__file__).parent))

_ISAS = ("base", "avx2", "avx512")
_CUDA = torch.cuda.is_available() and torch._C._dispatch_has_kernel_for_dispatch_key("lampyris::lif", "CUDA")


def _usable_isas() -> tuple[str, ...]:
    best = torch.ops.lampyris.isa_available().replace("amx", "avx512")
    return _ISAS[: _ISAS.index(best) + 1]


@pytest.fixture(params=["cpu", "cuda"] if _CUDA else ["cpu"])
def device(request) -> str:
    """Every device with kernels; test_cuda_device.py says why CUDA is not among them."""
    return request.param


@pytest.fixture(params=_usable_isas())
def isa(request):
    """Runs the test with each instruction set of this processor."""
    before = torch.ops.lampyris._set_isa(request.param)
    yield request.param
    torch.ops.lampyris._set_isa(before)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)

"""Fixtures of the operator tests: every device and every instruction set there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from lampyris import ops  # noqa: F401  (loads the operators)

sys.path.insert(0, str(Path(__file__).parent))

_ISAS = ("base", "avx2", "avx512", "amx")
_CUDA = torch.cuda.is_available() and torch._C._dispatch_has_kernel_for_dispatch_key("lampyris::lif", "CUDA")


def _usable_isas() -> tuple[str, ...]:
    return _ISAS[: _ISAS.index(torch.ops.lampyris.isa_available()) + 1]


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


@pytest.fixture(params=[*_usable_isas(), "emulated tiles"])
def tiles(request):
    """As isa, and with the kernels for amx in plain loops. For operators that have such kernels."""
    emulated = request.param == "emulated tiles"
    before = torch.ops.lampyris._set_isa(_usable_isas()[-1] if emulated else request.param)
    emulated_before = torch.ops.lampyris._emulate_tiles(emulated)
    yield request.param
    torch.ops.lampyris._emulate_tiles(emulated_before)
    torch.ops.lampyris._set_isa(before)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)

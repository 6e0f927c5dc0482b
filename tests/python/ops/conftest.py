"""Fixtures of the operator tests: every device and every instruction set there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from lampyris import ops  # noqa: F401  (loads the operators)

sys.path.insert(0, str(Path(__file__).parent))

_ISAS = ("base", "avx2", "avx512")


@pytest.fixture(params=["cpu", "cuda"])
def device(request) -> str:
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device on this machine")
        if not torch._C._dispatch_has_kernel_for_dispatch_key("lampyris::lif", "CUDA"):
            pytest.skip("_ops_cuda.so is not built")
    return request.param


@pytest.fixture(params=_ISAS)
def isa(request):
    """Runs the test with one instruction set."""
    if _ISAS.index(request.param) > _ISAS.index(torch.ops.lampyris.isa_available().replace("amx", "avx512")):
        pytest.skip(f"this processor has no {request.param}")
    before = torch.ops.lampyris._set_isa(request.param)
    yield request.param
    torch.ops.lampyris._set_isa(before)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)

"""When spike_conv2d takes matrix tiles, with the tiles emulated; test_spike_conv2d.py compares results."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import torch

from lampyris import ops


@pytest.fixture
def emulated():
    before = torch.ops.lampyris._emulate_tiles(True)
    yield
    torch.ops.lampyris._emulate_tiles(before)


def kernels(density, precision, channels=64, groups=1):
    """Names of the kernels of a forward and backward pass, without the operator."""
    spikes = (torch.rand(2, 1, channels, 6, 7) < density).float().requires_grad_()
    weight = torch.randn(32 * groups, channels // groups, 3, 3, requires_grad=True)
    with ops.record_kernels() as ran:
        out = ops.spike_conv2d(spikes, weight, padding=1, groups=groups, precision=precision)
        out.backward(torch.randn_like(out))
    names = {record.operator: record.kernel for record in ran}
    return [names.get(f"spike_conv2d{part}", "") for part in ("", " dW", " dX")]


@pytest.mark.parametrize(
    ("density", "precision", "wanted"),
    [
        (0.3, "float32", ["amx bf16x3", "amx bf16x3", "amx bf16x3"]),
        (0.3, "mixed", ["amx bf16x3", "amx bf16", "amx bf16"]),
        (0.3, "bfloat16", ["amx bf16", "amx bf16", "amx bf16"]),
        (0.05, "float32", ["event float32", "event float32", "amx bf16x3"]),
        (0.05, "mixed", ["event float32", "amx bf16", "amx bf16"]),
        (0.01, "bfloat16", ["event float32", "amx bf16", "amx bf16"]),
    ],
)
def test_choice_by_density_and_precision(emulated, density, precision, wanted):
    for name, want in zip(kernels(density, precision), wanted, strict=True):
        assert name.startswith(want), name
        assert name.endswith(" emulated") == want.startswith("amx"), name


def test_narrow_groups_stay_event_driven(emulated):
    assert not any(name.startswith("amx") for name in kernels(0.5, "float32", channels=64, groups=4))


def test_no_tiles_below_amx(isa):
    names = kernels(0.5, "mixed")
    assert isa == "amx" or not any(name.startswith("amx") for name in names)


def test_threads_do_not_change_the_result(emulated):
    spikes = (torch.rand(5, 1, 64, 6, 7) < 0.4).float().requires_grad_()
    weight = torch.randn(48, 64, 3, 3, requires_grad=True)
    upstream = torch.randn(5, 1, 48, 6, 7)
    before = torch.get_num_threads()
    results = []
    for count in (1, 3):
        torch.set_num_threads(count)
        out = ops.spike_conv2d(spikes, weight, padding=1, precision="float32")
        results.append([out.detach(), *torch.autograd.grad(out, [spikes, weight], upstream)])
    torch.set_num_threads(before)
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)


@pytest.mark.skipif(platform.machine() != "x86_64" or not shutil.which("objdump"), reason="reads x86 code")
def test_compiled_kernels_configure_and_release_tiles():
    library = Path(ops.__file__).parents[1] / "_ops.so"
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], capture_output=True, text=True)
    count = Counter(re.findall(r"\t(ldtilecfg|sttilecfg|tilerelease|tdp\w+|tileload\w+)", listing.stdout))
    # One configuration and one release in each kernel, and nothing that saves a configuration.
    assert count["ldtilecfg"] == count["tilerelease"] > 0 and count["sttilecfg"] == 0
    assert count["tdpbf16ps"] > 0 and count["tdpbusd"] > 0 and count["tileloadd"] > 0

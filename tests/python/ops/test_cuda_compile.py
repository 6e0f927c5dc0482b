"""Every .cu for three architectures, all warnings as errors, no spills, registers within the budget."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted(ROOT.glob("csrc/ops/*/*.cu"))
ARCHITECTURES = ("80", "90", "120")
# Registers of the largest kernel of a file on any architecture; 65536 / 256 threads / 64 = 4 blocks.
BUDGET = {
    "event_graph": 96,
    "fake_quantize": 80,
    "goat_aggregate": 128,  # float64; float32 80
    "ilif": 72,
    "lif": 72,
    "magnitude_mask": 56,
    "mincut_pool": 56,
    "pack_spikes": 56,
    "spike_conv2d": 112,
    "spike_conv_lif": 64,
    "spike_linear": 112,
    "spike_max_pool2d": 128,
    "tdbn_add": 72,
}
FLAGS = ["-std=c++17", "-O3", "--fmad=false", "-Werror", "all-warnings", "-Xptxas", "-v", "-lineinfo"]


def _compile(source: Path, architecture: str, folder: Path) -> str:
    command = ["nvcc", *FLAGS, f"-gencode=arch=compute_{architecture},code=sm_{architecture}"]
    command += ["-Xcompiler", "-fPIC,-Wall,-Wextra,-Werror", f"-I{ROOT / 'csrc'}", "-c", str(source)]
    command += ["-o", str(folder / f"{source.stem}_{architecture}.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{source.name} sm_{architecture}:\n{done.stderr}"
    return done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_every_kernel(tmp_path):
    jobs = [(source, architecture) for source in SOURCES for architecture in ARCHITECTURES]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda job: _compile(*job, tmp_path), jobs))
    for (source, architecture), report in zip(jobs, reports, strict=True):
        name = f"{source.name} sm_{architecture}"
        spills = [int(n) for n in re.findall(r"(\d+) bytes spill", report)]
        registers = [int(n) for n in re.findall(r"Used (\d+) registers", report)]
        assert registers and sum(spills) == 0, f"{name}: {sum(spills)} bytes of spills"
        assert max(registers) <= BUDGET[source.parent.name], f"{name}: {max(registers)} registers"


def test_every_source_has_a_budget():
    assert {source.parent.name for source in SOURCES} == set(BUDGET)

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from lampyris import _library, memory, ops


def _run(code: str, **environment: str) -> subprocess.CompletedProcess:
    import os

    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_build_id_is_that_of_the_sources():
    assert _library.source_build_id() in (None, _library.build_id())


def test_missing_and_stale_libraries_are_named(tmp_path, monkeypatch):
    path = tmp_path / "_ops.so"
    with pytest.raises(ImportError, match=f"lampyris: {path} does not exist; run `make build`"):
        _library._load(path)
    path.write_bytes(b"not a library")
    with pytest.raises(ImportError, match=f"lampyris: {path} cannot be loaded: .*"):
        _library._load(path)
    monkeypatch.setattr(_library, "source_build_id", lambda: "0123456789abcdef")
    monkeypatch.delenv("LAMPYRIS_STALE", raising=False)
    with pytest.raises(ImportError, match=r"was built from sources .*, but csrc is 0123456789abcdef"):
        _library._compare(path)
    monkeypatch.setenv("LAMPYRIS_STALE", "1")
    _library._compare(path)


def test_isa_is_lowered_by_the_environment():
    code = "from lampyris import _library; print(_library.isa())"
    for name in ("base", "avx2"):
        if name == "base" or _library.isa_available() != "base":
            assert _run(code, LAMPYRIS_ISA=name).stdout.strip() == name
    wrong = _run(code, LAMPYRIS_ISA="sse9")
    assert wrong.returncode != 0
    assert 'LAMPYRIS_ISA: must be base, avx2, avx512 or amx, got "sse9"' in wrong.stderr


def test_pages_are_kept():
    code = (
        "import resource, torch\n"
        "from lampyris import memory\n"
        "print(memory.reuse_pages(), memory.allocator())\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    torch.zeros(12_000_000)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        # the heap grows until small blocks no longer nibble at the freed large one
        "print(min(faults() for _ in range(32)))\n"
    )
    first, second = _run(code).stdout.split("\n")[:2]
    if first.startswith("True"):
        assert first == "True glibc, pages kept"
        assert int(second) < 1000  # 48 MB are 11,719 pages
    else:
        assert memory.allocator() in first


@pytest.mark.skipif(sys.platform != "linux", reason="the pool is mmap")
def test_results_come_from_the_block_freed_last():
    before = _library.keep_pages(True)
    try:
        x = torch.full((4, 1 << 17), 0.6)
        blocks = [ops.lif(x, 0.5, 1.0)[0] for _ in range(3)]
        last = blocks[-1].data_ptr()
        while blocks:
            del blocks[0]
        again = ops.lif(x, 0.5, 1.0)[0]
        assert again.data_ptr() == last
        assert again.requires_grad is False and again.is_contiguous()
        assert again.sum() == 1 << 17
    finally:
        _library.keep_pages(before)


def test_loads_without_cuda():
    assert _library.cuda_loaded() in (False, True)
    assert torch.ops.lampyris.isa() in ("base", "avx2", "avx512", "amx")

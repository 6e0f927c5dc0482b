"""The command line as a user meets it: a process, its output, its exit status."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from lampyris.cli import COMMANDS


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "lampyris", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_help_lists_every_command_and_loads_no_torch():
    result = run("--help")
    assert result.returncode == 0 and all(f"  {name} " in result.stdout for name in COMMANDS)
    heavy = "('torch', 'numpy', 'jsonargparse', 'lightning')"
    code = (
        "import sys; from lampyris.cli import main; main(['--help']); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert run(code=code).stdout.rstrip().endswith("[]")


@pytest.mark.parametrize(
    "name", ["compress", "export", "verify", "simulate", "report", "data", "graph", "doctor", "demo"]
)
def test_help_of_each_command_loads_no_torch(name):
    code = f"""
import sys
from lampyris.cli import main
try:
    main([{name!r}, "--help"])
except SystemExit as stop:
    assert not stop.code
print("torch" in sys.modules)
"""
    result = run(code=code)
    assert result.stdout.rstrip().endswith("False"), result.stderr


def test_unknown_commands_and_options_get_one_line():
    result = run("verfy")
    assert result.returncode == 2
    assert result.stderr == "lampyris: error: no command 'verfy'; did you mean 'verify'?\n"
    wrong = run("demo", "--sed", "1")
    assert wrong.returncode == 2 and "--sed" in wrong.stderr and "Traceback" not in wrong.stderr
    assert run().returncode == 2


def test_user_mistakes_are_one_line_and_status_1(tmp_path):
    cases = [
        (("verify", "none.ckpt", "none.safetensors"), "none.ckpt"),
        (("simulate", str(tmp_path / "missing.safetensors")), "missing.safetensors"),
        (("demo", "--data", "events", "--target", "v1"), "target ems, got v1"),
        (("demo", "--images", "0"), "images must be >= 1, got 0"),
        (("report", "none.ckpt"), "none.ckpt"),
    ]
    for arguments, text in cases:
        result = run(*arguments)
        assert result.returncode == 1, result.stderr
        assert result.stderr.startswith(f"lampyris {arguments[0]}: error: ") and text in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_an_unwritable_folder_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    start = time.perf_counter()
    result = run("demo", "--out", str(tmp_path / "file"))
    assert result.returncode == 1 and "file" in result.stderr and time.perf_counter() - start < 20


def test_doctor_finds_the_libraries():
    result = run("doctor")
    assert result.returncode == 0
    assert all(
        word in result.stdout for word in ("torch", "isa", "allocator", "_ops build id", "_native build id")
    )
    assert all(
        word in result.stdout
        for word in ("features", "spike_conv2d dW", "64 to 64, 3x3, bfloat16", "float32")
    )


def test_version():
    import lampyris

    assert run("--version").stdout == f"lampyris {lampyris.__version__}\n"

"""The torch-free C++ part on a board's processor: cross-compiled for aarch64, run under qemu's user mode."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lampyris import firefly

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build" / "aarch64"
QEMU = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
TESTS = (
    "firefly/test_device.cpp",
    "firefly/test_run_v1.cpp",
    "firefly/test_program.cpp",
    "firefly/test_neuron_unit.cpp",
    "firefly/test_first_difference.cpp",
    "firefly/test_boxes.cpp",
    "firefly/test_npy.cpp",
    "io/test_crc32c.cpp",
    "io/test_image.cpp",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("aarch64-linux-gnu-g++") is None, reason="g++-aarch64-linux-gnu is not installed"
    ),
    pytest.mark.skipif(QEMU is None, reason="qemu-user is not installed"),
    pytest.mark.skipif(
        not Path("/usr/src/googletest/CMakeLists.txt").exists(), reason="libgtest-dev is not installed"
    ),
]


def checked(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def built():
    # -O1 without assertions' cost: the compiler's time is what counts here.
    options = {
        "CMAKE_TOOLCHAIN_FILE": ROOT / "cmake" / "aarch64.cmake",
        "CMAKE_BUILD_TYPE": "None",
        "LAMPYRIS_OPS": "OFF",
        "LAMPYRIS_PYTHON": "OFF",
        "LAMPYRIS_TESTS": "ON",
        "LAMPYRIS_TEST_GLOBS": ";".join(TESTS),
        "LAMPYRIS_OPTIMIZE": "-O1",
    }
    checked("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", *(f"-D{k}={v}" for k, v in options.items()))
    jobs = str(len(os.sched_getaffinity(0)))
    checked("cmake", "--build", BUILD, "--parallel", jobs, "--target", "lampyris_tests", "firefly-sim")

    def run(program, *arguments):
        return checked(QEMU, "-L", "/usr/aarch64-linux-gnu", BUILD / program, *map(str, arguments))

    return run


def test_the_tests_pass(built):
    output = built("lampyris_tests", "--gtest_brief=1")
    assert "[  PASSED  ] " in output and "FAILED" not in output
    assert int(output.split("[  PASSED  ] ")[1].split()[0]) > 50


def test_an_image_gives_the_same_bits(built, tmp_path):
    rng = np.random.default_rng(7)
    program = firefly.Program(16, 2)
    s = program.neuron("lif", program.input("stem", channels=24, height=8, width=8), threshold=60)
    weight = rng.integers(-99, 100, (20, 24, 3, 3)).astype(np.int8)
    s = program.conv("conv", s, weight, np.zeros(20, np.int16), neuron=firefly.Neuron("n", 90, "before", 2))
    program.output("head", s, rng.integers(-99, 100, (7, 20, 1, 1)).astype(np.int8), np.zeros(7, np.int16))
    stem = rng.integers(-60, 61, (24, 3, 3, 3)).astype(np.int8)
    place = {"stride": 2, "padding": 1, "shift": 6, "input_shape": (3, 16, 16), "exponent": 8}
    program.host_stem("stem", stem, np.zeros(24, np.int32), **place)
    program.host_output("head", step=np.full(7, 2.0**-9))
    image, frame = program.build(), rng.integers(0, 256, (3, 16, 16), dtype=np.uint8)
    path = image.save(tmp_path / "net.safetensors")
    np.save(tmp_path / "frame.npy", frame)
    firefly.save_trace(tmp_path / "here", firefly.Driver(firefly.Device(trace=True)).run(image, frame), frame)
    text = built("firefly-sim", path, tmp_path / "frame.npy", "--compare", tmp_path / "here")
    assert "0 differences of " in text and "boxes" in text

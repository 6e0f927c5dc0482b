"""A thin CMake driver: `pip install .`, `pip install -e .` and the wheel give the same package."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "python" / "lampyris"
TORCH_FREE = os.environ.get("LAMPYRIS_OPS", "ON").upper() in ("OFF", "0", "FALSE", "NO")


class CMakeBuild(build_ext):
    """Builds every native library with CMake and installs the `python` component."""

    def run(self) -> None:
        build = ROOT / ("build-board" if TORCH_FREE else "build")  # its cache holds the other option
        options = [
            f"-D{name}={os.environ[name]}"
            for name in ("LAMPYRIS_OPS", "LAMPYRIS_CUDA", "LAMPYRIS_SANITIZE")
            if name in os.environ
        ]
        generator = ["-G", "Ninja"] if not (build / "CMakeCache.txt").exists() else []
        subprocess.run(
            ["cmake", "-S", ROOT, "-B", build, *generator, f"-DPython_EXECUTABLE={sys.executable}", *options],
            check=True,
        )
        subprocess.run(["cmake", "--build", build, "--parallel", str(os.cpu_count() or 1)], check=True)
        destinations = [Path(self.get_ext_fullpath("lampyris._native")).resolve().parent]
        if self.inplace or self.editable_mode:
            destinations.append(PACKAGE)
        for folder in dict.fromkeys(destinations):
            subprocess.run(
                ["cmake", "--install", build, "--prefix", folder.parent, "--component", "python"], check=True
            )

    def get_outputs(self) -> list[str]:
        return []


setup(
    ext_modules=[Extension("lampyris._native", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
    exclude_package_data={"lampyris": ["_ops*.so"]} if TORCH_FREE else {},
)

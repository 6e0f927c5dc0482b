"""Rules of the house that a machine can see: arrows of knowledge, the torch boundary, file sizes, docs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "python" / "lampyris"
CSRC = ROOT / "csrc"

HARDWARE = {"firefly", "ecc"}
COMPRESSION = {"capture", "compress", "deploy", "report", "cli"}
NETWORKS = {"nn", "models"}
TRAINING = {"tasks", "data"}
# part -> parts it must not know (design: the arrows are never turned back)
FORBIDDEN = {
    "ops": NETWORKS | TRAINING | COMPRESSION | HARDWARE,
    "nn": {"models"} | TRAINING | COMPRESSION | HARDWARE,
    "models": TRAINING | COMPRESSION | HARDWARE,
    "capture": {"models"} | TRAINING | (COMPRESSION - {"capture"}) | HARDWARE,
    "compress": {"models", "deploy", "report", "cli", "reference"} | TRAINING | HARDWARE,
    "data": {"ops", "tasks"} | NETWORKS | COMPRESSION | HARDWARE,
    "ecc": {"ops", "firefly"} | NETWORKS | TRAINING | COMPRESSION,
    "firefly": {"ops"} | NETWORKS | TRAINING | COMPRESSION,
    "deploy": {"report", "cli"},
    "reference": {"nn", "models", "tasks", "data", "deploy", "report", "cli", "firefly", "ecc"},
    "report": {"cli", "reference"},
}
LIGHTNING_PLACES = ("tasks/", "data/", "compress/callbacks.py", "cli/")


def _imports(path: Path) -> set[str]:
    """Parts of lampyris that a file imports, and "lightning"; docstrings and strings do not count."""
    found = set()
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module or "")))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "lampyris" and len(parts) > 1:
                found.add(parts[1])
            elif parts[0] == "lightning":
                found.add("lightning")
    return found


@pytest.mark.parametrize("part", FORBIDDEN)
def test_arrows_of_knowledge(part):
    wrong = {}
    for path in (PACKAGE / part).rglob("*.py"):
        known = _imports(path) & FORBIDDEN[part]
        if known:
            wrong[str(path.relative_to(PACKAGE))] = sorted(known)
    assert not wrong


def test_lightning_stays_in_its_places():
    wrong = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "lightning" in _imports(path) and not str(path.relative_to(PACKAGE)).startswith(LIGHTNING_PLACES)
    ]
    assert not wrong


def test_only_tests_and_verify_read_the_reference():
    readers = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if "reference" in _imports(p)}
    assert {name for name in readers if not name.startswith("reference/")} <= {
        "deploy/verification.py",
        "deploy/observed.py",
    }


def test_torch_free_folders_name_neither_torch_nor_python():
    wrong = []
    for folder in ("core", "cpu", "io", "ecc", "firefly", "events", "graph", "tools"):
        for path in (CSRC / folder).rglob("*"):
            if path.is_file() and re.search(r'#include\s*[<"](torch|pybind11|Python)', path.read_text()):
                wrong.append(str(path))
    for path in [*CSRC.rglob("*.cu"), *CSRC.rglob("*_cpu*.cpp")]:
        if re.search(r'#include\s*[<"](torch|ATen|c10|pybind11)', path.read_text()):
            wrong.append(str(path))
    assert not wrong


def test_no_aten_anywhere():
    wrong = [
        str(p)
        for p in CSRC.rglob("*")
        if p.is_file()
        and re.search(r'#include\s*[<"](ATen|c10|torch/(extension|all|torch)\.h)', p.read_text())
    ]
    assert not wrong


def test_files_stay_small():
    long = {}
    for folder in (CSRC, PACKAGE, ROOT / "tests", ROOT / "benchmarks"):
        for path in folder.rglob("*"):
            if path.suffix in {".py", ".cpp", ".h", ".cu", ".cuh"}:
                lines = path.read_text().count("\n")
                if lines > 400:
                    long[str(path.relative_to(ROOT))] = lines
    assert not long


def test_every_operator_is_a_row():
    for folder in sorted(p for p in (CSRC / "ops").iterdir() if p.is_dir()):
        name = folder.name
        for path in (
            folder / f"{name}.h",
            folder / f"{name}.cpp",
            folder / f"{name}_cpu.cpp",
            folder / f"{name}_cuda.cu",
            folder / f"{name}_cuda.cpp",
            PACKAGE / "ops" / f"{name}.py",
            PACKAGE / "reference" / f"{name}.py",
            ROOT / "tests" / "cpp" / "ops" / f"test_{name}.cpp",
            ROOT / "tests" / "python" / "ops" / f"test_{name}.py",
        ):
            assert path.is_file(), path
        assert any((ROOT / "benchmarks").glob(f"*/bench_{name}.py")), name


def test_links_in_documents_lead_somewhere():
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"

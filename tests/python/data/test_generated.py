"""Generated folders: complete or absent, whatever interrupts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lampyris.data.generated import MARKER, cache_folder, generate_once, read_marker


def build(folder: Path) -> None:
    (folder / "content").write_text("all of it")


def test_builds_once(tmp_path):
    calls = []
    root = tmp_path / "deep" / "set"
    for _ in range(2):
        got = generate_once("set", {"seed": 1}, lambda folder: (calls.append(1), build(folder)), root)
        assert got == root and (root / "content").read_text() == "all of it"
    assert calls == [1] and read_marker(root)["recipe"] == {"seed": 1}
    assert [p.name for p in root.parent.iterdir()] == ["set"]


def test_the_cache_keeps_recipes_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, two = (generate_once("set", {"seed": seed}, build) for seed in (1, 2))
    assert one != two and one.parent == two.parent == tmp_path / "lampyris" == cache_folder()
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "lampyris"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full"), ValueError("x")])
def test_a_failed_build_leaves_nothing(tmp_path, error):
    def fail(folder: Path) -> None:
        build(folder)
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        generate_once("set", {}, fail, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_is_cleaned_up_by_the_next(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from lampyris.data.generated import generate_once\n"
        "def build(folder): (folder / 'half').write_text('x'); os.kill(os.getpid(), 9)\n"
        "generate_once('set', {}, build, Path(sys.argv[1]))"
    )
    source = str(Path(sys.modules["lampyris"].__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "set")], env={**os.environ, "PYTHONPATH": source}
    )
    assert done.returncode == -9 and not (tmp_path / "set").exists()
    assert len(list(tmp_path.iterdir())) == 1
    generate_once("set", {}, build, tmp_path / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_work_of_a_living_process_or_another_machine_stays(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kept = [f".set.{socket.gethostname()}.{other.pid}.tmp", ".set.elsewhere.1.tmp"]
    for name in kept:
        (tmp_path / name).mkdir()
    generate_once("set", {}, build, tmp_path / "set")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*kept, "set"])
    other.communicate(b"\n")


def test_of_two_builders_the_first_wins(tmp_path):
    def slow(folder: Path) -> None:
        build(folder)
        inner = threading.Thread(target=other)
        inner.start()
        inner.join()

    def other() -> None:  # another process finishes meanwhile
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "content").write_text("first")
        (tmp_path / "set" / MARKER).write_text('{"name": "set", "recipe": {}}')

    assert generate_once("set", {}, slow, tmp_path / "set") == tmp_path / "set"
    assert (tmp_path / "set" / "content").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"set: root must be a new or empty folder .* with other content"):
        generate_once("set", {}, build, tmp_path)
    with pytest.raises(ValueError, match="with other content"):
        generate_once("set", {}, build, tmp_path / "note.txt")
    generate_once("set", {"seed": 1, "n": 4}, build, tmp_path / "a")
    with pytest.raises(ValueError, match=r"with the set with seed = 1 instead of 2$"):
        generate_once("set", {"seed": 2, "n": 4}, build, tmp_path / "a")
    with pytest.raises(ValueError, match="with the set 'set'"):
        generate_once("other", {"seed": 1, "n": 4}, build, tmp_path / "a")


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        generate_once("set", {}, build, tmp_path / "file" / "set")

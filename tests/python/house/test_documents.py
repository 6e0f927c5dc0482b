"""The Python of docs/operators.md runs as printed, block after block."""

from __future__ import annotations

import re
from pathlib import Path

from lampyris import memory, ops

TEXT = (Path(__file__).parents[3] / "docs" / "operators.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_blocks_of_the_operators_page(monkeypatch):
    monkeypatch.setattr(memory, "reuse_pages", lambda: True)  # it would last for the whole process
    monkeypatch.setattr(memory, "allocator", lambda: "glibc, pages kept")
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/operators.md", "exec"), names)
    assert len(BLOCKS) >= 8


def test_every_operator_is_on_its_page():
    assert [name for name in ops.__all__ if f"`{name}" not in TEXT and not name.endswith("Record")] == []

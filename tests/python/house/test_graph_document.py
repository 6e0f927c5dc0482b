"""The Python of docs/graph.md runs as printed, block after block."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "docs" / "graph.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_blocks_of_the_graph_page():
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/graph.md", "exec"), names)
    assert len(BLOCKS) >= 3

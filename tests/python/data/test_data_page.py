"""The Python of docs/data.md runs as printed, in a folder with a COCO and a Gen1 set."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "data.md"


def test_blocks_of_the_page(digits_folder, events_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_data").symlink_to(digits_folder)
    (tmp_path / "my_events").symlink_to(events_folder)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    for block in blocks:
        exec(compile(block, "docs/data.md", "exec"), names)
    output = capsys.readouterr().out
    assert len(blocks) == 3 and "[8, 3, 320, 320]" in output and "[5, 4, 10, 64, 64]) 10 0" in output
    assert names["surface"].shape == (4, 2, 64, 64) and names["surface"].any()

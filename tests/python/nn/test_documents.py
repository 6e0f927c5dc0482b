"""The Python of docs/spiking.md runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "docs" / "spiking.md").read_text()


def test_spiking_document_runs(capsys):
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    exec(compile(code, "docs/spiking.md", "exec"), {})
    printed = capsys.readouterr().out
    assert 'parameter weight of "blocks.0.branch.0.conv" (Conv2d) must be finite' in printed
    assert "neuron-steps" in printed

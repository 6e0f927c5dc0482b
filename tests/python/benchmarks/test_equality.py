"""`make bench-equality` where the peers are installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PEERS = ROOT / ".venv-peers" / "bin" / "python"


@pytest.mark.slow
@pytest.mark.skipif(not PEERS.exists(), reason="the peers are not installed: make bench-peers")
def test_every_claim_holds():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    command = [str(PEERS), "-W", "ignore", "-m", "benchmarks.equality"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr

"""Every `lampyris graph <task> --quick` runs, writes its files, and has a config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lampyris.cli import main
from lampyris.cli.graph import command

CONFIGS = Path(__file__).parents[3] / "configs" / "graph"


@pytest.mark.parametrize("task", command)
def test_quick_run_with_its_config(task, tmp_path, capsys):
    config = CONFIGS / f"{task}.yaml"
    arguments = ["graph", task, "--config", str(config), "--quick", "--folder", str(tmp_path)]
    assert main(arguments) == 0
    stored = json.loads((tmp_path / "figures.json").read_text())
    assert stored["protocol"] and list(tmp_path.glob("*.png"))
    assert stored["protocol"].split()[0] in capsys.readouterr().out
    assert stored["figures"]


@pytest.mark.parametrize("task", command)
def test_configs_state_the_defaults(task):
    import inspect

    defaults = {name: p.default for name, p in inspect.signature(command[task]).parameters.items()}
    for name, value in yaml.safe_load((CONFIGS / f"{task}.yaml").read_text()).items():
        assert defaults[name] in (value, None), (task, name)

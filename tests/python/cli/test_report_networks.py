"""``lampyris report networks``."""

from __future__ import annotations

import json

import pytest

from lampyris.cli import main


def test_published_networks_without_a_checkpoint(tmp_path, capsys):
    assert main(["report", "networks", "--out", str(tmp_path / "networks.json")]) == 0
    text = capsys.readouterr().out
    assert "SCNN-11" in text and "2,036" in text and "never fitted" in text
    table = json.loads((tmp_path / "networks.json").read_text())
    assert [network["frames_per_second"] for network in table["published"]] == [2036, 966, 470, 282]
    rates = {(row["network"], row["build"]): row["frames_per_second"] for row in table["rows"]}
    assert len(rates) == 4 * 6
    for network in ("SCNN-5", "SCNN-7", "SCNN-11", "SCNN-9"):
        narrow, wide, skid = (
            rates[network, f"P 16, {bus}"] for bus in ("64-bit bus", "128-bit bus", "128-bit bus, skid")
        )
        assert narrow < wide < skid
    # The classifiers behind large maps do not fit the released weight FIFO.
    assert any("weight FIFO" in limit for row in table["rows"] for limit in row["limits"])


def test_a_wrong_option_is_named(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["report", "networks", "--nothing"])
    assert stop.value.code == 2 and "--nothing" in capsys.readouterr().err

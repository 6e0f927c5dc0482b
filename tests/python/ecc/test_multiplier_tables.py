"""The report of the multipliers: its tables, its picture, and yosys' LUTs."""

from __future__ import annotations

import json
import shutil

import pytest

from lampyris import ecc
from lampyris.cli import main
from lampyris.ecc import multiplier_tables as tables


def test_tables_and_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "SURVIVORS", tables.SURVIVORS[:1] + tables.SURVIVORS[-3:-2])
    monkeypatch.setattr(tables.campaigns, "__defaults__", (tables.SURVIVORS,))
    assert main(["report", "multiplier", "--products", "64", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "no silent error under any single gate fault: signature, lin, detect" in text
    summary = json.loads((tmp_path / "multiplier.json").read_text())
    assert len(summary["designs"]) == len(tables.DESIGNS)
    for row in summary["designs"]:
        assert row["known"] is None or row["equivalents"] < row["known"] + 0.5
    assert {row["vulnerable"] > 0 for row in summary["faults"]} == {True, False}
    assert (tmp_path / "multiplier.png").stat().st_size > 1000


@pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed")
def test_luts_of_a_tree():
    # 16 AND gates into 4 outputs of GF(2^4): two levels of 6-input LUTs, more than one LUT an output.
    luts, levels = tables.lut_depth(ecc.multiplier(m=4))
    assert 4 < luts < 32 and levels in (2, 3)

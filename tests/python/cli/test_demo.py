"""The demo's chain on a network trained for a moment: every step runs and the proof holds."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lampyris import firefly
from lampyris.cli import main
from lampyris.cli.demo import run_demo
from lampyris.cli.pipeline import RECIPES

SMALL = {
    "digits": {"train": 64, "val": 8, "test": 16},
    "events": {"train": 48, "val": 8, "test": 12},
}


@pytest.mark.parametrize("case", [("digits", "ems"), ("digits", "v1"), ("events", "ems")], ids="-".join)
def test_chain(case, tmp_path):
    recipe = dataclasses.replace(
        RECIPES[case],
        epochs=1,
        qat_steps=2,
        prune_steps=2,
        data_options={**SMALL[case[0]], "root": tmp_path / "data"},
    )
    run = run_demo(recipe, tmp_path / "out", seed=0, images=3, progress=False)
    run.finish()
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [row["name"] for row in figures["stages"]] == ["float", "ptq", "qat", "pruned"]
    assert (
        all(entry["ok"] for entry in figures["verification"].values()) and len(figures["verification"]) == 2
    )
    assert figures["stages"][3]["bytes"] < figures["stages"][2]["bytes"] < figures["stages"][0]["bytes"]
    assert {row["preset"] for row in figures["boards"]} == set(firefly.PRESETS)
    for name in ("detections.png", "spikes.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")

    # what was written is enough: the commands take it from here
    checkpoint, image = tmp_path / "out" / "pruned.ckpt", tmp_path / "out" / "pruned.safetensors"
    assert firefly.load(image).plan["target"] == case[1]
    inputs = str(tmp_path / "data")
    assert main(["verify", str(checkpoint), str(image), "--images", "2", "--data", inputs]) == 0
    arguments = ["report", str(checkpoint), "--images", "2", "--data", inputs, "--out", str(tmp_path / "r")]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "r" / "report.json").read_text())["footprint"]["sparsity"] > 0.3
    other = main(
        ["verify", str(tmp_path / "out" / "qat.ckpt"), str(image), "--images", "2", "--data", inputs]
    )
    assert other == 1  # the image of another network

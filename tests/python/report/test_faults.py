"""Fault studies on images: counts, repairs, and what the network does afterwards."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lampyris import firefly
from lampyris.cli import main
from lampyris.report.fault_quality import agreement, average_precision, fault_quality
from lampyris.report.faults import draw_faults, expected_report, fault_study
from lampyris.tasks import detection


@pytest.fixture(scope="module")
def image() -> firefly.Image:
    rng = np.random.default_rng(1)

    def weights(*shape):
        return rng.normal(0, 12, shape).round().clip(-60, 60).astype(np.int8)

    program = firefly.Program(parallelism=16, time_steps=2, preset="zcu104")
    stream = program.input("stem", channels=16, height=8, width=8, steps=1)
    for i in range(2):
        spikes = program.neuron(f"lif{i}", stream, threshold=30)
        stream = program.conv(f"conv{i}", spikes, weights(16, 16, 3, 3), np.zeros(16, np.int16), padding=1)
    spikes = program.neuron("last", stream, threshold=60)
    program.output("head", spikes, weights(6, 16, 1, 1), np.zeros(6, np.int16))
    return program.build()


def study_of(image, **options):
    _, quality = fault_quality(image, 3)
    options = {"protections": ["none", "row", "bram"], "rates": [0, 1e-4, 0.02], "seeds": 2} | options
    return fault_study(image, quality, **options)


def test_study(image):
    seen = []
    study = study_of(image, progress=seen.append)
    assert seen == study.runs
    assert len(study.runs) == 3 * 3 * 2
    assert study.baseline == 1
    bits = 8 * sum(a.nbytes for n, a in image.tensors.items() if n.endswith(("weights", "bias")))
    for run in study.runs:
        if run.rate == 0:
            assert run.wrong_bits == run.residual_bits == 0
            assert run.quality == 1
        elif run.protection == "none":
            assert run.residual_bits == run.wrong_bits
            assert abs(run.wrong_bits - bits * run.rate) < 5 * (bits * run.rate) ** 0.5 + 1
            assert not run.refused
        elif run.rate == 1e-4 and run.protection == "row":
            assert run.corrected_bits == run.wrong_bits
            assert run.residual_bits == 0
            assert run.quality == 1
    worst = [run for run in study.runs if run.rate == 0.02]
    assert all(run.refused for run in worst if run.protection != "none")
    assert all(run.quality < 1 for run in worst)
    assert 0.03 < study.overhead["row"] < study.overhead["bram"]
    assert study.overhead["none"] == 0
    assert study_of(image).runs == study.runs


def test_what_is_lost_depends_on_the_policy(image):
    """Weights go on zeroed; a lost bias stops the network unless its preset is stronger."""
    options = {"rates": [3e-3], "seeds": 3, "protections": ["bram,bias=strong"]}
    refused = study_of(image, policy="refuse", **options).runs
    zeroed = study_of(image, policy="zero_weights", **options).runs
    assert all(run.quality == 0 and run.refused and run.uncorrectable_pages == 0 for run in refused)
    assert all(run.quality > 0.5 and run.refused and run.uncorrectable_pages > 0 for run in zeroed)
    assert [run.wrong_bits for run in refused] == [run.wrong_bits for run in zeroed]


def test_own_protection_of_the_image_is_ignored(image):
    guarded = firefly.Image(dict(image.plan), image.tensors).protect("strong")
    guarded = firefly.Image.from_bytes(guarded.to_bytes())
    assert study_of(guarded).runs == study_of(image).runs


def test_picture_and_json(image, tmp_path):
    study = study_of(image)
    path = draw_faults(tmp_path / "faults.png", study)
    assert path.read_bytes().startswith(b"\x89PNG")
    again = json.loads(json.dumps(study.to_json()))
    assert [run["quality"] for run in again["runs"]] == [run.quality for run in study.runs]
    rates, values = study.curve("row")
    assert rates.tolist() == [0, 1e-4, 0.02]
    assert values.shape == (3, 2)


def test_expected_report(image):
    guarded = firefly.Image(dict(image.plan), image.tensors).protect("row", bias="strong", host=None)
    guarded = firefly.Image.from_bytes(guarded.to_bytes())
    bare, safe = (expected_report(i, [1e-5, 1e-3]) for i in (image, guarded))
    assert [row["rate"] for row in safe] == [1e-5, 1e-3]
    assert all(b["uncorrectable"] > 10 * s["uncorrectable"] for b, s in zip(bare, safe, strict=True))
    assert safe[0]["silent"] < 1e-9
    data = sum(-(-a.nbytes // 64) * 64 for a in image.tensors.values())
    assert bare[0]["pages"] == data
    assert bare[1]["wrong_bits"] == pytest.approx(8e-3 * data)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"seeds": 0}, "seeds must be >= 1, got 0"),
        ({"policy": "zero"}, "policy must be refuse, zero_page or zero_weights, got zero"),
        ({"rates": []}, "rates must be probabilities"),
        ({"rates": [2]}, "rates must be probabilities"),
        ({"protections": ["col"]}, "preset must be one of bram"),
        ({"protections": ["row,bias"]}, "ecc must be PRESET"),
    ],
)
def test_bad_arguments(image, options, reason):
    with pytest.raises(ValueError, match=reason):
        study_of(image, **options)
    with pytest.raises(ValueError, match="images must be >= 1, got 0"):
        fault_quality(image, 0)


def test_average_precision_of_perfect_and_broken_maps():
    """Labels made from the detections themselves: AP50 is high, and falls when the maps are shifted."""
    rng = np.random.default_rng(0)
    maps = rng.normal(0, 1, (4, 7, 5, 5)).astype(np.float32)
    maps[:, 4:] *= 4
    found = detection.predict(torch.from_numpy(maps))
    targets = [{"boxes": d["boxes"], "labels": d["labels"]} for d in found]
    assert sum(len(t["labels"]) for t in targets) > 10
    quality = average_precision(list(range(4)), targets, "head")
    best = quality(lambda i: SimpleNamespace(readout=lambda name: maps[i]))
    assert best == detection.score(found, targets)["ap50"] > 0.7
    assert quality(lambda i: SimpleNamespace(readout=lambda name: np.roll(maps[i], 2, 2))) < best / 2


def test_agreement_counts_places():
    quality = agreement([np.zeros(1)])
    maps = np.zeros((3, 4, 5), np.int32)
    maps[1] = 1

    def run(outputs):
        return lambda _: SimpleNamespace(classes=None, outputs={"head": outputs}, spikes={})

    assert quality(run(maps)) == 1
    other = maps.copy()
    other[2, :2] = 9
    assert quality(run(other)) == 0.5


def test_command(image, tmp_path, capsys):
    path = image.save(tmp_path / "image.safetensors")
    out = tmp_path / "out"
    arguments = ["report", "faults", str(path), "--images", "2", "--seeds", "1", "--rates", "1e-4 1e-2"]
    assert main([*arguments, "--protections", "none line", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "pages uncorrectable" in said
    content = json.loads((out / "faults.json").read_text())
    assert {run["protection"] for run in content["runs"]} == {"none", "line"}
    assert len(content["expected"]) == 2
    assert (out / "faults.png").stat().st_size > 10_000
    assert main([*arguments[:-1], "a"]) == 1
    assert "rates must be numbers separated by spaces, got 'a'" in capsys.readouterr().err

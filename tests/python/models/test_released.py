"""Checkpoints in the released layout: the family is found, the network computes what the file does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lampyris import models, nn

sys.path.insert(0, str(Path(__file__).parent))

import released_layout

KEYS = [key for key in models.RESNETS if key != ("lite", 34, None)]  # not shipped


def written(path, model, **content):
    with released_layout.as_their_modules():
        torch.save({"epoch": 3, "model": model, "ema": None, "updates": 7, **content}, path)
    return path


def image(size=64):
    return torch.randint(0, 256, (1, 3, size, size), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("key", KEYS)
def test_the_family_is_found_and_computes_the_same(tmp_path, key):
    source = released_layout.random_model(*key, classes=2)
    model, report = models.import_released(written(tmp_path / "best.pt", source), time_steps=2)
    assert (report.family, report.depth, report.variant) == key
    assert report.num_classes == report.file_classes == 2 and not report.fresh
    state = source.state_dict()
    assert {name for name, _ in report.matched} | {name for name, _ in report.dropped} == set(state)
    assert all(
        name.endswith(("num_batches_tracked", ".anchors")) for name, _ in report.dropped
    )  # anchor_grid gives them in pixels
    assert len({name for _, name in report.matched}) == len(report.matched)
    targets = {n for n, _ in model.named_parameters()} | {n for n in model.state_dict() if "running" in n}
    assert {name for _, name in report.matched} == targets | {"anchors"}
    assert model.anchors.tolist() == released_layout.ANCHORS
    # float64: a spike decided by the last bit of a float32 sum would change everything behind it
    source, model = source.double(), model.double()
    with torch.no_grad():
        for expected, got in zip(source(image(), 2), model(image()), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)  # 256/255 is rounded to float32


def test_half_precision_and_the_average_come_first(tmp_path):
    source = released_layout.random_model("lite", 10, None, classes=2)
    other = released_layout.Model("lite", 10, None, 2)
    path = written(tmp_path / "last.pt", other, ema=source.half())
    model, _ = models.import_released(path)
    expected = source.model[1].residual_function[1].weight.float()
    assert torch.equal(model.stages[0][0].branch[0].conv.weight, expected)
    assert model.stem.conv.weight.dtype == torch.float32


def test_state_dicts_and_safetensors(tmp_path):
    source = released_layout.random_model("lite", 10, None, classes=2).state_dict()
    torch.save(source, tmp_path / "a.pt")
    torch.save({"state_dict": {f"module.{n}": v for n, v in source.items()}}, tmp_path / "b.pt")
    save_file({n: v.contiguous() for n, v in source.items()}, tmp_path / "c.safetensors")
    first = models.import_released(source)[0].state_dict()
    for name in ("a.pt", "b.pt"):
        again = models.import_released(tmp_path / name)[0].state_dict()
        assert all(torch.equal(first[n], again[n]) for n in first)
    assert set(models.read_released(tmp_path / "c.safetensors")) == set(source)


def test_another_number_of_classes(tmp_path):
    source = released_layout.random_model("lite", 10, None, classes=4)
    torch.manual_seed(3)
    model, report = models.import_released(source.state_dict(), num_classes=2)
    assert (report.file_classes, report.num_classes, model.num_classes) == (4, 2, 2)
    last = len(source.model) - 1
    rows = "rows of 4 classes for each of 3 anchors"
    expected = {f"model.{last}.m.{i}.{leaf}" for i in (0, 1) for leaf in ("weight", "bias")}
    assert {name for name, why in report.dropped if why == rows} == expected
    assert {name for name, _ in report.fresh} == {
        f"head.outputs.{i}.out.{leaf}" for i in (0, 1) for leaf in ("weight", "bias")
    }
    ours = model.head.outputs[1].out.weight.view(3, 7, 512)
    theirs = source.model[last].m[1].weight.view(3, 9, 512)
    assert torch.equal(ours[:, :5], theirs[:, :5])
    assert not torch.equal(ours[:, 5:], theirs[:, 5:7])


@pytest.mark.parametrize(
    "key, layer", [(("wide", 18, None), "head.coarse"), (("lite", 10, None), "head.top.shortcut.lif")]
)
def test_make_spiking(key, layer):
    source = released_layout.random_model(*key, classes=2).state_dict()
    model, report = models.import_released(source, make_spiking=True)
    plain, _ = models.import_released(source)
    assert model.options["full_spike"] and not plain.options["full_spike"]
    assert not [m for m in model.modules() if isinstance(m, nn.SiLUMembrane)]
    changed = dict(report.changed)
    assert layer in changed and "neuron before the convolution" in changed[layer]
    assert "head.outputs.0.lif" in changed
    ours = sorted(float(p.detach().sum()) for p in model.parameters())
    assert ours == sorted(float(p.detach().sum()) for p in plain.parameters())


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    source = released_layout.random_model("lite", 10, None, classes=2)
    mark = tmp_path / "ran"
    path = written(tmp_path / "bad.pt", source, optimizer=Bomb(mark))
    model, _ = models.import_released(path)
    assert not mark.exists() and model.num_classes == 2


def test_broken_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        models.import_released(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"text.pt is not a readable checkpoint"):
        models.import_released(tmp_path / "text.pt")
    source = released_layout.random_model("lite", 10, None, classes=2)
    data = written(tmp_path / "good.pt", source).read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 30):
        (tmp_path / "cut.pt").write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"cut.pt is not a readable checkpoint"):
            models.import_released(tmp_path / "cut.pt")
    torch.save({"epoch": 1}, tmp_path / "empty.pt")
    with pytest.raises(ValueError, match="must hold a model under ema, model, state_dict"):
        models.import_released(tmp_path / "empty.pt")


def test_what_does_not_fit_is_named():
    state = released_layout.random_model("lite", 10, None, classes=2).state_dict()
    with pytest.raises(ValueError, match=r"wide 10: stem\.conv must find .*\[64, 3, 7, 7\]"):
        models.import_released(state, family="wide", depth=10)
    name = "model.2.residual_function.1.weight"
    with pytest.raises(ValueError, match=r"lite 10: stages\.1\.0\.branch\.0\.conv must .*\[64, 64, 3, 3\]"):
        models.import_released({**state, name: state[name][:, :3]})
    with pytest.raises(ValueError, match=r"lite 18: must have 14 layers with weights, got 10"):
        models.import_released(state, family="lite", depth=18)


def test_command(tmp_path, capsys):
    import json

    from lampyris.cli import main
    from lampyris.tasks import detection

    source = released_layout.random_model("wide", 18, None, classes=3)
    path = written(tmp_path / "best.pt", source)
    arguments = [
        "--out",
        str(tmp_path / "a.ckpt"),
        "--report",
        str(tmp_path / "a.json"),
        "--num_classes",
        "2",
    ]
    assert main(["import", str(path), *arguments, "--make_spiking"]) == 0
    assert "dropped" in capsys.readouterr().out
    model, detector = detection.load_model(tmp_path / "a.ckpt")
    assert model.options["full_spike"] and model.num_classes == 2
    assert detector["class_names"] == ["0", "1"]
    lists = json.loads((tmp_path / "a.json").read_text())
    assert lists["family"] == "wide" and len(lists["fresh"]) == 4
    assert main(["import", str(tmp_path / "none.pt")]) != 0

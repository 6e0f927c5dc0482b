"""The first difference from Python: against a folder, another run and a run without some maps."""

from __future__ import annotations

import numpy as np
import pytest

from lampyris import firefly


def network(bias=0):
    rng = np.random.default_rng(4)
    program = firefly.Program(16, 3)
    x = program.input("stem", channels=5, height=4, width=6)
    s = program.neuron("a/lif", x, threshold=40, leak="before", k=2)
    offset = np.zeros(20, np.int16)
    offset[18] = bias
    weight = rng.integers(-99, 100, (20, 5, 3, 3)).astype(np.int8)
    s = program.conv("conv", s, weight, offset, neuron=firefly.Neuron("lif", 60))
    program.output("head", s, rng.integers(-99, 100, (3, 20, 1, 1)).astype(np.int8), np.zeros(3, np.int16))
    program.host_stem(
        "stem",
        rng.integers(-60, 61, (5, 2, 3, 3)).astype(np.int8),
        np.zeros(5, np.int32),
        stride=1,
        padding=1,
        shift=6,
        input_shape=(2, 4, 6),
        exponent=8,
    )
    return program.build()


@pytest.fixture(scope="module")
def runs():
    frame = np.random.default_rng(5).integers(0, 256, (2, 4, 6), dtype=np.uint8)
    driver = firefly.Driver(firefly.Device(trace=True))
    images = [network(), network(bias=7)]
    return frame, images, [driver.run(image, frame) for image in images]


def test_a_bias(runs):
    frame, images, (run, other) = runs
    found = firefly.first_difference(images[1], other, run, names=("device", "reference"), inputs=frame)
    assert (found.layer, found.quantity, found.name) == ("conv", "stream", "conv")
    assert (found.time_step, found.tile, found.pixel, found.channel) == (0, 1, (0, 0), 18)
    assert found.values["device"] - found.values["reference"] == found.operands["bias"] == 7
    assert found.operands["value"] == found.values["device"]
    assert str(found).startswith(
        'conv: stream "conv" differs at t 0, tile 1, pixel (y, x) (0, 0), channel 18: '
    )
    assert "these operands give" in str(found)


def test_a_folder_and_a_run_without_trace(runs, tmp_path):
    frame, images, (run, _) = runs
    firefly.save_trace(tmp_path, run, frame)
    folder = firefly.FolderTrace(tmp_path)
    assert set(folder.spikes) == {"a/lif", "lif"}
    assert firefly.compare_runs(images[0], run, folder).equal
    bare = firefly.Driver(firefly.Device()).run(images[0], frame)
    comparison = firefly.compare_runs(images[0], bare, folder, names=("board", "model"))
    assert comparison.equal and comparison.values > 1000
    assert 'membrane "lif"' in comparison.missing["board"]


def test_explain_the_stem(runs):
    frame, images, (run, _) = runs
    value = run.streams["stem"][0, 3, 2, 5]
    found = firefly.explain(images[0], run, "stream", "stem", channel=3, pixel=(2, 5), inputs=frame)
    assert found["value"] == value and len(found["products"]) == 2 * 3 * 2
    lost = firefly.explain(images[0], run, "stream", "stem", channel=3, pixel=(2, 5))
    assert lost["value"] is None and lost["missing"] == 'input "stem"'


def test_errors(runs, tmp_path):
    _, images, (run, _) = runs
    with pytest.raises(ValueError, match='plan must give spikes "nothing"'):
        firefly.explain(images[0], run, "spikes", "nothing")
    with pytest.raises(ValueError, match="maps in common"):
        firefly.first_difference(images[0], run, object())
    with pytest.raises(FileNotFoundError):
        firefly.FolderTrace(tmp_path / "none")
    (tmp_path / "spikes").mkdir()
    np.save(tmp_path / "spikes" / "lif.npy", np.zeros((1, 1, 1, 1), bool))
    with pytest.raises(ValueError, match='spikes "lif" must have one shape'):
        firefly.first_difference(images[0], run, firefly.FolderTrace(tmp_path))

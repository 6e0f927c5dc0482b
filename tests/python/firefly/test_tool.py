"""firefly-sim: tables, JSON, kept runs, comparison, waves, errors and exit statuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import firefly_model as model
import numpy as np
import pytest
import vcd_reader

from lampyris import firefly

TOOL = Path(__file__).parents[3] / "build" / "firefly-sim"


@pytest.fixture(scope="module")
def tool():
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is not built")

    def run(*arguments, status=0):
        done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stdout if status in (0, 3) else done.stderr

    return run


def ems_program(bias=0):
    rng = np.random.default_rng(8)
    program = firefly.Program(16, 3)
    x = program.input("stem", channels=12, height=6, width=8)
    s = program.neuron("lif0", x, threshold=40, leak="before", k=2)
    w = rng.integers(-99, 100, (20, 12, 3, 3)).astype(np.int8)
    offset = rng.integers(-50, 50, 20).astype(np.int16)
    offset[17] += bias
    s = program.conv("c1", s, w, offset, neuron=firefly.Neuron("n1", list(range(50, 70)), "half_after"))
    program.output("head", s, rng.integers(-99, 100, (7, 20, 1, 1)).astype(np.int8), np.zeros(7, np.int16))
    stem = rng.integers(-60, 61, (12, 3, 3, 3)).astype(np.int8)
    place = {"stride": 1, "padding": 1, "shift": 6, "input_shape": (3, 6, 8), "exponent": 8}
    program.host_stem("stem", stem, np.zeros(12, np.int32), **place)
    program.host_output("head", step=np.full(7, 2.0**-9), class_names=["a", "b", "c"])
    return program.build()


@pytest.fixture(scope="module")
def ems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ems")
    image, frame = ems_program(), np.random.default_rng(9).integers(0, 256, (3, 6, 8), dtype=np.uint8)
    np.save(folder / "frame.npy", frame)
    result = firefly.Driver(firefly.Device(trace=True)).run(image, frame)
    return image.save(folder / "net.safetensors"), folder / "frame.npy", image, frame, result


@pytest.fixture(scope="module")
def v1(tmp_path_factory):
    folder = tmp_path_factory.mktemp("v1")
    rng = np.random.default_rng(10)
    weight = rng.integers(-60, 61, (20, 40, 3, 3)).astype(np.int8)
    bias = rng.integers(-60, 61, 20).astype(np.int16)
    layer = firefly.conv(weight, bias, threshold=300, leak="half_after")
    image = firefly.build([layer], input_shape=(3, 40, 4, 8))
    spikes = rng.random((3, 40, 4, 8)) < 0.3
    np.save(folder / "spikes.npy", spikes)
    result = firefly.Driver(firefly.Device(trace=True)).run(image, spikes)
    return image.save(folder / "net.safetensors"), folder / "spikes.npy", weight, bias, spikes, result


def test_table_and_json(tool, ems):
    path, frame, image, _, result = ems
    text = tool(path, frame, "--preset", "kv260")
    assert "lif0" in text and "output head: int32 [7, 6, 8] in [" in text and "kv260" in text
    report = json.loads(tool(path, frame, "--json", "--preset=kv260"))
    timing = firefly.timing(image, "kv260")
    assert report["preset"] == "kv260" and report["cores"] == 2
    assert [layer["name"] for layer in report["layers"]] == [layer["name"] for layer in image.plan["layers"]]
    assert report["frames_per_second"] == pytest.approx(timing.frames_per_second)
    assert report["layers"][1]["rate"] == pytest.approx(result.spikes["n1"].mean())
    head = report["outputs"][0]
    assert (head["low"], head["high"]) == (result.outputs["head"].min(), result.outputs["head"].max())
    assert report["compare"] is None and report["class"] is None
    assert json.loads(tool(path, "--json"))["layers"], "a made-up frame"


def test_kept_runs(tool, ems, tmp_path):
    path, frame, image, pixels, result = ems
    report = json.loads(tool(path, frame, "--json", "--out", tmp_path / "run"))
    assert report["out"] == str(tmp_path / "run")
    run = firefly.FolderTrace(tmp_path / "run")
    assert (run.input == pixels[None]).all()
    for kind in ("spikes", "streams", "membranes"):
        ours, theirs = getattr(run, kind), getattr(result, kind)
        assert set(ours) == set(theirs)
        assert all(
            (ours[name] == theirs[name]).all() and ours[name].dtype == theirs[name].dtype for name in ours
        )
    assert (run.outputs["head"][0] == result.outputs["head"]).all()
    assert firefly.compare_runs(image, result, run).equal


def test_compare(tool, ems, tmp_path):
    path, frame, *_ = ems
    tool(path, frame, "--out", tmp_path / "run")
    assert "0 differences of " in tool(path, frame, "--compare", tmp_path / "run")
    other = ems_program(bias=9).save(tmp_path / "other.safetensors")
    text = tool(other, frame, "--compare", tmp_path / "run", status=3)
    assert 'c1: stream "c1" differs at t 0, tile 1, pixel (y, x) (0, 0), channel 17: here ' in text
    first = json.loads(tool(other, frame, "--json", "--compare", tmp_path / "run", status=3))["compare"][
        "first"
    ]
    assert (first["layer"], first["time_step"], first["tile"], first["channel"]) == ("c1", 0, 1, 17)
    assert first["values"]["here"] - first["values"]["there"] == 9
    assert first["operands"]["value"] == first["values"]["here"]


def test_wave_of_v1(tool, v1, tmp_path):
    path, spikes_file, weight, bias, spikes, result = v1
    tool(path, spikes_file, "--trace", "0:1:2", "--vcd", tmp_path / "wave.vcd")
    scopes, bits, frames = vcd_reader.read_vcd((tmp_path / "wave.vcd").read_text())
    assert scopes == ["firefly", "layer0"]
    assert bits["fired"] == 16 and bits["tile_sum_00"] == 16 and bits["psum_membrane_15"] == 18
    states = vcd_reader.clocks(frames)
    assert len(states) == 3 * 4 * 8  # input tiles of 16 channels, pixels
    psum = np.zeros((16, 4, 8), np.int64)
    psum[:4] = result.membranes[0][1, 16:]
    for tile in range(3):
        part = slice(16 * tile, min(16 * tile + 16, 40))
        sums = model.conv_sum(spikes[2:3, part], weight[16:, part])[0]
        for y in range(4):
            for x in range(8):
                state = states[(tile * 4 + y) * 8 + x]
                assert (state["output_tile"], state["pixel"]) == (tile, y * 8 + x)
                assert (vcd_reader.lanes(state, "tile_sum", 16, 16)[:4] == sums[:, y, x]).all()
                word = sum(int(s) << i for i, s in enumerate(spikes[2, part, y, x]))
                assert state["spikes_tap11"] == word
                psum[:4, y, x] += sums[:, y, x] + (bias[16:] if tile == 2 else 0)
                v = vcd_reader.lanes(state, "psum_membrane", 16, 18)[:4]
                if tile < 2:
                    assert (v == psum[:4, y, x]).all() and state["last_tile"] == 0
                    continue
                assert (v == result.membranes[0][2, 16:, y, x]).all() and state["last_tile"] == 1
                assert (vcd_reader.lanes(state, "compared", 16, 18)[:4] == psum[:4, y, x] >> 1).all()
                fired = [state["fired"] >> lane & 1 for lane in range(4)]
                assert fired == result.spikes[0][2, 16:, y, x].astype(int).tolist()
                assert (vcd_reader.lanes(state, "threshold", 16, 18) == 300).all()


@pytest.mark.parametrize("place", ["c1:1:2", "lif0:0:1", "2:0:2"])
def test_wave_of_ems(tool, ems, tmp_path, place):
    path, frame, *_, result = ems
    tool(path, frame, f"--trace={place}", "--vcd", tmp_path / "wave.vcd")
    _, _, frames = vcd_reader.read_vcd((tmp_path / "wave.vcd").read_text())
    states = [state for state in vcd_reader.clocks(frames) if state["last_tile"] == 1]
    tile, t = map(int, place.split(":")[1:])
    channels = {"c1:1:2": 4, "lif0:0:1": 12, "2:0:2": 7}[place]
    part = slice(16 * tile, 16 * tile + channels)
    assert len(states) == 48
    for pixel, state in enumerate(states):
        y, x = divmod(pixel, 8)
        current = vcd_reader.lanes(state, "current", 16, 32)[:channels]
        if place.startswith("2"):
            assert (current == result.outputs["head"][:, y, x]).all()
            continue
        name, stream = ("n1", "c1") if tile else ("lif0", "stem")
        streams = result.streams[stream]
        assert (current == streams[t if len(streams) > 1 else 0, part, y, x]).all()
        fired = [state["fired"] >> lane & 1 for lane in range(channels)]
        assert fired == result.spikes[name][t, part, y, x].astype(int).tolist()
        after = vcd_reader.lanes(state, "membrane", 16, 18)[:channels]
        assert (after == result.membranes[name][t, part, y, x]).all()
        compared = vcd_reader.lanes(state, "compared", 16, 18)[:channels]
        theta = vcd_reader.lanes(state, "threshold", 16, 18)[:channels]
        assert ((compared > theta) == np.array(fired, bool)).all()
        if tile:
            assert theta.tolist() == list(range(66, 70))


@pytest.mark.parametrize("datapath", ["cascade", "tree"])
def test_wave_of_a_clocked_array(tool, v1, ems, tmp_path, datapath):
    for (path, frame), place in ((v1[:2], "0:1:2"), (ems[:2], "c1:1:2")):
        waves = {}
        for kind in ("functional", datapath):
            tool(path, frame, "--trace", place, "--vcd", tmp_path / kind, "--datapath", kind)
            _, bits, frames = vcd_reader.read_vcd((tmp_path / kind).read_text())
            waves[kind] = vcd_reader.clocks(frames)
        plain, clocked = waves["functional"], waves[datapath]
        assert len(clocked) > len(plain)  # the array's latency, the reload of every tile
        assert clocked[0]["input_valid"] == 1 and clocked[0]["sum_valid"] == 0
        sums = [name for name in bits if name.startswith("tile_sum")]
        membranes = [name for name in bits if "membrane" in name or name == "fired"]
        for valid, names in (
            ("input_valid", ["input_tile", "input_pixel", *(n for n in bits if n.startswith("spikes_tap"))]),
            ("sum_valid", sums),
            ("output_valid", ["output_tile", "pixel", "last_tile"]),
        ):
            ours, theirs = (
                [[state[name] for name in names] for state in wave if state[valid] == 1]
                for wave in (clocked, plain)
            )
            assert ours == theirs
        done = [
            [state[n] for n in membranes] for state in clocked if state["output_valid"] and state["last_tile"]
        ]
        assert done == [[state[name] for name in membranes] for state in plain if state["last_tile"]]


def test_config(tool, ems, tmp_path):
    path, frame, image, *_ = ems
    config = firefly.Config.preset_of("zcu104", parallelism=16, clock_hz=200e6)
    (tmp_path / "config.json").write_text(config.to_json())
    report = json.loads(tool(path, frame, "--json", "--config", tmp_path / "config.json"))
    assert report["clock_hz"] == 200e6
    assert report["frames_per_second"] == pytest.approx(firefly.timing(image, config).frames_per_second)
    (tmp_path / "config.json").write_text('{"preset": "zcu104", "parallelism": 16, "speed": 3}')
    assert 'got "speed"' in tool(path, "--config", tmp_path / "config.json", status=1)
    assert "not be given together" in tool(path, "--config", "x", "--preset", "kv260", status=2)


def test_progress(tool, tmp_path):
    layer = firefly.conv(np.ones((64, 64, 3, 3), np.int8), np.zeros(64, np.int16), threshold=300)
    path = firefly.build([layer], input_shape=(4, 64, 32, 32)).save(tmp_path / "net.safetensors")
    command = [TOOL, path, "--datapath", "cascade", "--progress"]
    often = subprocess.run([*command, "0.001"], capture_output=True, text=True, check=True)
    assert "firefly-sim: 0 s, command 1 of 1, layer layer0\n" in often.stderr
    assert not subprocess.run([*command, "0"], capture_output=True, text=True, check=True).stderr
    assert "must be followed by seconds" in tool(path, "--progress", "often", status=2)


def test_boxes(tool, ems):
    path, frame, _, _, result = ems
    report = json.loads(tool(path, frame, "--json"))
    maps = result.readout("head")
    best = max(report["boxes"], key=lambda box: box["score"])
    assert best["score"] == pytest.approx(1 / (1 + np.exp(-maps[4:].max())))
    assert "boxes" in tool(path, frame)


def test_refuses(tool, ems, tmp_path):
    path, frame, *_ = ems
    np.save(tmp_path / "frame.npy", np.zeros((2, 2), np.float32))
    (tmp_path / "broken").write_bytes(b"x" * 200)
    cases = [
        ((), 2, "IMAGE must be given"),
        (("--color",), 2, "option must be one of --preset, "),
        ((path, "--preset"), 2, "--preset must be followed by a board, got nothing"),
        ((path, frame, "more"), 2, "one more, more"),
        ((tmp_path / "missing",), 1, "missing"),
        ((tmp_path / "broken",), 1, "weight image"),
        ((path, tmp_path / "frame.npy"), 1, "npy: array must be uint8, bool, int16 or int32"),
        ((path, frame, "--preset", "moon"), 1, "preset must be"),
        ((path, frame, "--datapath", "quantum"), 1, "datapath must be"),
        ((path, frame, "--trace", "c1"), 1, "place must be LAYER:TILE:T"),
        ((path, frame, "--trace", "c9:0:0"), 1, "one of lif0, c1, head"),
        ((path, frame, "--trace", "c1:2:0"), 1, "got tile 2 of 2 and t 0 of 3"),
        ((path, frame, "--compare", tmp_path / "none"), 1, "none"),
    ]
    for arguments, status, message in cases:
        error = tool(*arguments, status=status)
        assert error.startswith("firefly-sim: error: ") and error.count("\n") == 1 and message in error, error
    assert "exit status" in tool("--help")


def test_repaired_images(tool, ems, tmp_path):
    image, frame = ems_program().protect("row"), np.zeros((3, 6, 8), np.uint8)
    np.save(tmp_path / "frame.npy", frame)
    path = image.save(tmp_path / "image.safetensors")
    kept = tool(path, tmp_path / "frame.npy", "--strict", "--progress", "0")
    data = bytearray(path.read_bytes())
    data[8 + int.from_bytes(data[:8], "little") + 3] ^= 1
    path.write_bytes(data)
    assert "expected no wrong bits, got 1 on 1 pages" in tool(path, "--strict", status=1)
    done = subprocess.run(
        [TOOL, path, tmp_path / "frame.npy", "--progress", "0"], capture_output=True, text=True
    )
    assert done.stderr == "firefly-sim: corrected 1 wrong bits on 1 pages of layer.000.registers\n"
    assert done.stdout.splitlines()[:6] == kept.splitlines()[:6]

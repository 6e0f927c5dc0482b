"""Regions, their graph, segments, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from lampyris.cli import main
from lampyris.tasks.graph import segmentation_task
from lampyris.tasks.graph.regions import grow_regions, region_graph
from lampyris.tasks.graph.segmentation import load_picture, normalised_cut


def stripes() -> tuple[np.ndarray, np.ndarray]:
    picture = np.zeros((12, 30, 3))
    for number, shade in enumerate((0.1, 0.2, 0.9)):
        picture[:, 10 * number : 10 * number + 10] = shade
    return picture, np.repeat(np.arange(3), 10)[None].repeat(12, 0)


def test_stripes_are_regions():
    picture, truth = stripes()
    assert np.array_equal(grow_regions(picture, scale=5, sigma=0, smallest=1), truth)
    # A large scale joins the two alike, a minimum size all.
    assert grow_regions(picture, scale=6000, sigma=0, smallest=1).max() == 1
    assert grow_regions(picture, scale=5, sigma=0, smallest=130).max() <= 1
    assert np.array_equal(grow_regions((picture * 255).round().astype(np.uint8), 5, 0, 1), truth)


def test_every_region_is_connected_and_large_enough():
    from scipy.ndimage import label

    picture, _ = load_picture("shapes")
    regions = grow_regions(picture, 100, 1, 50)
    for number in range(regions.max() + 1):
        here = regions == number
        assert here.sum() >= 50
        assert label(here, np.ones((3, 3)))[1] == 1


def test_region_graph_by_hand():
    picture, truth = stripes()
    graph = region_graph(picture, truth, softness=0.1)
    assert graph.edge_index.tolist() == [[1, 0, 2, 1], [0, 1, 1, 2]]
    apart = 0.1 * 3**0.5  # distance of the first two shades
    # float32 keeps seven digits; black beside white stands on the floor of 1e-4
    wanted = [np.exp(-0.5 * (apart / 0.1) ** 2)] * 2 + [1e-4] * 2
    assert np.allclose(graph.weight, wanted, rtol=1e-5)
    assert graph.pixels.tolist() == [120] * 3 and graph.centres[0].tolist() == [4.5, 5.5]
    # One segment for the first two: the cut is the leaving weight over what each side has.
    w, far = wanted[0], wanted[2]
    cut = normalised_cut(graph, np.array([0, 0, 1]))
    assert cut == pytest.approx(far / (2 * w + far) + 1.0, rel=1e-5)
    assert normalised_cut(graph, np.zeros(3, np.int64)) == 0


def test_one_region_has_no_edges():
    graph = region_graph(np.zeros((3, 4, 3)), np.zeros((3, 4), np.int64))
    assert graph.edge_index.shape == (2, 0) and graph.weight.shape == (0,)


def test_bad_pictures_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"picture must be \[H, W, 3\], got \[4, 4\]"):
        grow_regions(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="scale must be > 0"):
        grow_regions(np.zeros((4, 4, 3)), scale=0)
    with pytest.raises(ValueError, match=r"regions must be \[3, 4\]"):
        region_graph(np.zeros((3, 4, 3)), np.zeros((4, 4), np.int64))
    with pytest.raises(ValueError, match=r"or a file, got 'nothing\.png'"):
        load_picture("nothing.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match="must be a picture"):
        load_picture(str(tmp_path / "text.png"))
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    with pytest.raises(ValueError, match=r"red\.png must have more than 4 regions, got 1"):
        segmentation_task([str(tmp_path / "red.png")])


def test_segments_of_a_file(tmp_path):
    picture, _ = load_picture("shapes")
    Image.fromarray((255 * picture).astype(np.uint8)).save(tmp_path / "drawn.png")
    results, drawn = segmentation_task(
        [str(tmp_path / "drawn.png")], ["spectral", "k-means"], seeds=1, workers=1
    )
    shown, regions, runs = drawn["drawn"]
    assert shown.shape == (120, 160, 3) and regions.shape == (120, 160)
    assert runs["spectral"].labels.shape == (regions.max() + 1,)
    assert results.mean("drawn", "spectral") < results.mean("drawn", "k-means")


def test_command(tmp_path, capsys):
    assert main(["graph", "segmentation", "--quick", "--folder", str(tmp_path)]) == 0
    assert "normalised cut" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    scores = figures["explained_colour_variance_and_nmi"]["shapes"]
    assert scores["spectral"]["nmi"][0] > 0.8
    assert (tmp_path / "segments.png").read_bytes().startswith(b"\x89PNG")

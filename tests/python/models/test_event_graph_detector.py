"""The event-graph detector: shapes, costs, moved recordings, gradients, errors."""

from __future__ import annotations

import doctest

import pytest
import torch

from lampyris.models import EventGraphDetector, event_graph_detector


def events(sizes=(150, 90), seed=0):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randint(8, 24, (2, sum(sizes)), generator=g)
    t = torch.cat([torch.randint(200_000, (n,), generator=g).sort().values for n in sizes])
    polarity = torch.randint(2, (sum(sizes),), generator=g)
    return x, y, t, polarity, torch.tensor([0, *sizes]).cumsum(0)


def detector(**options):
    torch.manual_seed(0)
    return EventGraphDetector(2, height=32, width=40, channels=6, clusters=4, **options)


@pytest.mark.parametrize("proposals", ["mincut", "grid"])
def test_every_parameter_learns(proposals):
    model = detector(proposals=proposals)
    out = model(*events())
    assert out.boxes.shape == (2, 4, 4) and out.logits.shape == (2, 4, 2) and out.valid.shape == (2, 4)
    assert (out.boxes[..., 2:] > out.boxes[..., :2]).all()
    assert set(out.losses) == ({"cut_loss", "ortho_loss"} if proposals == "mincut" else set())
    torch.testing.assert_close(out.moments.mass.sum(1), torch.tensor([150.0, 90.0]))
    (out.boxes.square().mean() + out.logits.square().mean() + sum(out.losses.values())).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still


def test_recordings_of_a_batch_do_not_mix():
    model = detector().eval()
    x, y, t, polarity, ptr = events()
    with torch.no_grad():
        both = model(x, y, t, polarity, ptr)
        for b in range(2):
            part = slice(*ptr[b : b + 2].tolist())
            alone = model(
                x[part], y[part], t[part], polarity[part], torch.tensor([0, part.stop - part.start])
            )
            # Sums of a hundred float32 in another order.
            torch.testing.assert_close(both.boxes[b], alone.boxes[0], rtol=1e-3, atol=1e-2)


def test_costs_are_counted():
    model = detector().eval()
    out = model(*events())
    figures = out.figures
    assert figures.events == 240 and figures.largest_degree == 8
    assert figures.edges == figures.messages / 2 and figures.voxels == len(out.voxels.x)
    assert figures.accumulates >= figures.messages * 6 and figures.spikes > 0
    early = detector(early_exit=True).eval()
    assert early(*events()).figures.messages <= figures.messages


def test_clusters_are_set_apart():
    model = detector().eval()
    before = model(*events()).assignment
    model.break_symmetry(*events())
    after = model(*events()).assignment
    assert after.max(1).values.mean() > before.max(1).values.mean() + 0.1


def test_no_event_gives_no_box():
    none = torch.empty(0, dtype=torch.int64)
    out = detector(proposals="grid").eval()(none, none, none, none, torch.tensor([0, 0]))
    assert not out.valid.any() and torch.isfinite(out.boxes).all()


def test_errors():
    with pytest.raises(ValueError, match="proposals must be mincut or grid, got 'x'"):
        detector(proposals="x")
    with pytest.raises(ValueError, match="a square for the grid, got 5"):
        EventGraphDetector(2, height=32, width=32, clusters=5, proposals="grid")
    with pytest.raises(ValueError, match="order must be one of"):
        detector(order="x")


def test_docstring_example():
    assert doctest.testmod(event_graph_detector).failed == 0

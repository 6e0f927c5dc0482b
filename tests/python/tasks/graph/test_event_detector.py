"""Targets, decoding, training and the ablation of the event-graph detector."""

from __future__ import annotations

import doctest
import math

import pytest
import torch

from lampyris import data
from lampyris.models import EventGraphDetector
from lampyris.tasks.graph import event_ablation, event_detector
from lampyris.tasks.graph.event_detector import EventRecipe, assign, decode, detection_loss, evaluate, train


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data.order_events(tmp_path_factory.mktemp("sets") / "events", train=24, val=2, test=6)


def outcome(model, windows):
    batch = data.batch_events(windows)
    return model(batch.x, batch.y, batch.t, batch.polarity, batch.recording_ptr), batch.targets


def test_assignment_by_hand():
    boxes = torch.tensor([[0.0, 0, 20, 20], [5, 5, 9, 9], [50, 50, 60, 60]])
    centre = torch.tensor([[6.0, 6], [15, 15], [30, 30], [40, 40], [55, 10]])
    # inside both: the smaller; inside one; nobody's; nearest to the third; not valid
    valid = torch.tensor([True, True, True, True, False])
    assert assign(centre, valid, boxes).tolist() == [1, 0, -1, 2, -1]
    assert assign(centre, torch.zeros(5, dtype=torch.bool), boxes).tolist() == [-1] * 5
    assert assign(centre, valid, boxes[:0]).tolist() == [-1] * 5


def test_a_perfect_detector_has_no_box_loss_and_full_precision(root):
    windows = data.event_windows(root, "test", max_events=50)
    model = EventGraphDetector(2, height=64, width=64, channels=4, clusters=4, proposals="grid").eval()
    with torch.no_grad():
        out, targets = outcome(model, windows)
    out.logits.fill_(-20)
    for b, target in enumerate(targets):
        owner = assign(out.moments.centre[b], out.valid[b], target["boxes"])
        for k in (owner >= 0).nonzero()[:, 0].tolist():
            out.boxes[b, k] = target["boxes"][owner[k]]
            out.logits[b, k, target["labels"][owner[k]]] = 20
    _, parts = detection_loss(out, targets, EventRecipe())
    assert parts["box"] == pytest.approx(0, abs=1e-6) and parts["class"] == pytest.approx(0, abs=1e-6)
    found = decode(out)
    for one, target in zip(found, targets, strict=True):
        order = [int((one["boxes"] == box).all(1).nonzero()[0, 0]) for box in target["boxes"]]
        assert len(one["boxes"]) == len(target["boxes"])
        assert one["labels"][order].tolist() == target["labels"].tolist()


def test_decoding_leaves_out_empty_clusters_and_doubles(root):
    model = EventGraphDetector(2, height=64, width=64, channels=4, clusters=4, proposals="grid").eval()
    with torch.no_grad():
        out, _ = outcome(model, data.event_windows(root, "test", max_events=50, limit=1))
    out.boxes[:] = torch.tensor([10.0, 10, 30, 30])
    out.logits[:] = torch.tensor([3.0, -20])
    out.valid[:] = True
    assert decode(out)[0]["labels"].tolist() == [0]
    out.valid[:] = False
    assert len(decode(out)[0]["boxes"]) == 0


def test_training_lowers_the_loss_and_repeats(root):
    windows = data.event_windows(root, "train", max_events=80)
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        model = EventGraphDetector(2, height=64, width=64, channels=8, clusters=4)
        runs.append(train(model, windows, EventRecipe(epochs=5, batch_size=8, lr=1e-2)))
    assert runs[0] == runs[1] and runs[0][-1] < 0.9 * runs[0][0]
    figures = evaluate(model, windows)
    assert 0 <= figures["ap50"] <= 1 and figures["largest_degree"] <= 8
    assert 0 < figures["mean_degree"] <= 8 and figures["accumulates_per_event"] > figures["mean_degree"] * 16


def test_a_loss_that_is_not_finite_is_named(root):
    model = EventGraphDetector(2, height=64, width=64, channels=4, clusters=4, proposals="grid")
    with torch.no_grad():
        model.head[-1].bias[4:] = math.nan
    with pytest.raises(ValueError, match="loss must be finite, got nan at step 1"):
        train(model, data.event_windows(root, "train", max_events=20, limit=4))


def test_the_ablation_trains_all_variants(root):
    budget = event_ablation.Budget(str(root), 8, 4, 40, epochs=1, channels=4, clusters=4)
    results, models = event_ablation.event_ablation(seeds=2, budget=budget, workers=1)
    assert set(results.values) == {"AP50", "AP"} and set(models) == set(event_ablation.VARIANTS)
    assert all(len(runs) == 2 for rows in results.values.values() for runs in rows.values())
    assert len(results.notes) == 4 and "time order" in results.notes[0]
    assert results.details["costs"]["learned order"]["mean_degree"] > 0
    assert event_ablation.cost_table(results).row_count == len(models)


def test_verdicts_need_two_standard_errors():
    rows = {"a": [0.5, 0.9, 0.1], "b": [0.4, 0.4, 0.4]}
    found = event_ablation.Results("toy", "", "", values={"AP": rows})
    assert event_ablation.verdict(found, "AP", "a", "b", "a").endswith("two standard errors")
    rows["a"] = [0.3, 0.31, 0.32]
    assert event_ablation.verdict(found, "AP", "a", "b", "a").endswith("worse")


def test_errors():
    with pytest.raises(ValueError, match="variants must be of"):
        event_ablation.event_ablation(["x"])
    with pytest.raises(ValueError, match="seeds must be >= 1"):
        event_ablation.event_ablation(seeds=0)


def test_docstring_examples():
    assert doctest.testmod(event_detector).failed == doctest.testmod(event_ablation).failed == 0

"""The shared loop: best weights, early stop, jobs in processes, splits, results."""

from __future__ import annotations

import json
import math

import pytest
import torch

from lampyris.tasks.graph.results import Results
from lampyris.tasks.graph.training import Recipe, fit, run_jobs, split_nodes


def test_the_weights_of_the_best_score_stay():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    recipe = Recipe(steps=40, lr=0.1, weight_decay=0.0, patience=5)
    # The loss drives w towards 3, validation wants 1: the best step comes on the way.
    result = fit(
        model,
        lambda: (model.weight - 3).square().sum(),
        score=lambda: (model.weight.detach() - 1).abs().item(),
        recipe=recipe,
    )
    assert abs(model.weight.item() - 1) == pytest.approx(result.best_score) and result.best_score < 0.1
    assert result.steps == result.best_step + 5 < 40 and len(result.losses) == result.steps
    assert not model.training


def test_without_a_score_every_step_is_done():
    model = torch.nn.Linear(2, 1)
    seen = []
    result = fit(
        model,
        lambda: model.weight.square().sum(),
        recipe=Recipe(steps=7, decay="cosine", clip=1.0),
        progress=lambda step, loss: seen.append(step),
    )
    assert result.steps == result.best_step == 7 and seen == [1, 2, 3, 4, 5, 6, 7]


def test_wrong_recipes_and_losses_are_named():
    model = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="loss must be finite, got nan at step 1"):
        fit(model, lambda: model.weight.sum() * math.nan)
    with pytest.raises(ValueError, match="steps must be >= 1, got 0"):
        Recipe(steps=0)
    with pytest.raises(ValueError, match="lr must be > 0, got 0"):
        Recipe(lr=0)
    with pytest.raises(ValueError, match="'none' or 'cosine', got 'linear'"):
        Recipe(decay="linear")


def _draw(seed: int) -> float:
    torch.manual_seed(seed)
    return float(torch.randn(1000).sum())


def test_jobs_in_processes_give_what_one_process_gives():
    jobs = [(seed,) for seed in range(3)]
    assert run_jobs(_draw, jobs, workers=1) == run_jobs(_draw, jobs, workers=2)
    with pytest.raises(ValueError, match="workers must be >= 1, got 0"):
        run_jobs(_draw, jobs, workers=0)
    assert run_jobs(_draw, []) == []


@pytest.mark.parametrize("count", [0, 1, 7, 100, 101])
def test_splits_are_disjoint_and_whole(count):
    parts = split_nodes(count, seed=3)
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    assert [p.tolist() for p in parts] == [p.tolist() for p in split_nodes(count, seed=3)]


def test_a_share_of_the_nodes_and_wrong_shares():
    assert [len(p) for p in split_nodes(100, (0.1, 0.2))] == [10, 20]
    with pytest.raises(ValueError, match="add up to at most 1"):
        split_nodes(10, (0.9, 0.2))


def test_results_tell_mean_spread_and_best(tmp_path):
    results = Results("toy", "two runs", "error")
    for value in (1.0, 3.0):
        results.add("a", "GOAT", value)
    results.add("a", "fit", 1.5)
    results.add("b", "fit", math.nan)
    assert results.best("a") == "fit" and results.models() == ["GOAT", "fit"]
    figures, picture = results.write(tmp_path)
    stored = json.loads(figures.read_text())
    assert stored["figures"]["a"]["GOAT"] == {"mean": 2.0, "sd": math.sqrt(2), "runs": [1.0, 3.0]}
    assert picture.read_bytes().startswith(b"\x89PNG")

"""Event-graph detectors side by side: four orders of the neighbours, clusters against the cells of a grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lampyris import data
from lampyris.data import EventWindow
from lampyris.models import EventGraphDetector

from .event_detector import EventRecipe, evaluate, seconds, train
from .results import Results, spread
from .training import run_jobs

__all__ = ["VARIANTS", "Budget", "build", "event_ablation"]

VARIANTS: dict[str, dict[str, Any]] = {
    "learned order": {"order": "learned"},
    "time order": {"order": "time"},
    "distance order": {"order": "distance"},
    "random order": {"order": "random"},
    "learned order, early exit": {"order": "learned", "early_exit": True},
    "learned order, grid proposals": {"order": "learned", "proposals": "grid"},
}
LEARNED, TIME, GRID = "learned order", "time order", "learned order, grid proposals"
COSTS = {
    "accumulates_per_event": "synaptic operations per event",
    "multiplies_per_event": "multiplies per event",
    "mean_degree": "mean degree",
    "largest_degree": "largest degree",
    "spikes_per_neuron_and_message": "spikes per neuron and message",
    "seconds": "training seconds",
}


@dataclass(frozen=True)
class Budget:
    """Size of the experiment.

    Attributes:
        root: Gen1-format folder; None: `data.order_events()`.
        train_windows, test_windows: labels used of each split; None: all.
        max_events: of a window.
        window_us: before each label.
        epochs, channels, clusters: of the detector and its training.
    """

    root: str | None = None
    train_windows: int | None = 600
    test_windows: int | None = None
    max_events: int = 400
    window_us: int = 200_000
    epochs: int = 8
    channels: int = 24
    clusters: int = 16


def windows(budget: Budget, split: str) -> tuple[list[EventWindow], tuple[int, int], tuple[str, ...]]:
    """(windows, height and width of the sensor, class names) of a split."""
    root = data.order_events() if budget.root is None else budget.root
    folder = data.Gen1Folder(root, split)
    limit = budget.train_windows if split == "train" else budget.test_windows
    found = data.event_windows(
        root, split, window_us=budget.window_us, max_events=budget.max_events, limit=limit
    )
    return found, folder.size, folder.class_names


def build(variant: str, budget: Budget, size: tuple[int, int], num_classes: int) -> EventGraphDetector:
    """The detector of a variant; the voxel grid is that of 16 x 16 cells and 4 steps."""
    height, width = size
    return EventGraphDetector(
        num_classes,
        height=height,
        width=width,
        channels=budget.channels,
        clusters=budget.clusters,
        voxel=(max(width // 16, 1), max(height // 16, 1), max(budget.window_us // 4, 1)),
        time_radius=max(budget.window_us // 4, 1),
        window_us=budget.window_us,
        **VARIANTS[variant],
    )


def run(variant: str, seed: int, budget: Budget) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Train one detector and judge it on the test split: (figures, weights)."""
    learn, size, names = windows(budget, "train")
    judge, _, _ = windows(budget, "test")
    torch.manual_seed(seed)
    model = build(variant, budget, size, len(names))
    losses, took = seconds(lambda: train(model, learn, EventRecipe(epochs=budget.epochs), seed=seed))
    figures = evaluate(model, judge) | {"seconds": took, "loss": losses[-1]}
    return figures, model.state_dict()


def event_ablation(
    variants: Sequence[str] | None = None,
    *,
    seeds: int = 3,
    budget: Budget | None = None,
    workers: int | None = None,
    screen: Any = None,
) -> tuple[Results, dict[str, EventGraphDetector]]:
    """Train every variant with every seed; figures are those of the test split.

    Args:
        variants: names of `VARIANTS`; all when None.
        seeds: runs of each, 0 to seeds - 1: weights, random order, order of the windows.
        budget: `Budget()` when None.
        workers: processes, see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        (results with the settings AP50 and AP, the detector of seed 0 of each variant).

    Raises:
        ValueError: an unknown variant, or no seed.
    """
    chosen = list(VARIANTS) if variants is None else list(variants)
    for name in chosen:
        if name not in VARIANTS:
            raise ValueError(f"events: variants must be of {', '.join(VARIANTS)}, got {name!r}")
    if seeds < 1 or not chosen:
        raise ValueError(f"events: seeds must be >= 1 with a variant, got {seeds} seeds of {chosen}")
    budget = budget or Budget()
    jobs = [(variant, seed, budget) for seed in range(seeds) for variant in chosen]
    outcomes = run_jobs(run, jobs, workers=workers, title="event detectors", screen=screen)
    judge, size, names = windows(budget, "test")
    source = "the order-only events" if budget.root is None else os.path.basename(budget.root)
    count = "all" if budget.train_windows is None else str(budget.train_windows)
    results = Results(
        "events",
        f"{source}: {count} training windows of {budget.window_us // 1000} ms, at most {budget.max_events}"
        f" events each, {budget.epochs} epochs, last weights; {len(judge)} test windows, {seeds} seeds,"
        f" K = {budget.clusters}; proposals are minCUT clusters but for the grid",
        "average precision on the test windows",
        better="higher",
    )
    costs: dict[str, dict[str, list[float]]] = {}
    models = {}
    for (variant, seed, _), (figures, weights) in zip(jobs, outcomes, strict=True):
        results.add("AP50", variant, figures["ap50"])
        results.add("AP", variant, figures["ap"])
        for name in COSTS:
            costs.setdefault(variant, {}).setdefault(name, []).append(figures[name])
        if seed == 0:
            model = build(variant, budget, size, len(names)).eval()
            model.load_state_dict(weights)
            models[variant] = model
    results.details["costs"] = {
        variant: {name: spread(runs)[0] for name, runs in rows.items()} for variant, rows in costs.items()
    }
    for better, worse, claim in ((LEARNED, TIME, "learned order"), (LEARNED, GRID, "minCUT proposals")):
        if better in chosen and worse in chosen:
            results.notes += [verdict(results, setting, better, worse, claim) for setting in ("AP50", "AP")]
    return results, models


def verdict(results: Results, setting: str, ours: str, theirs: str, claim: str) -> str:
    """One line: the difference of two rows, run by run, and whether it stands out of its spread.

    Example:
        >>> found = Results("toy", "", "", values={"AP": {"a": [0.5, 0.6, 0.7], "b": [0.3, 0.4, 0.5]}})
        >>> verdict(found, "AP", "a", "b", "a")
        'AP: a against b: +0.200 ± 0.000 (3 paired runs): better'
    """
    pairs = zip(results.values[setting][ours], results.values[setting][theirs], strict=True)
    differences = [mine - other for mine, other in pairs]
    mean, deviation = spread(differences)
    if len(differences) > 1 and abs(mean) > 2 * deviation / len(differences) ** 0.5:
        word = "better" if mean > 0 else "worse"
    else:
        word = "no difference beyond two standard errors"
    count = len(differences)
    return f"{setting}: {claim} against {theirs}: {mean:+.3f} ± {deviation:.3f} ({count} paired runs): {word}"


def cost_table(results: Results):
    """A rich table of what each variant costs."""
    from rich.table import Table

    table = Table(title="cost in the spiking layers, mean over seeds", title_justify="left")
    table.add_column("model")
    for title in COSTS.values():
        table.add_column(title, justify="right")
    for variant, row in results.details["costs"].items():
        table.add_row(
            variant, *(f"{row[name]:.3g}" if row[name] < 10 else f"{row[name]:.0f}" for name in COSTS)
        )
    return table

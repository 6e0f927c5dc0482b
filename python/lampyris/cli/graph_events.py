"""``lampyris graph events``: detection on raw events by an event graph."""

from __future__ import annotations


def events(
    root: str | None = None,
    variants: str | None = None,
    seeds: int = 3,
    train_windows: int | None = 600,
    test_windows: int | None = None,
    max_events: int = 400,
    window_us: int = 200_000,
    epochs: int = 8,
    channels: int = 24,
    clusters: int = 16,
    folder: str = "runs/graph/events",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Detect objects in raw events: spiking layers on the event graph, minCUT clusters as proposals.

    Args:
        root: Gen1-format folder with train and test; the generated order-only events when left out.
        variants: names separated by semicolons; all when left out.
        seeds: runs of each variant.
        train_windows: labels to learn from; null for all.
        test_windows: labels to judge on; null for all.
        max_events: of a window, drawn at random.
        window_us: microseconds before each label.
        epochs: passes over the windows.
        channels: neurons of each spiking layer.
        clusters: proposals of a window, a square number for the grid.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out.
        quick: learned order and the grid on few small windows, in seconds.
    """
    from pathlib import Path

    from lampyris.console import console
    from lampyris.tasks.graph import event_ablation as task
    from lampyris.tasks.graph.event_pictures import draw_events

    chosen = None if variants is None else [name.strip() for name in variants.split(";")]
    budget = task.Budget(root, train_windows, test_windows, max_events, window_us, epochs, channels, clusters)
    if quick:
        chosen, seeds, workers = [task.LEARNED, task.GRID], 1, 1
        budget = task.Budget(root, 16, 8, 100, window_us, 1, 4, 4)
    screen = console()
    results, models = task.event_ablation(chosen, seeds=seeds, budget=budget, workers=workers, screen=screen)
    results.show(screen)
    screen.print(task.cost_table(results))
    results.write(folder)
    windows, _, names = task.windows(budget, "test")
    shown = {name: models[name] for name in (task.LEARNED, task.GRID) if name in models} or models
    draw_events(Path(folder) / "detections.png", windows[:3], shown, names)
    screen.print(f"wrote figures.json, events.png and detections.png in {folder}", highlight=False)
    return 0

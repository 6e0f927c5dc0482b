"""``lampyris graph top2``: the two largest features within two hops."""

from __future__ import annotations


def top2(
    graphs: int = 10,
    models: str | None = None,
    nodes: int = 1000,
    first_seed: int = 100,
    folder: str = "runs/graph/top2",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Classify nodes by the two largest features within two hops (Top-2 pooling), beside thresholds.

    Args:
        graphs: Erdos-Renyi graphs, each with its own features, split and weights.
        models: names separated by spaces; all when left out.
        nodes: of a graph, mean degree 10.
        first_seed: of the graphs. The recipe was chosen while looking at the first graphs from 0.
        folder: for figures.json and the picture.
        workers: processes; all cores when left out.
        quick: one graph of 100 nodes and a few steps, in seconds; the figures then mean nothing.
    """
    from lampyris.console import console
    from lampyris.tasks.graph import top2_task

    screen = console()
    results = top2_task(
        1 if quick else graphs,
        None if models is None else models.split(),
        nodes=100 if quick else nodes,
        first_seed=first_seed,
        steps=5 if quick else None,
        workers=1 if quick else workers,
        screen=screen,
    )
    results.show(screen)
    results.write(folder)
    screen.print(f"wrote figures.json and {results.task}.png in {folder}", highlight=False)
    return 0

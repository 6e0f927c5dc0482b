"""``lampyris graph xor``: labels that only all neighbours together tell."""

from __future__ import annotations


def xor(
    seeds: int = 5,
    models: str | None = None,
    nodes: int = 2000,
    folder: str = "runs/graph/xor",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Tell the parity of neighbours' bits, where sums, means and largest values of neighbours stay at chance.

    Args:
        seeds: runs, each with its own graph, split and weights.
        models: names separated by spaces; all when left out.
        nodes: nodes with a class in each graph.
        folder: for figures.json and the picture.
        workers: processes; all cores when left out.
        quick: one seed, 100 nodes and a few steps, in seconds; the figures then mean nothing.
    """
    from lampyris.console import console
    from lampyris.tasks.graph import xor_task

    screen = console()
    results = xor_task(
        1 if quick else seeds,
        None if models is None else models.split(),
        nodes=100 if quick else nodes,
        steps=5 if quick else None,
        workers=1 if quick else workers,
        screen=screen,
    )
    results.show(screen)
    results.write(folder)
    screen.print(f"wrote figures.json and {results.task}.png in {folder}", highlight=False)
    return 0

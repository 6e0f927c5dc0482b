"""``lampyris graph nodes``: classes of nodes from few labels."""

from __future__ import annotations


def nodes(
    sets: str = "digits karate disease",
    models: str | None = None,
    file: str | None = None,
    seeds: int = 10,
    steps: int = 300,
    hidden: int = 32,
    folder: str = "runs/graph/nodes",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Classify nodes from few labels: GOAT beside MLP, GCN, SAGE, GIN, GAT, GATv2, with 10 seeds.

    Args:
        sets: of digits, karate, disease, separated by spaces.
        models: names separated by spaces; all when left out.
        file: FOLDER/ind.NAME of Planetoid, or an .npz file, instead of the sets.
        seeds: runs, each with its own split and weights.
        steps: full-batch steps at most.
        hidden: width between the layers.
        folder: for figures.json and the picture.
        workers: processes; all cores when left out.
        quick: two seeds and few steps on the karate club, in seconds.
    """
    from lampyris.console import console
    from lampyris.tasks.graph import Recipe, node_task

    chosen: list = sets.split()
    if quick:
        chosen, seeds, steps, workers = ["karate"], 2, 20, 1
    if file is not None:
        from lampyris.data.graph_files import read_graph

        chosen = [read_graph(file)]
    screen = console()
    results = node_task(
        chosen,
        None if models is None else models.split(),
        seeds=seeds,
        hidden=hidden,
        recipe=Recipe(steps=steps, lr=0.01, patience=60, every=3),
        workers=workers,
        screen=screen,
    )
    results.show(screen)
    results.write(folder)
    screen.print(f"wrote figures.json and {results.task}.png in {folder}", highlight=False)
    return 0

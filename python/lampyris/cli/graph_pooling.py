"""``lampyris graph clustering|autoencoder``: what pooling layers find and keep."""

from __future__ import annotations


def clustering(
    graphs: str | None = None,
    methods: str | None = None,
    seeds: int = 10,
    steps: int = 1000,
    lr: float = 0.01,
    folder: str = "runs/graph/clustering",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Cluster the digits and networkx's graphs without labels, beside spectral clustering and k-means.

    Args:
        graphs: of digits, karate, les_miserables, florentine, southern_women, separated by spaces.
        methods: names separated by commas; all when left out.
        seeds: runs of each method.
        steps: full-batch steps.
        lr: learning rate of Adam.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out.
        quick: two seeds and few steps on the karate club, in seconds.
    """
    from pathlib import Path

    from lampyris.console import console
    from lampyris.tasks.graph.cluster_sets import load_graph_set
    from lampyris.tasks.graph.clustering import agreement
    from lampyris.tasks.graph.clustering import clustering as task
    from lampyris.tasks.graph.pictures import draw_clusters

    chosen = None if graphs is None else graphs.split()
    if quick:
        chosen, seeds, steps, workers = ["karate"], 2, 60, 1
    screen = console()
    names = None if methods is None else [name.strip() for name in methods.split(",")]
    results, first = task(chosen, names, seeds=seeds, steps=steps, lr=lr, workers=workers, screen=screen)
    results.show(screen)
    results.write(folder)
    rows = []
    for name, partitions in first.items():
        graph = load_graph_set(name)
        scores = {title: agreement(labels, graph.labels) for title, labels in partitions.items()}
        rows.append((graph, partitions, scores))
    draw_clusters(Path(folder) / "clusters.png", rows)
    screen.print(f"wrote figures.json, clustering.png and clusters.png in {folder}", highlight=False)
    return 0


def autoencoder(
    poolings: str | None = None,
    ring_nodes: int = 200,
    grid_side: int = 30,
    seeds: int = 3,
    steps: int = 10_000,
    lr: float = 5e-3,
    patience: int = 1000,
    folder: str = "runs/graph/autoencoder",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Send the coordinates of a ring and a grid through pooling to N / 4 and back.

    Args:
        poolings: of mincut, dmon, just_balance, total_variation, diffpool, topk, sagpool, by spaces.
        ring_nodes: nodes of the ring.
        grid_side: rows and columns of the grid.
        seeds: runs of each pooling.
        steps: full-batch steps at most.
        lr: learning rate of Adam.
        patience: steps without a lower error before the end.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out.
        quick: a small ring and grid, two poolings, few steps, in seconds.
    """
    from pathlib import Path

    from lampyris.console import console
    from lampyris.tasks.graph.autoencoder import autoencoder as task
    from lampyris.tasks.graph.pictures import draw_points

    chosen = None if poolings is None else poolings.split()
    if quick:
        chosen, ring_nodes, grid_side, seeds, steps, workers = ["mincut", "topk"], 24, 5, 1, 60, 1
    screen = console()
    results, drawn = task(
        chosen, ring_nodes=ring_nodes, grid_side=grid_side, seeds=seeds, steps=steps, lr=lr,
        patience=patience, workers=workers, screen=screen,
    )  # fmt: skip
    results.show(screen)
    results.write(folder)
    rows = []
    for name, runs in drawn.items():
        points = {title: found.numpy() for title, (_, found) in runs.items()}
        errors = {title: results.values[name][title][0] for title in runs}
        rows.append((next(iter(runs.values()))[0], points, errors))
    draw_points(Path(folder) / "points.png", rows)
    screen.print(f"wrote figures.json, autoencoder.png and points.png in {folder}", highlight=False)
    return 0

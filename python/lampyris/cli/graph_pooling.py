"""What pooling layers find and keep: clustering, autoencoder, segmentation, classification, sbm."""

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
        methods: names separated by semicolons; all when left out.
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
    from lampyris.tasks.graph.clustering import clustering_task as task
    from lampyris.tasks.graph.pictures import draw_clusters

    chosen = None if graphs is None else graphs.split()
    if quick:
        chosen, seeds, steps, workers = ["karate"], 2, 60, 1
    screen = console()
    names = None if methods is None else [name.strip() for name in methods.split(";")]
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
    steps: int = 3000,
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
    from lampyris.tasks.graph.autoencoder import autoencoder_task as task
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


def segmentation(
    pictures: str | None = None,
    methods: str | None = None,
    clusters: int = 4,
    scale: float = 100.0,
    seeds: int = 5,
    steps: int = 2000,
    lr: float = 0.01,
    folder: str = "runs/graph/segmentation",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Cut pictures into segments: regions grouped by the pooling losses, spectral clustering, k-means.

    Args:
        pictures: of china, flower, shapes, or files, separated by spaces.
        methods: of mincut, dmon, total_variation, spectral, k-means, by spaces.
        clusters: segments of each picture.
        scale: of the regions; larger: larger.
        seeds: runs of each method.
        steps: full-batch steps.
        lr: learning rate of Adam.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out.
        quick: one seed and few steps on the drawn picture, in seconds.
    """
    from pathlib import Path

    from lampyris.console import console
    from lampyris.tasks.graph.segmentation import draw_segments
    from lampyris.tasks.graph.segmentation import segmentation_task as task

    chosen = None if pictures is None else pictures.split()
    if quick:
        chosen, seeds, steps, workers = ["shapes"], 1, 60, 1
    screen = console()
    names = None if methods is None else methods.split()
    results, drawn = task(
        chosen, names, clusters=clusters, scale=scale, seeds=seeds, steps=steps, lr=lr, workers=workers,
        screen=screen,
    )  # fmt: skip
    results.show(screen)
    results.write(folder)
    draw_segments(Path(folder) / "segments.png", drawn)
    screen.print(f"wrote figures.json, segmentation.png and segments.png in {folder}", highlight=False)
    return 0


def classification(
    sets: str = "easy hard",
    poolings: str | None = None,
    file: str | None = None,
    per_class: int = 100,
    largest: int = 80,
    seeds: int = 5,
    epochs: int = 200,
    patience: int = 50,
    batch: int = 16,
    lr: float = 2e-3,
    weight_decay: float = 1e-4,
    folder: str = "runs/graph/classification",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Classify the Bench graphs, or a TU set: no pooling, minCUT and relatives, DiffPool, Top-K, SAGPool.

    Args:
        sets: of easy, hard, separated by spaces.
        poolings: of none, mincut, dmon, just_balance, total_variation, diffpool, topk, sagpool, by spaces.
        file: folder of a TU data set (PROTEINS, DD, ...) in place of the sets.
        per_class: graphs of each of the three classes.
        largest: nodes of the largest graph.
        seeds: runs of each pooling.
        epochs: passes at most.
        patience: passes without a better validation error before the end.
        batch: graphs in a step.
        lr: learning rate of Adam.
        weight_decay: L2 of Adam.
        folder: for figures.json and the picture.
        workers: processes; all cores when left out.
        quick: few small graphs, three poolings, two passes, in seconds.
    """
    from lampyris.console import console
    from lampyris.tasks.graph.graph_classification import graph_classification_task as task

    names = None if poolings is None else poolings.split()
    if quick:
        names, per_class, largest, seeds, epochs, workers = ["none", "mincut", "topk"], 10, 30, 1, 2, 1
    screen = console()
    results = task(
        sets.split(), names, folder=file, per_class=per_class, largest=largest, seeds=seeds, epochs=epochs,
        patience=patience, batch=batch, lr=lr, weight_decay=weight_decay, workers=workers, screen=screen,
    )  # fmt: skip
    results.show(screen)
    results.write(folder)
    screen.print(f"wrote figures.json and classification.png in {folder}", highlight=False)
    return 0


def sbm(
    regimes: str | None = None,
    methods: str | None = None,
    sizes: str = "1000 4000 16000",
    tests: int = 3,
    seeds: int = 3,
    train_graphs: int = 20,
    train_nodes: int = 400,
    steps: int = 300,
    lr: float = 0.01,
    folder: str = "runs/graph/sbm",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Train on small stochastic block models without labels, cluster larger ones never seen; NMI and time.

    Args:
        regimes: of dense, sparse, separated by spaces.
        methods: names separated by semicolons; all when left out.
        sizes: nodes of the unseen graphs, separated by spaces.
        tests: unseen graphs of each size for each seed.
        seeds: trainings.
        train_graphs: graphs of a training.
        train_nodes: nodes of each.
        steps: one graph each.
        lr: learning rate of Adam.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out. Times are read while as many run.
        quick: one regime, one size, few steps, in seconds.
    """
    from pathlib import Path

    from lampyris.console import console
    from lampyris.tasks.graph.block_models import block_models_task as task

    chosen = None if regimes is None else regimes.split()
    if quick:
        chosen, sizes, tests, seeds, train_graphs, train_nodes = ["sparse"], "500", 1, 1, 2, 100
        steps, workers = 20, 1
    screen = console()
    names = None if methods is None else [name.strip() for name in methods.split(";")]
    quality, times = task(
        names, chosen, sizes=tuple(map(int, sizes.split())), tests=tests, seeds=seeds,
        train_graphs=train_graphs, train_nodes=train_nodes, steps=steps, lr=lr, workers=workers,
        screen=screen,
    )  # fmt: skip
    screen.print(times.table())
    quality.show(screen)
    quality.write(folder)
    times.draw(Path(folder) / "sbm_time.png")
    screen.print(f"wrote figures.json, sbm.png and sbm_time.png in {folder}", highlight=False)
    return 0

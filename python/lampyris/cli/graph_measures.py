"""``lampyris graph betweenness`` and ``lampyris graph effective_size``."""

from __future__ import annotations

QUICK_STEPS = 5


def betweenness(
    sizes: str = "100 1000",
    graphs: int = 10,
    first_seed: int = 100,
    networks: str | None = None,
    residual: bool = True,
    unseen: bool = True,
    folder: str = "runs/graph/betweenness",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Regress the betweenness of nodes of Erdos-Renyi graphs, beside degree fits, also on unseen graphs.

    Args:
        sizes: nodes of a graph, 100 (p = 0.09) and 1000 (p = 0.01), separated by spaces.
        graphs: tested graphs of each size; figures are means over them.
        first_seed: of the tested graphs. The recipes were chosen while looking at graphs 0 to 9.
        networks: names separated by spaces; all when left out.
        residual: also learn what the quadratic degree fit leaves.
        unseen: also train on other graphs and test on these.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out.
        quick: two graphs of 100 nodes and a few steps, in seconds; the figures then mean nothing.
    """
    return _run("betweenness", sizes, graphs, first_seed, networks, residual, unseen, folder, workers, quick)


def effective_size(
    sizes: str = "100 1000",
    graphs: int = 10,
    first_seed: int = 100,
    networks: str | None = None,
    residual: bool = True,
    unseen: bool = True,
    folder: str = "runs/graph/effective_size",
    workers: int | None = None,
    quick: bool = False,
) -> int:
    """Regress the effective size of nodes of Erdos-Renyi graphs, beside degree fits, also on unseen graphs.

    Args:
        sizes: nodes of a graph, 100 (p = 0.09) and 1000 (p = 0.01), separated by spaces.
        graphs: tested graphs of each size; figures are means over them.
        first_seed: of the tested graphs. The recipes were chosen while looking at graphs 0 to 9.
        networks: names separated by spaces; all when left out.
        residual: also learn what the quadratic degree fit leaves.
        unseen: also train on other graphs and test on these.
        folder: for figures.json and the pictures.
        workers: processes; all cores when left out.
        quick: two graphs of 100 nodes and a few steps, in seconds; the figures then mean nothing.
    """
    return _run(
        "effective_size", sizes, graphs, first_seed, networks, residual, unseen, folder, workers, quick
    )


def _run(
    measure: str,
    sizes: str,
    graphs: int,
    first_seed: int,
    networks: str | None,
    residual: bool,
    unseen: bool,
    folder: str,
    workers: int | None,
    quick: bool,
) -> int:
    from lampyris.console import console
    from lampyris.tasks.graph import centrality_task

    try:
        numbers = [int(word) for word in sizes.split()]
    except ValueError:
        raise ValueError(f"sizes must be numbers separated by spaces, got {sizes!r}") from None
    screen = console()
    results, rest = centrality_task(
        measure,
        [100] if quick else numbers,
        graphs=2 if quick else graphs,
        first_seed=first_seed,
        networks=None if networks is None else networks.split(),
        residual=residual,
        unseen=unseen,
        others=(2, 1) if quick else None,
        steps=QUICK_STEPS if quick else None,
        workers=1 if quick else workers,
        screen=screen,
    )
    results.show(screen)
    if rest is not None:
        screen.print(rest.table())
        results.details["residual"] = rest.to_json()
        rest.draw(f"{folder}/{rest.task}.png")
    results.write(folder)
    screen.print(f"wrote figures.json and pictures in {folder}", highlight=False)
    return 0

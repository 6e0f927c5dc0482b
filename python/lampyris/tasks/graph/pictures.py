"""Pictures of the pooling tasks: clusters on graphs, points through an autoencoder, segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lampyris.plots import pyplot, save_figure

from .cluster_sets import GraphSet

__all__ = ["draw_clusters", "draw_points", "match_labels", "panels"]

NODE_AREA = 4000.0
"""Points^2 that all nodes of a panel share."""

CROWDED = 300
"""Nodes above which the edges are not drawn, and nodes lie by their features."""


def panels(rows: int, columns: int, size: float = 2.4, height: float | None = None):
    """A figure and its axes [rows, columns], without frames; a panel is size x height (size) inches."""
    figure, axes = pyplot().subplots(
        rows, columns, figsize=(size * columns, (height or size) * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def match_labels(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Renumber clusters so that they agree with the reference as often as possible.

    Example:
        >>> import numpy as np
        >>> match_labels(np.array([1, 1, 0, 2]), np.array([0, 0, 1, 1])).tolist()
        [0, 0, 1, 2]
    """
    from scipy.optimize import linear_sum_assignment

    parts = int(max(labels.max(), reference.max())) + 1
    shared = np.zeros((parts, parts))
    np.add.at(shared, (labels, reference), 1)
    rows, columns = linear_sum_assignment(-shared)
    return columns[np.argsort(rows)][labels]


def _by_features(graph: GraphSet) -> np.ndarray:
    """[N, 2], t-SNE of the features."""
    from sklearn.manifold import TSNE

    return TSNE(init="pca", random_state=0).fit_transform(graph.features.numpy())


def _edges(axis, places: np.ndarray, edge_index: np.ndarray, alpha: float) -> None:
    from matplotlib.collections import LineCollection

    once = edge_index[:, edge_index[0] < edge_index[1]]
    lines = places[once.T]
    axis.add_collection(LineCollection(lines, colors="0.4", linewidths=0.5, alpha=alpha, zorder=1))


def draw_clusters(
    path: str | Path, rows: list[tuple[GraphSet, dict[str, np.ndarray], dict[str, float]]]
) -> Path:
    """One row for each graph: the reference, then the partitions in colours matched to it.

    Args:
        path: PNG to write.
        rows: graph, title -> labels [N], title -> NMI to print.
    """
    width = 1 + max(len(partitions) for _, partitions, _ in rows)
    figure, axes = panels(len(rows), width)
    for line, (graph, partitions, scores) in zip(axes, rows, strict=True):
        crowded = graph.num_nodes > CROWDED
        places = _by_features(graph) if crowded else graph.places.numpy()
        reference = graph.labels.numpy()
        shown = {"reference": reference} | {
            title: match_labels(labels, reference) for title, labels in partitions.items()
        }
        for axis, (title, labels) in zip(line, shown.items(), strict=False):
            if not crowded:
                _edges(axis, places, graph.edge_index.numpy(), 0.35)
            axis.scatter(
                *places.T, c=labels % 10, cmap="tab10", vmin=0, vmax=9, s=NODE_AREA / (graph.num_nodes + 60),
                lw=0.3, edgecolors="white", zorder=2,
            )  # fmt: skip
            score = f", NMI {scores[title]:.2f}" if title in scores else ""
            name = f"{graph.name}: {title}" if title == "reference" else title
            axis.set_title(name + score, fontsize=8)
    return save_figure(figure, path, tight=False)


def draw_points(
    path: str | Path, rows: list[tuple[GraphSet, dict[str, np.ndarray], dict[str, float]]]
) -> Path:
    """One row for each graph: its points, then the reconstructions with the edges of the graph.

    Args:
        path: PNG to write.
        rows: graph, title -> points [N, 2], title -> error to print.
    """
    width = 1 + max(len(drawn) for _, drawn, _ in rows)
    figure, axes = panels(len(rows), width, 1.9)
    for line, (graph, drawn, errors) in zip(axes, rows, strict=True):
        own = graph.places.numpy()
        margin = 0.08 * (own.max(0) - own.min(0))
        for axis, (title, points) in zip(line, ({graph.name: own} | drawn).items(), strict=False):
            _edges(axis, points, graph.edge_index.numpy(), 0.5)
            axis.scatter(*points.T, c=np.arange(len(points)), cmap="viridis", s=3, lw=0, zorder=2)
            axis.set_xlim(own[:, 0].min() - margin[0], own[:, 0].max() + margin[0])
            axis.set_ylim(own[:, 1].min() - margin[1], own[:, 1].max() + margin[1])
            axis.set_aspect("equal")
            axis.set_title(title + (f"\n{errors[title]:.2g}" if title in errors else ""), fontsize=8)
    return save_figure(figure, path, tight=False)

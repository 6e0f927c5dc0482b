"""Graphs with labelled nodes that need no download: the digits as nearest neighbours, the karate club, an
epidemic on a tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .graphs import knn_graph, undirected

__all__ = ["NodeGraph", "digits_graph", "disease_tree", "karate_club"]


@dataclass(frozen=True)
class NodeGraph:
    """A graph with features and classes of its nodes.

    Attributes:
        name: of the data set.
        x: float32 [N, F].
        edge_index: int64 [2, E], (source, destination), both directions of an undirected edge.
        y: int64 [N], classes from 0; -1: not known.
        train, val, test: int64 node numbers of a published split, or None.
    """

    name: str
    x: Tensor
    edge_index: Tensor
    y: Tensor
    train: Tensor | None = None
    val: Tensor | None = None
    test: Tensor | None = None

    @property
    def num_nodes(self) -> int:
        return self.x.shape[0]

    @property
    def num_classes(self) -> int:
        return int(self.y.max()) + 1 if self.y.numel() else 0

    def describe(self) -> str:
        """One line: sizes and degrees."""
        degree = torch.bincount(self.edge_index[1], minlength=self.num_nodes)
        mean = float(degree.float().mean()) if self.num_nodes else 0.0
        return (
            f"{self.name}: {self.num_nodes} nodes, {self.edge_index.shape[1]} directed edges, "
            f"{self.x.shape[1]} features, {self.num_classes} classes, "
            f"degree {mean:.1f} (largest {int(degree.max()) if self.num_nodes else 0})"
        )


def digits_graph(k: int = 10) -> NodeGraph:
    """scikit-learn's 1,797 digits of 8 x 8 pixels: features in [0, 1], joined to their k nearest ones.

    Example:
        >>> digits_graph().num_classes
        10
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / 16.0  # grey values 0 to 16
    return NodeGraph(
        f"digits k-NN, k = {k}",
        torch.from_numpy(pixels).float(),
        knn_graph(pixels, k),
        torch.from_numpy(labels).long(),
    )


def karate_club() -> NodeGraph:
    """Zachary's 34 members and their two clubs (1977); the features are the identity.

    Example:
        >>> karate_club().x.shape, karate_club().edge_index.shape
        (torch.Size([34, 34]), torch.Size([2, 156]))
    """
    import networkx

    club = networkx.karate_club_graph()
    labels = [int(club.nodes[n]["club"] != "Mr. Hi") for n in sorted(club)]
    edges = undirected(np.array(list(club.edges), np.int64).T, len(labels))
    return NodeGraph("karate club", torch.eye(len(labels)), edges, torch.tensor(labels))


def disease_tree(nodes: int = 1044, features: int = 16, *, noise: float = 0.5, seed: int = 0) -> NodeGraph:
    """An epidemic that goes down a tree: own design after the Disease set (1,044 nodes, 1,043 edges).

    The root is infected. A child of an infected node falls ill with probability sigmoid(3 s + 4), s its
    susceptibility, a standard normal number; nobody else does. Features are s times a fixed random
    direction, plus normal noise, so that a label can be told from the own features and the ancestors'.

    Args:
        nodes: N >= 2.
        features: F >= 1.
        noise: standard deviation of the noise of each feature.
        seed: of the tree, the epidemic and the noise.

    Raises:
        ValueError: fewer than two nodes or no feature.

    Example:
        >>> tree = disease_tree(100)
        >>> tree.edge_index.shape, tree.num_classes
        (torch.Size([2, 198]), 2)
    """
    if nodes < 2 or features < 1:
        raise ValueError(
            f"graph sets: a tree must have >= 2 nodes and >= 1 feature, got {nodes} and {features}"
        )
    largest_children = 6  # the largest degree of the original is 7
    random = np.random.default_rng(seed)
    parent, free = np.zeros(nodes, np.int64), [0] * 3
    for node in range(1, nodes):
        parent[node] = free.pop(random.integers(len(free)))
        free += [node] * random.integers(1, largest_children + 1)
    susceptibility = random.standard_normal(nodes)
    ill = np.zeros(nodes, np.int64)
    ill[0] = 1
    chance = 1 / (1 + np.exp(-(3 * susceptibility + 4)))
    for node in range(1, nodes):
        ill[node] = ill[parent[node]] and random.random() < chance[node]
    direction = random.standard_normal(features) / np.sqrt(features)
    x = susceptibility[:, None] * direction + noise * random.standard_normal((nodes, features))
    edges = undirected(np.stack([parent[1:], np.arange(1, nodes)]), nodes)
    return NodeGraph("disease tree", torch.from_numpy(x).float(), edges, torch.from_numpy(ill))

"""Stochastic block models with features: graphs of any size whose communities are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["BlockGraph", "BlockModel", "sample_blocks"]


@dataclass(frozen=True)
class BlockModel:
    """A contextual stochastic block model; the means of the features are those of the model, not of a graph.

    Attributes:
        blocks: communities K, of equal size, >= 2.
        degree: expected degree, whatever N.
        mixing: share of a node's edges that leave its community, in [0, 1].
        features: F; a node's features are its community's mean plus standard normal noise.
        signal: length of each mean.
        seed: of the means.
    """

    blocks: int = 5
    degree: float = 12.0
    mixing: float = 0.35
    features: int = 16
    signal: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.blocks < 2 or not self.degree > 0 or not 0 <= self.mixing <= 1 or self.features < 1:
            raise ValueError(
                "block model: blocks must be >= 2, degree > 0, mixing in [0, 1] and features >= 1, "
                f"got {self.blocks}, {self.degree}, {self.mixing} and {self.features}"
            )

    def means(self) -> np.ndarray:
        """[K, F], random directions of length ``signal``."""
        directions = np.random.default_rng(self.seed).normal(size=(self.blocks, self.features))
        return self.signal * directions / np.linalg.norm(directions, axis=1, keepdims=True)


@dataclass(frozen=True)
class BlockGraph:
    """One graph: edge_index [2, E] both ways and sorted by destination, x [N, F] float32, y [N] int64."""

    edge_index: Tensor
    x: Tensor
    y: Tensor


def sample_blocks(model: BlockModel, nodes: int, seed: int) -> BlockGraph:
    """Draw a graph in time linear in its edges.

    Args:
        model: of the graph.
        nodes: N >= 2 K.
        seed: of this graph.

    Raises:
        ValueError: too few nodes for the communities or the degree.

    Example:
        >>> graph = sample_blocks(BlockModel(blocks=2, degree=6.0), 400, seed=1)
        >>> graph.x.shape, bool((graph.edge_index[0] != graph.edge_index[1]).all())
        (torch.Size([400, 16]), True)

    Source: Deshpande, Montanari, Mossel, Sen, Contextual stochastic block models, NeurIPS 2018.
    """
    size = nodes / model.blocks
    if size < 2 or model.degree * max(1 - model.mixing, model.mixing / (model.blocks - 1)) >= size:
        raise ValueError(
            f"block model: nodes must be enough for {model.blocks} blocks of degree {model.degree}, "
            f"got {nodes}"
        )
    random = np.random.default_rng(seed)
    label = np.arange(nodes) * model.blocks // nodes
    start = np.searchsorted(label, np.arange(model.blocks + 1))
    inside = model.degree * (1 - model.mixing) / (size - 1)
    outside = model.degree * model.mixing / (nodes - size)
    codes = []
    for a in range(model.blocks):
        for b in range(a, model.blocks):
            wide, tall = start[b + 1] - start[b], start[a + 1] - start[a]
            pairs = tall * (tall - 1) // 2 if a == b else tall * wide
            wanted = random.binomial(pairs, inside if a == b else outside)
            codes.append(_distinct_pairs(random, start[a], tall, start[b], wide, wanted, nodes))
    code = np.concatenate(codes)
    low, high = code // nodes, code % nodes
    order = random.permutation(nodes)  # places in the file say nothing about communities
    low, high = order[low], order[high]
    both = np.stack([np.concatenate([low, high]), np.concatenate([high, low])])
    both = both[:, np.lexsort(both)]
    y = np.empty(nodes, np.int64)
    y[order] = label
    x = model.means()[y] + random.normal(size=(nodes, model.features))
    return BlockGraph(torch.from_numpy(both).long(), torch.from_numpy(x).float(), torch.from_numpy(y))


def _distinct_pairs(random, first: int, tall: int, second: int, wide: int, wanted: int, nodes: int):
    """``wanted`` different pairs, low * nodes + high; first == second: pairs inside one block."""
    found = np.empty(0, np.int64)
    while len(found) < wanted:
        more = wanted - len(found) + 8
        a, b = first + random.integers(tall, size=more), second + random.integers(wide, size=more)
        code = np.minimum(a, b) * nodes + np.maximum(a, b)
        found = np.concatenate([found, code[a != b]])
        _, place = np.unique(found, return_index=True)
        found = found[np.sort(place)]
    return found[:wanted]

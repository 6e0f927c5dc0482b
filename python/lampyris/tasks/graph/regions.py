"""Pictures as graphs: regions of one colour, grown by Felzenszwalb's rule, and their neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["RegionGraph", "grow_regions", "region_graph"]


def grow_regions(
    picture: np.ndarray, scale: float = 100.0, sigma: float = 1.0, smallest: int = 50
) -> np.ndarray:
    """Segment a picture into regions: neighbouring pixels join in the order of their colour distance while
    that distance is at most the largest inside either region plus ``scale`` / pixels.

    Args:
        picture: [H, W, 3] uint8, or float in [0, 1].
        scale: larger: larger regions. In units of 1 / 255 of the colour range.
        sigma: of the Gaussian blur before, pixels.
        smallest: regions with fewer pixels join their nearest neighbour.

    Returns:
        Region of each pixel [H, W] int64, numbered from 0 in reading order.

    Raises:
        ValueError: a shape, or a number out of range.

    Example:
        >>> import numpy as np
        >>> halves = np.zeros((8, 10, 3)); halves[:, 5:] = 1
        >>> grow_regions(halves, sigma=0.0, smallest=1)[0].tolist()
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]

    Source: Felzenszwalb and Huttenlocher, IJCV 59, 2004, section 4 (eight neighbours).
    """
    from scipy.ndimage import gaussian_filter

    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ValueError(f"regions: picture must be [H, W, 3], got {list(picture.shape)}")
    if not scale > 0 or sigma < 0 or smallest < 1:
        raise ValueError(
            f"regions: scale must be > 0, sigma >= 0, smallest >= 1, got {scale}, {sigma}, {smallest}"
        )
    colour = picture / 255.0 if picture.dtype == np.uint8 else picture.astype(np.float64)
    if sigma:
        colour = gaussian_filter(colour, (sigma, sigma, 0))
    first, second, distance = _pixel_edges(colour)
    order = np.argsort(distance, kind="stable")
    count = picture.shape[0] * picture.shape[1]
    parent = list(range(count))
    size, inside = [1] * count, [0.0] * count
    step = scale / 255.0

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(a: int, b: int, weight: float) -> None:
        a, b = (a, b) if size[a] >= size[b] else (b, a)
        parent[b] = a
        size[a] += size[b]
        inside[a] = weight

    edges = list(zip(first[order].tolist(), second[order].tolist(), distance[order].tolist(), strict=True))
    for i, j, weight in edges:
        a, b = root(i), root(j)
        if a != b and weight <= min(inside[a] + step / size[a], inside[b] + step / size[b]):
            join(a, b, weight)
    for i, j, weight in edges:
        a, b = root(i), root(j)
        if a != b and min(size[a], size[b]) < smallest:
            join(a, b, weight)
    roots = np.array([root(node) for node in range(count)])
    _, place, number = np.unique(roots, return_index=True, return_inverse=True)
    rank = np.empty(len(place), np.int64)
    rank[np.argsort(place)] = np.arange(len(place))
    return rank[number].reshape(picture.shape[:2])


def _pixel_edges(colour: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of the eight-neighbourhood and the Euclidean distance of their colours."""
    height, width = colour.shape[:2]
    number = np.arange(height * width).reshape(height, width)
    slices = [
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    ]
    first = np.concatenate([number[a].ravel() for a, _ in slices])
    second = np.concatenate([number[b].ravel() for _, b in slices])
    flat = colour.reshape(-1, 3)
    return first, second, np.linalg.norm(flat[first] - flat[second], axis=1)


@dataclass(frozen=True)
class RegionGraph:
    """Regions that touch, joined by how alike their colours are.

    Attributes:
        edge_index: [2, E] int64, every edge in both directions, sorted by destination.
        weight: [E] float32 in (0, 1].
        features: [R, 6] float32: mean colour, and summed colour over the pixels of the picture.
        centres: [R, 2] float32, x and y in pixels.
        pixels: [R] int64.
    """

    edge_index: Tensor
    weight: Tensor
    features: Tensor
    centres: Tensor
    pixels: Tensor


def region_graph(picture: np.ndarray, regions: np.ndarray, softness: float = 0.1) -> RegionGraph:
    """The graph of touching regions (four neighbours), weight exp(-(colour distance / ``softness``)^2 / 2).

    Args:
        picture: [H, W, 3] uint8, or float in [0, 1].
        regions: [H, W], numbers from 0 without gaps, as of `grow_regions`.
        softness: colour distance, of a range of 1, at which the weight has fallen to 0.61.

    Raises:
        ValueError: shapes that do not fit, or softness <= 0.

    Example:
        >>> import numpy as np
        >>> halves = np.zeros((2, 4, 3)); halves[:, 2:] = 0.1
        >>> graph = region_graph(halves, np.array([[0, 0, 1, 1]] * 2))
        >>> graph.edge_index.tolist(), graph.pixels.tolist()
        ([[1, 0], [0, 1]], [4, 4])
    """
    if regions.shape != picture.shape[:2] or not softness > 0:
        raise ValueError(
            f"regions: regions must be {list(picture.shape[:2])} and softness > 0, "
            f"got {list(regions.shape)} and {softness}"
        )
    colour = (picture / 255.0 if picture.dtype == np.uint8 else picture).reshape(-1, 3)
    flat = regions.ravel()
    pixels = np.bincount(flat)
    total = np.stack([np.bincount(flat, colour[:, c]) for c in range(3)], 1)
    mean = total / pixels[:, None]
    y, x = np.divmod(np.arange(flat.size), regions.shape[1])
    centres = np.stack([np.bincount(flat, x), np.bincount(flat, y)], 1) / pixels[:, None]
    touching = np.concatenate(
        [
            np.stack([regions[:, :-1].ravel(), regions[:, 1:].ravel()], 1),
            np.stack([regions[:-1].ravel(), regions[1:].ravel()], 1),
        ]
    )
    touching = touching[touching[:, 0] != touching[:, 1]]
    both = np.unique(np.concatenate([touching, touching[:, ::-1]]), axis=0)  # (destination, source)
    distance = np.linalg.norm(mean[both[:, 0]] - mean[both[:, 1]], axis=1)
    # The floor keeps an edge an edge: exp would underflow to 0 for black beside white.
    weight = np.maximum(np.exp(-0.5 * (distance / softness) ** 2), 1e-4)
    return RegionGraph(
        torch.from_numpy(both[:, ::-1].T.copy()).long(),
        torch.from_numpy(weight).float(),
        torch.from_numpy(np.concatenate([mean, total / flat.size], 1)).float(),
        torch.from_numpy(centres).float(),
        torch.from_numpy(pixels).long(),
    )

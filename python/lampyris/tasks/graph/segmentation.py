"""Segments of a picture: its regions grouped by the cut of their graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lampyris.plots import save_figure

from .block_models import spectral_by_lanczos
from .clustering import agreement, k_means
from .message_passing import Propagation
from .pictures import panels
from .poolers import CLUSTER_POOLERS
from .regions import RegionGraph, grow_regions, region_graph
from .results import Results
from .training import Recipe, fit, run_jobs

__all__ = ["PICTURES", "SEGMENTERS", "Segmented", "draw_segments", "load_picture", "segmentation_task"]

PICTURES = ("china", "flower", "shapes")
"""scikit-learn's two photographs at half size, and a drawn picture whose segments are known."""
SEGMENTERS = ("mincut", "dmon", "total_variation", "spectral", "k-means")


def shapes(seed: int = 0, height: int = 120, width: int = 160, noise: float = 0.05):
    """A disc, a bar and a corner on a ground, each with a shade of its own that changes slowly, and noise.

    Returns:
        (picture [H, W, 3] float64 in [0, 1], segments [H, W] int64, 0 to 3).
    """
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    segments = np.zeros((height, width), np.int64)
    segments[(x - 0.3 * width) ** 2 + (y - 0.4 * height) ** 2 < (0.22 * height) ** 2] = 1
    segments[(np.abs(x - 0.7 * width) < 0.08 * width) & (np.abs(y - 0.45 * height) < 0.3 * height)] = 2
    segments[x / width + 2 * (height - y) / height < 0.6] = 3
    colours = np.array([[0.35, 0.45, 0.55], [0.75, 0.4, 0.3], [0.45, 0.6, 0.3], [0.7, 0.65, 0.5]])
    shade = 0.12 * np.sin(2 * np.pi * (x / width + 0.5 * y / height))[..., None]
    picture = colours[segments] + shade + random.normal(scale=noise, size=(height, width, 3))
    return picture.clip(0, 1), segments


def load_picture(source: str) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture of `PICTURES` or a file.

    Returns:
        (picture [H, W, 3], uint8 or float in [0, 1]; known segments [H, W] or None).

    Raises:
        ValueError: neither a name nor a file, or a file that is no picture.
    """
    if source == "shapes":
        return shapes()
    if source in PICTURES:
        from sklearn.datasets import load_sample_image

        return load_sample_image(f"{source}.jpg")[::2, ::2], None
    from PIL import Image, UnidentifiedImageError

    if not Path(source).is_file():
        raise ValueError(
            f"segmentation: picture must be one of {', '.join(PICTURES)} or a file, got {source!r}"
        )
    try:
        with Image.open(source) as image:
            image.thumbnail((480, 480))
            return np.asarray(image.convert("RGB")), None
    except UnidentifiedImageError:
        raise ValueError(f"segmentation: {source} must be a picture, got something else") from None


class _RegionNet(nn.Module):
    """A hidden layer on the regions' features and a pooling layer; no message passing, as published."""

    def __init__(self, channels: int, clusters: int, loss: str):
        super().__init__()
        self.pool = CLUSTER_POOLERS[loss]([channels, 16], clusters, "relu", symmetric=True)

    def loss(self, x: Tensor, rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        row_ptr, col, weight = rows
        return sum(self.pool(x, (row_ptr, col), weight).loss.values())


def _features(graph: RegionGraph) -> Tensor:
    """Colour, total colour and centre of the regions, each column of mean 0 and deviation 1."""
    x = torch.cat((graph.features, graph.centres), 1)
    return (x - x.mean(0)) / x.std(0, unbiased=False).clamp(min=1e-6)


@dataclass(frozen=True)
class Segmented:
    """Segment of each region [R], the normalised cut of that partition (0 to K - 1, lower is better) and the
    share of the colour variance that the segments explain."""

    labels: np.ndarray
    cut: float
    explained: float


def normalised_cut(graph: RegionGraph, labels: np.ndarray) -> float:
    """Sum over segments of the weight that leaves, divided by the weight there is.

    Source: Shi and Malik, Normalized cuts and image segmentation, PAMI 2000.
    """
    source, destination = graph.edge_index.numpy()
    weight = graph.weight.numpy().astype(np.float64)
    parts = int(labels.max()) + 1
    volume = np.bincount(labels[destination], weight, parts)
    inside = labels[source] == labels[destination]
    kept = np.bincount(labels[destination][inside], weight[inside], parts)
    return float(sum(1 - kept[p] / volume[p] for p in range(parts) if volume[p] > 0))


def _explained(graph: RegionGraph, labels: np.ndarray) -> float:
    colour, pixels = graph.features[:, :3].double().numpy(), graph.pixels.numpy()
    ground = np.average(colour, axis=0, weights=pixels)
    total = np.average(((colour - ground) ** 2).sum(1), weights=pixels)
    left = 0.0
    for part in np.unique(labels):
        here = labels == part
        centre = np.average(colour[here], axis=0, weights=pixels[here])
        left += (((colour[here] - centre) ** 2).sum(1) * pixels[here]).sum()
    return 1 - float(left / pixels.sum() / max(total, 1e-12))


def _segment(graph: RegionGraph, method: str, clusters: int, seed: int, recipe: Recipe) -> Segmented:
    x, regions = _features(graph), len(graph.pixels)
    if method == "k-means":
        labels = k_means(x.numpy(), clusters, seed)
    elif method == "spectral":
        import scipy.sparse

        source, destination = graph.edge_index.numpy()
        weight = graph.weight.double().numpy()
        matrix = scipy.sparse.csr_matrix((weight, (destination, source)), shape=(regions, regions))
        labels = spectral_by_lanczos(matrix, clusters, seed)
    else:
        rows = Propagation(graph.edge_index, regions, graph.weight).rows
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _RegionNet(x.shape[1], clusters, method)
        fit(model, lambda: model.loss(x, rows), recipe=recipe)
        with torch.no_grad():
            labels = model.pool.selector(x).argmax(1).numpy()
    labels = np.asarray(labels, np.int64)
    return Segmented(labels, normalised_cut(graph, labels), _explained(graph, labels))


def segmentation_task(
    pictures: list[str] | None = None,
    methods: list[str] | None = None,
    *,
    clusters: int = 4,
    scale: float = 100.0,
    seeds: int = 5,
    steps: int = 2000,
    lr: float = 0.01,
    workers: int | None = None,
    screen=None,
) -> tuple[Results, dict[str, tuple[np.ndarray, np.ndarray, dict[str, Segmented]]]]:
    """Group the regions of pictures to K segments.

    Args:
        pictures: of `PICTURES`, or files; all of the former when None.
        methods: of `SEGMENTERS`; all when None.
        clusters: K.
        scale: of `grow_regions`.
        seeds: runs of each.
        steps, lr: of Adam; the last weights count.
        workers: processes; see `run_jobs`.
        screen: rich console of the progress bar.

    Returns:
        The normalised cuts, and for the picture name -> (picture, regions, method -> the run of the lowest
        cut).

    Raises:
        ValueError: an unknown picture or method, or a picture of fewer regions than segments.
    """
    methods = list(SEGMENTERS if methods is None else methods)
    for name in methods:
        if name not in SEGMENTERS:
            raise ValueError(f"segmentation: method must be one of {', '.join(SEGMENTERS)}, got {name!r}")
    recipe = Recipe(steps=steps, lr=lr, weight_decay=0.0)
    known = {}
    for source in PICTURES if pictures is None else pictures:
        picture, truth = load_picture(source)
        regions = grow_regions(picture, scale)
        graph = region_graph(picture, regions)
        if len(graph.pixels) <= clusters:
            raise ValueError(
                f"segmentation: {source} must have more than {clusters} regions, got {len(graph.pixels)}"
            )
        known[Path(source).stem] = picture, truth, regions, graph
    jobs, places = [], []
    for source, (_, _, _, graph) in known.items():
        for name in methods:
            places += [(source, name)] * seeds
            jobs += [(graph, name, clusters, seed, recipe) for seed in range(seeds)]
    found = run_jobs(_segment, jobs, workers=workers, title="segmentation", screen=screen)
    results = Results(
        "segmentation",
        f"{seeds} seeds; Felzenszwalb regions (scale {scale:g}, sigma 1, at least 50 pixels) joined where "
        f"they touch, weight exp(-(colour distance / 0.1)^2 / 2); K = {clusters}; networks: one hidden layer "
        f"of 16 on colour, total colour and centre, Adam {lr:g}, {steps} steps, last weights",
        "normalised cut of the segments (0 to K - 1)",
    )
    best: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Segmented]]] = {}
    others: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (source, name), run in zip(places, found, strict=True):
        picture, truth, regions, _ = known[source]
        results.add(source, name, run.cut)
        runs = best.setdefault(source, (picture, regions, {}))[2]
        if name not in runs or run.cut < runs[name].cut:
            runs[name] = run
        rows = others.setdefault(source, {}).setdefault(name, {"explained": [], "nmi": []})
        rows["explained"].append(run.explained)
        if truth is not None:
            rows["nmi"].append(agreement(run.labels[regions].ravel(), truth.ravel()))
    for source, (picture, truth, _, graph) in known.items():
        height, width = picture.shape[:2]
        note = f"{source}: {width} x {height} pixels, {len(graph.pixels)} regions"
        if truth is not None:
            scores = ", ".join(f"{name} {np.mean(rows['nmi']):.3f}" for name, rows in others[source].items())
            note += f"; NMI with the known segments, pixel by pixel: {scores}"
        results.notes.append(note)
    results.details |= {"explained_colour_variance_and_nmi": others}
    return results, best


def draw_segments(
    path: str | Path, drawn: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Segmented]]]
) -> Path:
    """One row for each picture: itself, its regions, and the segments in their mean colours."""
    width = 2 + max(len(runs) for _, _, runs in drawn.values())
    figure, axes = panels(len(drawn), width, 2.1, 1.65)
    for line, (source, (picture, regions, runs)) in zip(axes, drawn.items(), strict=True):
        parts = {f"{source}": picture, f"{regions.max() + 1} regions": _painted(picture, regions)}
        for title, run in runs.items():
            parts[f"{title}, cut {run.cut:.2f}"] = _painted(picture, run.labels[regions])
        for axis, (title, image) in zip(line, parts.items(), strict=False):
            axis.imshow(image)
            axis.set_title(title, fontsize=8)
    return save_figure(figure, path, tight=False)


def _painted(picture: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Every segment in its mean colour, with dark borders."""
    colour = picture / 255.0 if picture.dtype == np.uint8 else picture
    flat = segments.ravel()
    count = np.maximum(np.bincount(flat), 1)
    mean = np.stack([np.bincount(flat, colour[..., c].ravel()) / count for c in range(3)], 1)
    painted = mean[segments]
    border = np.zeros(segments.shape, bool)
    border[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    border[1:] |= segments[1:] != segments[:-1]
    painted[border] *= 0.35
    return painted

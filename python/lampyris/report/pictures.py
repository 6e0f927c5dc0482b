"""Pictures: detections beside ground truth, spike rasters and firing rates."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lampyris.files import atomic_write

__all__ = ["draw_activity", "draw_detections"]

_TRUTH, _FOUND = "#ffffff", "#ffb000"


def _save(figure, path: str | Path) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, bbox_inches="tight")
    import matplotlib.pyplot as plt

    plt.close(figure)
    return atomic_write(path, buffer.getvalue())


def _pixels(sample: np.ndarray) -> np.ndarray:
    """RGB bytes [H, W, 3] of an image [3, H, W] or of event counts [T, 2, H, W]."""
    if sample.ndim == 3 and sample.shape[0] == 3:
        return np.moveaxis(sample, 0, -1)
    counts = sample.reshape(-1, 2, *sample.shape[-2:]).astype(np.float64)
    steps = len(counts)
    ink = np.zeros((*sample.shape[-2:], 3))
    for step, (off, on) in enumerate(counts):
        shade = (step + 1) / steps
        ink += np.clip(on, 0, 2)[..., None] / 2 * np.array([1.0, 0.55, 0.1]) * shade
        ink += np.clip(off, 0, 2)[..., None] / 2 * np.array([0.1, 0.55, 1.0]) * shade
    return (255 * np.clip(ink, 0, 1)).astype(np.uint8)


def _boxes(axis, boxes, labels, names, colour, style, scores=None) -> None:
    from matplotlib.patches import Rectangle

    for index, (box, label) in enumerate(zip(np.asarray(boxes), np.asarray(labels), strict=True)):
        x1, y1, x2, y2 = box
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, ls=style, lw=1.4))
        text = names[int(label)] + ("" if scores is None else f" {scores[index]:.2f}")
        axis.text(x1, y1 - 1, text, color=colour, fontsize=7, va="bottom", clip_on=True)


def draw_detections(
    path: str | Path,
    images: Sequence[np.ndarray],
    truths: Sequence[dict],
    detections: Sequence[dict],
    class_names: Sequence[str],
    *,
    score: float = 0.3,
    title: str = "",
) -> Path:
    """Ground truth (left of each pair, white) beside detections (right, amber).

    Args:
        path: PNG to write.
        images: uint8 arrays [3, H, W], or event counts [T, 2, H, W].
        truths: dictionaries with ``boxes`` [n, 4] x1 y1 x2 y2 and ``labels`` [n].
        detections: the same with ``scores`` [n].
        class_names: text of each label.
        score: detections below are not drawn.
        title: heading of the picture.

    Returns:
        The path written.
    """
    import matplotlib

    matplotlib.use("Agg", force=False)
    import matplotlib.pyplot as plt

    pairs = min(2, len(images))
    rows = (len(images) + pairs - 1) // pairs
    figure, axes = plt.subplots(rows, 2 * pairs, figsize=(5.0 * pairs, 2.6 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for index, (image, truth, found) in enumerate(zip(images, truths, detections, strict=True)):
        left, right = axes[index // pairs, 2 * (index % pairs) : 2 * (index % pairs) + 2]
        for axis in (left, right):
            axis.imshow(_pixels(np.asarray(image)), interpolation="nearest")
        _boxes(left, truth["boxes"], truth["labels"], class_names, _TRUTH, "--")
        scores = np.asarray(found["scores"])
        keep = scores >= score
        _boxes(
            right,
            np.asarray(found["boxes"])[keep],
            np.asarray(found["labels"])[keep],
            class_names,
            _FOUND,
            "-",
            scores[keep],
        )
        if index < pairs:
            left.set_title("ground truth", fontsize=9)
            right.set_title("detected", fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return _save(figure, path)


def draw_activity(
    path: str | Path, spikes: dict[str, np.ndarray], *, neurons: int = 400, title: str = "", seed: int = 0
) -> Path:
    """Spike raster of one input and firing rate of every layer.

    Args:
        path: PNG to write.
        spikes: bool arrays [T, B, C, H, W] by layer; the raster shows the first of the batch, the
            rates use all of it.
        neurons: neurons drawn per layer, chosen at random among those of the layer.
        title: heading of the picture.
        seed: seed of that choice.

    Returns:
        The path written.
    """
    import matplotlib

    matplotlib.use("Agg", force=False)
    import matplotlib.pyplot as plt

    random = np.random.default_rng(seed)
    names = list(spikes)
    steps = next(iter(spikes.values())).shape[0]
    figure, (raster, bars) = plt.subplots(
        1, 2, figsize=(11, 0.45 * len(names) + 1.6), width_ratios=(3, 2), sharey=True
    )
    for row, name in enumerate(names):
        first = spikes[name][:, 0].reshape(steps, -1)
        chosen = np.sort(random.permutation(first.shape[1])[:neurons])
        step, neuron = np.nonzero(first[:, chosen])
        # Each layer is a band of height 0.8; within a step the neurons spread over 0.8 of the width.
        height = row - 0.4 + 0.8 * (neuron + 0.5) / len(chosen)
        jitter = 0.8 * (random.permutation(len(chosen))[neuron] + 0.5) / len(chosen) - 0.4
        raster.scatter(step + 1 + jitter, height, s=2.2, color=plt.cm.viridis(row / max(len(names) - 1, 1)), lw=0)
    raster.set_yticks(range(len(names)), names, fontsize=8)
    raster.set_xticks(range(1, steps + 1))
    raster.set_xlim(0.5, steps + 0.5)
    raster.set_xlabel("time step")
    raster.set_title(f"spikes of one input (up to {neurons} neurons per layer)", fontsize=9)
    for boundary in range(1, steps):
        raster.axvline(boundary + 0.5, color="0.85", lw=0.8)
    rates = [100 * float(value.mean()) for value in spikes.values()]
    bars.barh(range(len(names)), rates, color=[plt.cm.viridis(i / max(len(names) - 1, 1)) for i in range(len(names))])
    for row, rate in enumerate(rates):
        bars.text(rate, row, f" {rate:.1f} %", va="center", fontsize=8)
    bars.set_xlim(0, 1.18 * max([*rates, 1]))
    bars.set_xlabel("spikes per neuron and step, %")
    bars.set_title(f"firing rate over {next(iter(spikes.values())).shape[1]} inputs", fontsize=9)
    bars.invert_yaxis()
    if title:
        figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return _save(figure, path)
